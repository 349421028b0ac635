"""Ranges of whole numbers as a sweep's file writes them: ``"0..4"``, both ends included."""

import re

from lambdascope.errors import LambdascopeError

MOST = 1_000_000
"""Numbers that a range may hold, and cells that a sweep may have."""

_RANGE = re.compile(r"\s*(\d{1,9})\s*\.\.\s*(\d{1,9})\s*")


def expand_range(text: str) -> list[int] | None:
    """The numbers of a rising range, or None if `text` is none.

    Raises:
        LambdascopeError: it holds more than `MOST`.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    if last - first >= MOST:
        raise LambdascopeError(
            f"{text!r} holds {last - first + 1:,} numbers: up to {MOST:,} are accepted"
        )
    return list(range(first, last + 1))
