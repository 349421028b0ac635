"""A trace on disk: a folder of parts while it is made, one Zarr store when it is whole."""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from lambdascope.errors import LambdascopeError
from lambdascope.sampling.folder import (
    OVERWRITE,
    PARTIAL,
    folder_lock,
    holds_records,
    on_disk,
    remove_folder,
    removed_folders,
    settings_difference,
    stored_settings,
)
from lambdascope.sampling.plan import Plan
from lambdascope.sampling.recorder import FileRecorder, Series
from lambdascope.sampling.trace import (
    TraceDescription,
    UnusableTrace,
    by_checkpoint,
    coordinates,
    dimensions,
    open_trace,
    units,
    versions,
)

# Zarr leaves out chunks that hold nothing but the fill value, as if they were lost.
_ALL_CHUNKS: Any = {"write_empty_chunks": True}


class TraceStore:
    """The trace of one call of `sample` at a path.

    The parts lie beside it in `<name>.partial`; the finished store appears in one rename.

    Args:
        path: Where the trace goes, by custom ending in `.zarr`.
        description: What it is a trace of.
        overwrite: Replace what was made with other settings, or is damaged.
        keep_cut: Whether a trace that differs in its chunk size alone is the same trace, as where
            the size was not asked for but follows from the machine.

    Attributes:
        description: As given; begun before, with the chunk size that it was begun with.

    Raises:
        LambdascopeError: if `path` holds a trace of other settings, a damaged one, or no trace.
    """

    def __init__(
        self, path: Path, description: TraceDescription, overwrite: bool, *, keep_cut: bool = False
    ) -> None:
        if not path.name:
            raise LambdascopeError(
                f"store={str(path)!r} has no name; a path such as llc_trace.zarr is accepted."
            )
        self.path = path
        self.description = description
        self.parts = path.with_name(path.name + PARTIAL)
        self._building = path.with_name(path.name + ".new")
        self._old = path.with_name(path.name + ".old")
        self._settings: dict[str, Any] = json.loads(json.dumps(description.settings()))
        self._overwrite = overwrite
        self._keep_cut = keep_cut
        self._recorder: FileRecorder | None = None
        self._replaces = False
        if path.exists():
            self._replaces = self._must_replace()
        # Parts of one trace come from one version of the code that rounds.
        self._settings |= versions()
        if not self.is_complete():
            begun = self._begun()
            if begun is not None:
                self._settings = begun
                self.description = replace(description, chunk_size=begun["chunk_size"])

    def _must_replace(self) -> bool:
        """Whether what stands at the path is to be replaced; refuses where it may not be."""
        try:
            difference = self._difference(json.loads(open_trace(self.path).attrs["settings"]))
        except UnusableTrace as error:
            if self._overwrite:
                return True
            reason = str(error).rstrip(".")
            raise LambdascopeError(f"{reason}; {OVERWRITE} samples it anew.") from error
        if difference and not self._overwrite:
            raise LambdascopeError(
                f"{self.path} holds a trace made with other settings ({difference}); use those, "
                f"another path, or {OVERWRITE} to replace it."
            )
        return bool(difference)

    def is_complete(self) -> bool:
        """Whether the finished trace of these settings stands at the path."""
        return self.path.exists() and not self._replaces

    def open(self) -> xr.Dataset:
        """The finished trace, what an interruption may have left beside it cleared away."""
        with contextlib.suppress(LambdascopeError):  # another process is at them
            if self._begun() is not None:
                remove_folder(self.parts, folder_lock(self.parts))
        for leftover in (self._old, *removed_folders(self.parts)):
            shutil.rmtree(leftover, ignore_errors=True)
        trace = open_trace(self.path)
        trace.attrs["single"] = int(self.description.single)
        return trace

    def recorder(self, plan: Plan, num_chains: int, series: Mapping[str, Series]) -> FileRecorder:
        """Where the chains' records go."""
        self._recorder = FileRecorder(
            self.parts, self._settings, plan, num_chains, series, self._overwrite
        )
        return self._recorder

    def finish(self, facts: Mapping[str, Any]) -> xr.Dataset:
        """Assemble the parts into one store, checkpoint by checkpoint, and put it in place."""
        assert self._recorder is not None
        shutil.rmtree(self._building, ignore_errors=True)
        with on_disk(self.path):
            try:
                self._assemble(self._building, facts)
            except BaseException:
                shutil.rmtree(self._building, ignore_errors=True)
                raise
            if self.path.exists():
                shutil.rmtree(self._old, ignore_errors=True)
                os.replace(self.path, self._old)
            os.replace(self._building, self.path)
        self._recorder.remove()
        self._recorder = None
        self._replaces = False
        return self.open()

    def close(self) -> None:
        """Let go of unfinished parts; they stay to be resumed, if there is anything to resume."""
        if self._recorder is not None:
            self._recorder.close()

    def _assemble(self, building: Path, facts: Mapping[str, Any]) -> None:
        assert self._recorder is not None
        description, recorder = self.description, self._recorder
        group = zarr.open_group(building, mode="w", attributes=description.attributes(facts))
        for name, series in recorder.series.items():
            dims = dimensions(name, series, description.kernel.info_names)
            shape = (len(description.checkpoints), description.num_chains, series.length)
            array = group.create_array(
                name,
                shape=(*shape, *series.shape),
                chunks=(1, *shape[1:], *series.shape),
                dtype=series.dtype,
                dimension_names=dims,
                attributes=units(name),
                fill_value=float("nan"),
                config=_ALL_CHUNKS,
            )
            for position, values in enumerate(by_checkpoint(recorder, name, description)):
                array[position] = values
        columns = {
            **description.columns(),
            **{name: ([name], values) for name, values in coordinates(description).items()},
        }
        for name, (dims, values) in columns.items():
            group.create_array(
                name,
                data=values,
                dimension_names=dims,
                attributes=units(name),
                config=_ALL_CHUNKS,
            )

    def _begun(self) -> dict[str, Any] | None:
        """The settings of the unfinished parts, if they are these."""
        replaceable = self._overwrite or not holds_records(self.parts)
        found = stored_settings(self.parts, replaceable)
        return None if found is None or self._difference(found) else found

    def _difference(self, found: dict[str, Any]) -> str:
        """Where settings found on the disk are others than these."""
        if self._keep_cut and "chunk_size" in found:
            return settings_difference(found, {**self._settings, "chunk_size": found["chunk_size"]})
        return settings_difference(found, self._settings)
