"""Data for the page's scripts, as JSON that is short and can hold no markup."""

import json
import math
from typing import Any

import numpy as np

DIGITS = 4
"""Significant digits of what is drawn; tables and downloads have all of them."""


def rounded(values: Any, digits: int = DIGITS) -> Any:
    """Numbers as JSON values: rounded, and None where there is none.

    Args:
        values: A number, or an array or list of numbers, nested as it may be.
        digits: Significant digits of floats; whole numbers stay whole.
    """
    if isinstance(values, np.ndarray):
        return rounded(values.tolist(), digits)
    if isinstance(values, list | tuple):
        return [rounded(value, digits) for value in values]
    if values is None or isinstance(values, bool | int | str):
        return values
    if not math.isfinite(values):
        return None
    short = float(f"{values:.{digits}g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def script_json(document: Any) -> str:
    """JSON for a script element of type application/json.

    No character in it can end the element or begin another: what a name or a setting says stays
    text.

    Args:
        document: JSON values.

    Raises:
        ValueError: There is a NaN or an infinity left in it.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
