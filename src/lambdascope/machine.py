"""What the machine has."""

import os
import shutil
from pathlib import Path

GIB = 2.0**30
"""Bytes in a GiB."""

_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def usable_cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def host_memory() -> int | None:
    """Bytes of the machine's memory, or of what its container may use; None if not known."""
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
    return min([found, *_container_limits()])


def disk_size(path: Path) -> int | None:
    """Bytes that the disk under a path holds, full or free; None where it can't be told."""
    for folder in (path, *path.absolute().parents):
        if folder.exists():
            try:
                return shutil.disk_usage(folder).total
            except OSError:
                return None
    return None


def _container_limits() -> list[int]:
    """What a container may use, in bytes; nothing where there is no limit."""
    found = []
    for file in _CONTAINER_LIMITS:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            found.append(int(text))
    return found
