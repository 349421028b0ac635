"""A folder that one process at a time writes to, and what a disk may answer."""

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.probe import ABSOLUTE_NOISE, RELATIVE_NOISE
from lambdascope.posterior.traits import difference

SETTINGS, LOCK = "settings.json", "lock"
# Names of the files of a chunk of chains begin with one; its snapshot's ends with the other.
CHUNK, SNAPSHOT = "chunk_", ".safetensors"
PARTIAL = ".partial"
"""Added to a trace's name for the folder of its parts while it is made."""
# How what stands in the way is replaced, in a call and on the command line.
OVERWRITE = "overwrite=True (--overwrite)"
_REMOVED = ".removed"


def holds_records(folder: Path) -> bool:
    """Whether `folder` holds anything to resume: records up to a snapshot."""
    return any(folder.glob(f"{CHUNK}*{SNAPSHOT}"))


def stored_settings(folder: Path, replaceable: bool) -> dict[str, Any] | None:
    """The settings that the records in `folder` were begun with.

    None if there are none, or none that can be read and the folder is `replaceable`.

    Raises:
        LambdascopeError: if they can't be read, and the folder is not replaceable.
    """
    file = folder / SETTINGS
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        if replaceable:
            return None
        raise LambdascopeError(
            f"{file} can't be read ({error}); {OVERWRITE} begins afresh."
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
    """The settings that differ, as `name: old → new`; empty if none does.

    Losses that were measured agree within rounding, since another number of threads, or another
    machine, adds up in another order. Of the globals that functions read those are compared that
    were met both times: one may be a cache that fills up, and a function that reads another global
    than before is another function.
    """
    differing = []
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if name == "globals" and before is not None and after is not None:
            both = {one: after.get(one, trait) for one, trait in before.items()}
            differing.append(difference(before, both))
        elif before != after and not (name == "initial_loss" and _agree(before, after)):
            differing.append(f"{name}: {_short(before)} → {_short(after)}")
    return "; ".join(filter(None, differing))


def _agree(before: Any, after: Any) -> bool:
    """Whether losses, one a checkpoint or one for all, are the same within rounding."""
    try:
        return np.allclose(before, after, rtol=RELATIVE_NOISE, atol=ABSOLUTE_NOISE)
    except (TypeError, ValueError):  # none, or of other checkpoints
        return False


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
