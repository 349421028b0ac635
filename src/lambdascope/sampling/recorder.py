"""Where the chains' records go while they run: memory, or files to resume from."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.sampling.folder import (
    CHUNK,
    LOCK,
    OVERWRITE,
    SETTINGS,
    SNAPSHOT,
    folder_lock,
    holds_records,
    on_disk,
    remove_folder,
    settings_difference,
    stored_settings,
    write_whole,
)
from lambdascope.sampling.plan import Plan


@dataclass(frozen=True)
class Series:
    """One recorded quantity.

    Attributes:
        length: Entries a chain: steps, or draws.
        shape: Shape of one entry; () for a number.
        dtype: NumPy type.
    """

    length: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """What it takes of one chain."""
        return self.length * math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Recorder(ABC):
    """Receives records in the order of time and gives them back by chain."""

    def __init__(self, plan: Plan, num_chains: int, series: Mapping[str, Series]) -> None:
        self.plan = plan
        self.num_chains = num_chains
        self.series = dict(series)

    @abstractmethod
    def resume(self, chunk: int) -> tuple[int, dict[str, Tensor]] | None:
        """Steps done and state of a chunk that was begun before; None for a fresh one."""

    @abstractmethod
    def write(self, chunk: int, name: str, start: int, values: np.ndarray) -> None:
        """Record `values` [time, chunk chain, ...] of one series from entry `start` on."""

    @abstractmethod
    def commit(self, chunk: int, step: int, state: Mapping[str, Tensor]) -> None:
        """All before `step` is written; `state` is where to go on."""

    @abstractmethod
    def read(self, name: str, first: int, last: int) -> np.ndarray:
        """Records of chains `first` … `last` − 1, [chain, time, ...]."""


class MemoryRecorder(Recorder):
    """Keeps everything in arrays."""

    def __init__(self, plan: Plan, num_chains: int, series: Mapping[str, Series]) -> None:
        super().__init__(plan, num_chains, series)
        self._arrays = {
            name: np.full((num_chains, one.length, *one.shape), np.nan, one.dtype)
            for name, one in series.items()
        }

    def resume(self, chunk: int) -> None:
        """Memory starts afresh."""

    def write(self, chunk: int, name: str, start: int, values: np.ndarray) -> None:
        """Into the array, fillers dropped."""
        first = chunk * self.plan.chunk_size
        real = self.plan.real(chunk, self.num_chains)
        self._arrays[name][first : first + real, start : start + len(values)] = np.moveaxis(
            values[:, :real], 0, 1
        )

    def commit(self, chunk: int, step: int, state: Mapping[str, Tensor]) -> None:
        """Nothing to keep."""

    def read(self, name: str, first: int, last: int) -> np.ndarray:
        """A view."""
        return self._arrays[name][first:last]


class FileRecorder(Recorder):
    """Keeps records in a folder, a file a chunk and quantity, beside a snapshot of each chunk.

    A snapshot replaces the one before it in one rename, after the records up to it are written;
    what was written past the last snapshot is written again, to the same bits, by the run that
    resumes. So the process may be killed, and the disk fill up, at any point.

    Args:
        folder: Made if it is not there.
        settings: What a run that resumes must share; others are refused.
        plan: The cut; kept with the settings.
        num_chains: Chains in all.
        series: What is recorded.
        overwrite: Begin afresh, instead of refusing, where the folder holds records of other
            settings, or damaged ones.

    Raises:
        LambdascopeError: if the folder can't be made, holds records of other settings, or another
            process is writing to it. Its methods raise one where the disk refuses a write.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        plan: Plan,
        num_chains: int,
        series: Mapping[str, Series],
        overwrite: bool = False,
    ) -> None:
        super().__init__(plan, num_chains, series)
        self.folder, self._overwrite = folder, overwrite
        with on_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = folder_lock(folder)
        try:
            self._adopt(settings)
        except BaseException:
            self._lock.release()
            raise

    def _adopt(self, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings, sort_keys=True)
        replaceable = self._overwrite or not holds_records(self.folder)
        found = stored_settings(self.folder, replaceable)
        if found is not None:
            difference = settings_difference(found, json.loads(text))
            if not difference:
                return
            if not replaceable:
                raise LambdascopeError(
                    f"{self.folder} holds an unfinished trace made with other settings "
                    f"({difference}); go on with those, or {OVERWRITE} to begin afresh."
                )
        with on_disk(self.folder):
            for file in self.folder.glob(f"{CHUNK}*"):
                file.unlink()
        write_whole(self.folder / SETTINGS, text.encode())

    def resume(self, chunk: int) -> tuple[int, dict[str, Tensor]] | None:
        """From the chunk's snapshot, if there is one and the records before it are all there."""
        file = self._snapshot(chunk)
        if not file.exists():
            return None
        try:
            with safetensors.safe_open(file, "pt") as snapshot:
                notes = snapshot.metadata()
                state = {name: snapshot.get_tensor(name) for name in snapshot.keys()}  # noqa: SIM118
            step, sizes = int(notes["step"]), json.loads(notes["record_sizes"])
        except (SafetensorError, TypeError, KeyError, ValueError) as error:
            if self._overwrite:
                return None
            raise LambdascopeError(
                f"{file} can't be read ({error}); remove it, or give {OVERWRITE}, to begin that "
                "part again."
            ) from error
        if any(self._size(chunk, name) < sizes.get(name, 0) for name in self.series):
            return None
        return step, state

    def write(self, chunk: int, name: str, start: int, values: np.ndarray) -> None:
        """Plain writes, so that a full disk is an error and not a signal."""
        values = np.ascontiguousarray(values, self.series[name].dtype)
        file = self._records(chunk, name)
        with on_disk(file), open(file, "r+b" if file.exists() else "w+b") as stream:
            stream.seek(start * values[0].nbytes)
            stream.write(values.tobytes())

    def commit(self, chunk: int, step: int, state: Mapping[str, Tensor]) -> None:
        """Replace the chunk's snapshot."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        sizes = {name: self._size(chunk, name) for name in self.series}
        notes = {"step": str(step), "record_sizes": json.dumps(sizes)}
        write_whole(self._snapshot(chunk), safetensors.torch.save(tensors, notes))

    def read(self, name: str, first: int, last: int) -> np.ndarray:
        """From the files of the chunks that hold those chains."""
        one, size = self.series[name], self.plan.chunk_size
        pieces = []
        for chunk in range(first // size, (last - 1) // size + 1):
            records = np.memmap(
                self._records(chunk, name), one.dtype, "r", shape=(one.length, size, *one.shape)
            )
            begin, end = max(first - chunk * size, 0), min(last - chunk * size, size)
            pieces.append(np.moveaxis(records[:, begin:end], 0, 1))
        return np.concatenate(pieces)

    def remove(self) -> None:
        """Delete the folder, its records being elsewhere by now."""
        remove_folder(self.folder, self._lock)

    def close(self) -> None:
        """Let go of the folder, which stays to be resumed where there is anything to resume."""
        with suppress(OSError):
            self._leave_nothing_without_records()
        self._lock.release()

    def _leave_nothing_without_records(self) -> None:
        if not holds_records(self.folder):
            for file in (*self.folder.glob(f"{CHUNK}*"), self.folder / SETTINGS):
                file.unlink(missing_ok=True)
            if [file.name for file in self.folder.iterdir()] == [LOCK]:
                self.remove()

    def _size(self, chunk: int, name: str) -> int:
        """Bytes of one file of records."""
        file = self._records(chunk, name)
        return file.stat().st_size if file.exists() else 0

    def _snapshot(self, chunk: int) -> Path:
        return self.folder / f"{CHUNK}{chunk:05d}{SNAPSHOT}"

    def _records(self, chunk: int, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]  # names may hold any character
        return self.folder / f"{CHUNK}{chunk:05d}.{digest}.bin"
