"""A folder that one process at a time writes to, and what a disk may answer."""

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from lambdascope.errors import LambdascopeError

SETTINGS, LOCK = "settings.json", "lock"
_REMOVED = ".removed"


def stored_settings(folder: Path) -> dict[str, Any] | None:
    """The settings that the records in `folder` were begun with; None if there are none.

    Raises:
        LambdascopeError: if they can't be read.
    """
    file = folder / SETTINGS
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise LambdascopeError(
            f"{file} can't be read ({error}); remove {folder} to begin afresh."
        ) from error


def folder_lock(folder: Path) -> BaseFileLock:
    """A lock on `folder`, acquired; the operating system frees it when the process ends.

    Raises:
        LambdascopeError: if another process, or another call in this one, holds it.
    """
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise LambdascopeError(
            f"{folder} is being written by another process; wait for it, or write elsewhere."
        ) from None
    return lock


def remove_folder(folder: Path, lock: BaseFileLock) -> None:
    """Delete a folder that `lock` is held on.

    Moved away first: once its lock file is gone, another process may make the folder anew.
    """
    away = folder.with_name(f"{folder.name}.{os.getpid()}{_REMOVED}")
    try:
        os.replace(folder, away)
    except OSError:  # where open files can't be moved
        away = folder
        lock.release()
    shutil.rmtree(away, ignore_errors=True)
    lock.release()


def removed_folders(folder: Path) -> list[Path]:
    """What `remove_folder` left of `folder` where it was killed."""
    return list(folder.parent.glob(f"{glob.escape(folder.name)}.*{_REMOVED}"))


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the disk refuses (full, read-only, in the way) into a sentence."""
    try:
        yield
    except OSError as error:
        raise LambdascopeError(
            f"{path} could not be written ({error.strerror or error}); what was written before "
            "still stands: free some space, or give a writable path, and make the same call again."
        ) from error


def settings_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The settings that differ, as `name: old → new`; empty if none does."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return "; ".join(f"{name}: {_short(old.get(name))} → {_short(new.get(name))}" for name in names)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def write_whole(file: Path, data: bytes) -> None:
    """Write beside `file`, then rename over it."""
    beside = file.with_name(file.name + ".new")
    with on_disk(file):
        try:
            beside.write_bytes(data)
            os.replace(beside, file)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
