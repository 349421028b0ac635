"""What the machine has."""

import os

GIB = 2.0**30
"""Bytes in a GiB."""


def host_memory() -> int | None:
    """Bytes of the machine's memory; None where it can't be told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
