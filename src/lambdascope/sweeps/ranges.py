"""Ranges of whole numbers as a sweep's file writes them: ``"0..4"``, both ends included."""

import re

_RANGE = re.compile(r"\s*(\d{1,9})\s*\.\.\s*(\d{1,9})\s*")


def expand_range(text: str) -> list[int] | None:
    """The numbers of a rising range, or None if `text` is none."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    return list(range(int(match[1]), int(match[2]) + 1))
