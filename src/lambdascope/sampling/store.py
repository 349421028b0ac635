"""A trace on disk: a folder of parts while it is made, one Zarr store when it is whole."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from lambdascope.errors import LambdascopeError
from lambdascope.sampling.plan import Plan
from lambdascope.sampling.recorder import FileRecorder, Series, settings_difference
from lambdascope.sampling.trace import (
    TraceDescription,
    by_checkpoint,
    coordinates,
    dimensions,
    open_trace,
    units,
)


class TraceStore:
    """The trace of one call of `sample` at a path.

    The parts lie beside it in `<name>.partial`; the finished store appears in one rename.

    Args:
        path: Where the trace goes, by custom ending in `.zarr`.
        description: What it is a trace of.
        overwrite: Replace what was made with other settings.

    Raises:
        LambdascopeError: if `path` holds a trace of other settings, or no trace at all.
    """

    def __init__(self, path: Path, description: TraceDescription, overwrite: bool) -> None:
        self.path = path
        self.description = description
        self.parts = path.with_name(path.name + ".partial")
        self._settings = description.settings()
        self._recorder: FileRecorder | None = None
        self._replaces = False
        if path.exists():
            difference = self._difference()
            if difference and not overwrite:
                raise LambdascopeError(
                    f"{path} holds a trace made with other settings ({difference}); use those, "
                    "another path, or overwrite it."
                )
            self._replaces = bool(difference)
        if overwrite and self.parts.exists() and self._parts_differ():
            shutil.rmtree(self.parts)

    def is_complete(self) -> bool:
        """Whether the finished trace of these settings stands at the path."""
        return self.path.exists() and not self._replaces

    def open(self) -> xr.Dataset:
        """The finished trace."""
        return open_trace(self.path)

    def recorder(self, plan: Plan, num_chains: int, series: Mapping[str, Series]) -> FileRecorder:
        """Where the chains' records go."""
        self._recorder = FileRecorder(self.parts, self._settings, plan, num_chains, series)
        return self._recorder

    def finish(self, facts: Mapping[str, Any]) -> xr.Dataset:
        """Assemble the parts into one store, checkpoint by checkpoint, and put it in place."""
        assert self._recorder is not None
        building = self.path.with_name(self.path.name + ".new")
        shutil.rmtree(building, ignore_errors=True)
        self._assemble(building, facts)
        if self.path.exists():
            old = self.path.with_name(self.path.name + ".old")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(self.path, old)
            os.replace(building, self.path)
            shutil.rmtree(old)
        else:
            os.replace(building, self.path)
        self._recorder.remove()
        self._recorder = None
        return self.open()

    def close(self) -> None:
        """Let go of unfinished parts; they stay to be resumed."""
        if self._recorder is not None:
            self._recorder.close()

    def _assemble(self, building: Path, facts: Mapping[str, Any]) -> None:
        assert self._recorder is not None
        description, recorder = self.description, self._recorder
        group = zarr.open_group(building, mode="w", attributes=description.attributes(facts))
        for name, series in recorder.series.items():
            dims = dimensions(name, series, description.num_steps, description.kernel.info_names)
            shape = (len(description.checkpoints), description.num_chains, series.length)
            array = group.create_array(
                name,
                shape=(*shape, *series.shape),
                chunks=(1, *shape[1:], *series.shape),
                dtype=series.dtype,
                dimension_names=dims,
                attributes=units(name),
                fill_value=float("nan"),
            )
            for position, values in enumerate(by_checkpoint(recorder, name, description)):
                array[position] = values
        columns = {
            **{name: ("checkpoint", column) for name, column in description.columns().items()},
            **{name: (name, values) for name, values in coordinates(description).items()},
        }
        for name, (dimension, values) in columns.items():
            group.create_array(
                name, data=values, dimension_names=[dimension], attributes=units(name)
            )

    def _difference(self) -> str:
        settings = json.loads(open_trace(self.path).attrs["settings"])
        return settings_difference(settings, json.loads(json.dumps(self._settings)))

    def _parts_differ(self) -> bool:
        file = self.parts / "settings.json"
        if not file.exists():
            return True
        return bool(
            settings_difference(json.loads(file.read_text()), json.loads(json.dumps(self._settings)))
        )
