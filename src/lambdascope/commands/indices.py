"""Lists as people write them: ``0,5,24`` and ``0..24``, and ``embedding*, linear_left``."""

import re
from collections.abc import Sequence
from typing import Any

_PART = re.compile(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?")
_MOST = 100_000


def parse_indices(text: str) -> tuple[int, ...]:
    """Reads ``"0,5,24"``, ``"0..24"`` (both ends included) and mixtures such as ``"0..4,24"``.

    Raises:
        ValueError: The text is no such list, a range falls, a number comes twice, or there are
            more than 100,000 numbers. The message says what is accepted; the caller names the
            field.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else first
        if match is None or last < first or last - first >= _MOST - len(numbers):
            raise ValueError(
                "whole numbers such as 0,5,24 or a rising range such as 0..24 are accepted "
                f"(at most {_MOST:,} of them)"
            )
        numbers.extend(range(first, last + 1))
    if len(set(numbers)) < len(numbers):
        raise ValueError("each number is accepted once only")
    return tuple(numbers)


def read_indices(value: Any) -> Any:
    """A setting's whole numbers, from the text of a flag; other values keep their form.

    Raises:
        ValueError: There is none, or one comes twice. The message says what is accepted; the caller
            names the field.
    """
    if isinstance(value, str):
        return parse_indices(value)
    if isinstance(value, Sequence):
        if not value:
            raise ValueError("at least one number is accepted")
        if len(set(map(str, value))) < len(value):
            raise ValueError("each number is accepted once only")
    return value


def read_patterns(value: Any) -> Any:
    """A setting's name patterns, from the text of a flag; what is no text is left as it is.

    Raises:
        ValueError: A pattern is empty. The message says what is accepted; the caller names the
            field.
    """
    if not isinstance(value, str):
        return value
    patterns = tuple(pattern.strip() for pattern in value.split(","))
    if not all(patterns):
        raise ValueError("name patterns separated by commas are accepted")
    return patterns
