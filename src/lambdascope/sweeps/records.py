"""Which cells of a sweep stand: one small file a cell, written whole or not at all."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import atomic_write_text, make_folder
from lambdascope.runs.versions import Versions, versions_here
from lambdascope.sweeps.cell import Cell

_VERSION = 1
_HOLDER = "holder.json"


@dataclass(frozen=True)
class Outcome:
    """What came of a cell.

    Attributes:
        rows: What was measured, a row a checkpoint, as JSON values.
        error: Why something that was asked for, or everything, is missing from the rows; None if
            all went well.
        seconds: Wall time that it took; a batch's time is shared out evenly.
        versions: Under which it was recorded, by a process that shares them with its workers; None
            before it is recorded, and in records that do not say.
    """

    rows: Sequence[Mapping[str, Any]] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0
    versions: Versions | None = field(default=None, compare=False)


def state_of(outcome: Outcome | None) -> str:
    """Whether a cell is "finished", "failed", or, where it has no outcome, "missing"."""
    if outcome is None:
        return "missing"
    return "finished" if outcome.error is None else "failed"


class CellRecords:
    """The outcomes in a sweep's directory, `cells/KEY.json`.

    Args:
        path: The directory; it is made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._cells = self.path / "cells"

    def get(self, cell: Cell) -> Outcome | None:
        """The outcome of a cell with exactly these settings; None if there is none.

        Raises:
            LambdascopeError: its file is broken.
        """
        file = self._file(cell)
        if cell.former_key != cell.key and not file.exists():
            file = self._cells / f"{cell.former_key}.json"
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            if document["version"] != _VERSION:
                raise ValueError(f"version {document['version']!r}, where 1 is read")
            under = document.get("made_under")  # records of before it was kept have none
            versions = None if under is None else Versions(**under)
            outcome = Outcome(**document["outcome"], versions=versions)
            if not all(isinstance(row, dict) for row in outcome.rows):
                raise ValueError("outcome.rows is no list of measurements by name")
            return outcome
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LambdascopeError(
                f"{file} can't be read ({error}): remove it, and its cell is worked out again"
            ) from error

    def put(self, cell: Cell, outcome: Outcome) -> None:
        """Record an outcome, whole or not at all, under its versions, or those that run here.

        Raises:
            LambdascopeError: the disk is full or read-only; the records before it stand.
        """
        make_folder(self._cells)
        document = {
            "version": _VERSION,
            "made_under": asdict(outcome.versions or versions_here()),
            "point": dict(cell.point),
            "configs": {name: one.model_dump(mode="json") for name, one in cell.configs.items()},
            "outcome": {
                "rows": list(outcome.rows),
                "error": outcome.error,
                "seconds": outcome.seconds,
            },
        }
        atomic_write_text(self._file(cell), json.dumps(document, indent=1) + "\n")

    @contextlib.contextmanager
    def held(self, engine: str) -> Iterator[None]:
        """Hold the directory, so that no two engines work on it at once.

        The lock is the operating system's: it is free again when its holder has ended, however it
        ended, and no stale file stands in the way.

        Args:
            engine: Named to those who find it held.

        Raises:
            LambdascopeError: another process holds it; says which.
        """
        make_folder(self.path)
        lock = FileLock(self.path / "lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise LambdascopeError(
                f"{self.path} is being worked on by {self._holder()}: wait for it, or stop it"
            ) from None
        try:
            holder = {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "engine": engine,
                "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            }
            atomic_write_text(self.path / _HOLDER, json.dumps(holder) + "\n")
            yield
        finally:
            (self.path / _HOLDER).unlink(missing_ok=True)
            lock.release()

    def _holder(self) -> str:
        try:
            found = json.loads((self.path / _HOLDER).read_text(encoding="utf-8"))
            return (
                f"process {found['pid']} on {found['host']} (engine {found['engine']}, since "
                f"{found['since']})"
            )
        except (OSError, ValueError, KeyError):
            return "another process"

    def _file(self, cell: Cell) -> Path:
        return self._cells / f"{cell.key}.json"
