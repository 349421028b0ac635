"""What a sweep has written beside its cells' records, so that it can clear away its own files only.

`outputs.json` in the sweep's directory holds the sweep's file, whose results these are, and of each
table and figure what it shows and the hash of its bytes.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import atomic_write_bytes, atomic_write_text, make_folder, remove_file

KEPT_FILE = "sweep.toml"
"""The file as it was, beside its results, so that a report needs nothing else."""
_STATE, _VERSION = "outputs.json", 1
# Held while the state is read and written, by those who tabulate and draw beside a running sweep.
_LOCK, _LONGEST_WAIT = "outputs.lock", 60.0
# What a sweep writes: nothing else is ever removed, whatever the state says.
_OWN = re.compile(r"sweep\.csv|sweep_hessian\.csv|figures/[\w-]+\.png")


class SweepOutputs:
    """The tables and figures in a sweep's directory.

    Args:
        path: The directory; it is made when something is written.
        file: The sweep's file.
        text: Of the file, as its cells were read from it; None: as it is now.

    Several processes may write there at once: each output is written whole, and is in the state
    when it stands.

    Raises:
        LambdascopeError: the directory holds the results of another sweep, or its state is broken.
    """

    def __init__(self, path: Path, file: Path, text: str | None = None) -> None:
        self.path, self._file = Path(path), Path(file)
        self._text = self._file.read_text(encoding="utf-8") if text is None else text
        state = self._read()
        self._written: dict[str, dict[str, str]] = state.get("outputs", {})
        self._source = self._source_of(state.get("file"))

    def keep_file(self) -> None:
        """Put the sweep's file beside its results."""
        with self._held():
            atomic_write_text(self.path / KEPT_FILE, self._text)
            self._save()

    def was_edited(self) -> bool:
        """Whether the file is another one by now than its cells were read from."""
        try:
            return self._file.read_text(encoding="utf-8") != self._text
        except (OSError, ValueError):  # removed, or being written
            return True

    def write(self, name: str, content: bytes, shows: str) -> None:
        """Write an output, whole or not at all.

        Args:
            name: Its path in the directory.
            content: Of the file.
            shows: What it shows, as a text that differs where that does.
        """
        path = self.path / name
        with self._held():
            make_folder(path.parent)
            atomic_write_bytes(path, content)
            self._written[name] = {"shows": _hash(shows.encode()), "bytes": _hash(content)}
            self._save()

    def drop_stale(self, shows: Mapping[str, str]) -> list[str]:
        """Remove what the sweep wrote and its file no longer asks for.

        A file that somebody has changed since is theirs, and stays.

        Args:
            shows: Name → what an output of that name would show now.

        Returns:
            the names of what was removed.
        """
        if not self._read():
            return []
        removed = []
        with self._held():
            for name, written in list(self._written.items()):
                if name in shows and written["shows"] == _hash(shows[name].encode()):
                    continue
                if self._is_own(name, written["bytes"]):
                    remove_file(self.path / name)
                    removed.append(name)
                del self._written[name]
                self._save()
        return removed

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """The state as it is now, and nobody else's until it is let go of."""
        make_folder(self.path)
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=_LONGEST_WAIT)
        except Timeout:
            raise LambdascopeError(
                f"{self.path}: another process has been writing tables and figures there for "
                f"{_LONGEST_WAIT:.0f} s: wait for it, or stop it"
            ) from None
        except OSError as error:
            raise LambdascopeError(
                f"{self.path / _LOCK} can't be written ({error.strerror or error}): a sweep's "
                "tables and figures need a directory that can be written"
            ) from error
        try:
            self._written = self._read().get("outputs", {})
            yield
        finally:
            lock.release()

    def _is_own(self, name: str, written: str) -> bool:
        """Whether a file is as the sweep wrote it."""
        path = self.path / name
        if not _OWN.fullmatch(name) or path.is_symlink() or not path.is_file():
            return False
        return _hash(path.read_bytes()) == written

    def _source_of(self, known: str | None) -> str:
        """The file whose results these are, as the state is to name it."""
        kept, own = self.path / KEPT_FILE, self._file.resolve()
        if own == kept.resolve():  # as a report opens it
            return known or str(own)
        if kept.is_file() and kept.read_bytes() == self._text.encode():
            return str(own)
        if known is None:
            if kept.is_file() and self._has_records():
                raise LambdascopeError(
                    f"{self.path} holds the results of another file, kept there as {KEPT_FILE}: "
                    f"give {self._file} another --out, or remove {kept} if it is this file as it "
                    "was earlier"
                )
            return str(own)
        moved = not Path(known).exists() and Path(known).name == own.name
        if known == str(own) or moved:
            return str(own)
        raise LambdascopeError(
            f"{self.path} holds the results of {known}: give {self._file} another --out, or, if it "
            f"is that file under another name, remove {KEPT_FILE} and {_STATE} there"
        )

    def _has_records(self) -> bool:
        return any((self.path / "cells").glob("*.json"))

    def _read(self) -> dict[str, Any]:
        path = self.path / _STATE
        if self.path.exists() and not self.path.is_dir():
            raise LambdascopeError(f"{self.path} is a file: a sweep's results need a directory")
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            if state["version"] != _VERSION:
                raise ValueError(f"version {state['version']!r}, where {_VERSION} is read")
            if not all(set(one) == {"shows", "bytes"} for one in state["outputs"].values()):
                raise ValueError("outputs are not as a sweep writes them")
            return dict(state)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LambdascopeError(
                f"{path} can't be read ({error}): remove it, and `lambdascope sweep plot` writes "
                "the sweep's tables and figures anew"
            ) from error

    def _save(self) -> None:
        state = {"version": _VERSION, "file": self._source, "outputs": self._written}
        atomic_write_text(self.path / _STATE, json.dumps(state, indent=1) + "\n")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
