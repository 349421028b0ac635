"""A run directory: the config of a run and everything that came of it.

Layout::

    config.json                             the whole config, with a schema version
    data.safetensors                        the data it was trained on, with the split
    checkpoints/step_000060.safetensors     weights, one file a training step
    training.csv  llc.csv                   tables
    llc_trace.zarr  llc_automatic/  figures/  report.html
    imported.json                           the settings file of an imported run, as it was
    commands.json                           the commands that made all this, and their versions
    diverged.json                           of a run whose loss went to infinity: where it did
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

import lambdascope
from lambdascope.errors import LambdascopeError
from lambdascope.runs.checkpoints import load_checkpoint, save_checkpoint
from lambdascope.runs.document import (
    CONFIG_FILE,
    SCHEMA_VERSION,
    read_document,
    write_document,
)
from lambdascope.runs.files import is_leftover, make_folder
from lambdascope.runs.layout import TRAINING_FILES, WRITTEN, remove_entries

_STEP_FILE = re.compile(r"^step_(\d{6,})\.safetensors$")


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run; make it by `create` or `open`.

    Attributes:
        path: the directory.
        system: what was trained, e.g. "modular_addition".
        config: the run's settings, as JSON values.
        made_by: the command that made it, e.g. "train".
        schema_version: version of the layout.
        lambdascope_version: version of the package that wrote the config.
    """

    path: Path
    system: str
    config: dict[str, Any]
    made_by: str
    schema_version: int
    lambdascope_version: str

    @classmethod
    def create(
        cls,
        path: Path,
        system: str,
        config: Mapping[str, Any],
        *,
        made_by: str = "train",
        overwrite: bool = False,
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> "RunDirectory":
        """Make a run directory, or take up the one that holds the same settings.

        Args:
            path: where; parents are made. It must be free or empty, or hold a run.
            system: what is trained.
            config: settings as JSON values.
            made_by: the command that makes it. A run that another command made is another run.
            overwrite: remove a run of other settings that stands there, with all its results; files
                that no run writes stay.
            defaults: what a setting is where config.json was written before there was such a
                setting.

        Returns:
            the run. One that stood there with the same settings keeps everything.

        Raises:
            LambdascopeError: the path is a file, read-only, holds other files, or (without
                `overwrite`) a run of other settings or of another command.
        """
        path = Path(path)
        plain = json.loads(json.dumps(dict(config)))
        held = cls.check(
            path, system, plain, made_by=made_by, overwrite=overwrite, defaults=defaults
        )
        if held is not None:
            return held
        if (path / CONFIG_FILE).exists():
            remove_entries(path, WRITTEN)
        make_folder(path)
        write_document(path, {"system": system, "made_by": made_by, "config": plain})
        return cls(path, system, plain, made_by, SCHEMA_VERSION, lambdascope.__version__)

    @classmethod
    def check(
        cls,
        path: Path,
        system: str,
        config: Mapping[str, Any],
        *,
        made_by: str = "train",
        overwrite: bool = False,
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> "RunDirectory | None":
        """Whether `create` would accept its arguments, found out without touching anything.

        Args:
            path: as in `create`, and so on.
            system: see there.
            config: see there.
            made_by: see there.
            overwrite: see there.
            defaults: see there.

        Returns:
            the run that `create` would take up, or None where it would make one.

        Raises:
            LambdascopeError: what `create` would refuse, but for places that cannot be written.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise LambdascopeError(
                f"the run directory {path} is a file: give a directory, or a path that is free"
            )
        if not (path / CONFIG_FILE).exists():
            if path.is_dir() and not all(is_leftover(entry) for entry in path.iterdir()):
                raise LambdascopeError(
                    f"{path} is not empty and holds no run ({CONFIG_FILE} is missing): give a new "
                    "or empty directory"
                )
            return None
        try:
            held = cls.open(path)
        except LambdascopeError:
            if overwrite:
                return None
            raise
        asked = json.loads(json.dumps(dict(config)))
        differences = _differences(
            {**defaults, "system": held.system, **held.config}, {"system": system, **asked}
        )
        if held.made_by == made_by and not differences:
            return held
        if overwrite:
            return None
        if held.made_by != made_by:
            raise LambdascopeError(
                f"{path} holds a run that `lambdascope {held.made_by}` made: give another "
                "directory, or --overwrite to replace it"
            )
        raise LambdascopeError(
            f"{path} holds a run of other settings ({differences}): give another directory, "
            "or --overwrite"
        )

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open a run directory that stands.

        Args:
            path: the directory.

        Raises:
            LambdascopeError: the path is missing, a file, no run, written by a newer schema, or its
                config is broken.
        """
        path = Path(path)
        document = read_document(path)
        # Of runs before there was this entry, the imported ones are known by their file.
        was_imported = (path / "imported.json").exists()
        return cls(
            path,
            document["system"],
            document["config"],
            str(document.get("made_by", "import-legacy" if was_imported else "train")),
            document["schema_version"],
            str(document.get("lambdascope_version", "unknown")),
        )

    @property
    def figures(self) -> Path:
        """The folder of figures, made when asked for."""
        folder = self.path / "figures"
        make_folder(folder)
        return folder

    @property
    def checkpoint_steps(self) -> list[int]:
        """Training steps whose weights lie in the folder of checkpoints, ascending."""
        matches = (_STEP_FILE.match(name) for name in self.checkpoint_files)
        return sorted(int(match.group(1)) for match in matches if match)

    @property
    def checkpoint_files(self) -> list[str]:
        """Names of all files in the folder of checkpoints."""
        folder = self.path / "checkpoints"
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if not is_leftover(entry))

    def checkpoint_path(self, step: int) -> Path:
        """Where the weights of a training step are kept, whether they stand yet or not."""
        return self.path / "checkpoints" / f"step_{step:06d}.safetensors"

    def save_checkpoint(
        self, step: int, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
    ) -> None:
        """Keep the weights of a training step, atomically.

        Args:
            step: optimiser steps taken before these weights, ≥ 0.
            tensors: name → tensor.
            metadata: name → text, kept beside the step.

        Raises:
            LambdascopeError: the file cannot be written.
        """
        make_folder(self.path / "checkpoints")
        save_checkpoint(
            self.checkpoint_path(step), tensors, {"step": str(step), **(metadata or {})}
        )

    def load_checkpoint(
        self, step: int, expected: Mapping[str, Sequence[int]] | None = None
    ) -> dict[str, Tensor]:
        """Read the weights of a training step.

        Args:
            step: optimiser steps taken before these weights.
            expected: name → shape; None accepts any.

        Raises:
            LambdascopeError: the file is missing or is not what was expected.
        """
        return load_checkpoint(self.checkpoint_path(step), expected)

    def clear(self) -> None:
        """Remove everything that a run writes, but for config.json; other files stay.

        Raises:
            LambdascopeError: a file cannot be removed.
        """
        remove_entries(self.path, WRITTEN)

    def clear_training(self) -> None:
        """Remove data, checkpoints and training.csv, so that training begins anew; results stay.

        Raises:
            LambdascopeError: a file cannot be removed.
        """
        remove_entries(self.path, TRAINING_FILES)


def _differences(held: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    names = [name for name in {**held, **asked} if held.get(name) != asked.get(name)]
    parts = [f"{name} {held.get(name)!r} there, {asked.get(name)!r} now" for name in names]
    return "; ".join(parts)
