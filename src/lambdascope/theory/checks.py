"""What every exact answer asks of its arguments, refused in a sentence."""

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError


def whole(field: str, value: Any, fewest: int, most: int | None = None) -> int:
    """`value` as an int.

    Raises:
        LambdascopeError: if it is no integer between `fewest` and `most`.
    """
    accepted = f"an integer ≥ {fewest}" + ("" if most is None else f" and ≤ {most}")
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if (
        number is None
        or isinstance(value, bool)
        or number < fewest
        or (most is not None and number > most)
    ):
        raise LambdascopeError(f"{field}={value!r}: {accepted} is accepted.")
    return number


def real(field: str, value: Any, *, positive: bool) -> float:
    """`value` as a float.

    Raises:
        LambdascopeError: if it is no finite number > 0 (`positive`) or ≥ 0.
    """
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not good or value < 0 or (positive and value == 0):
        accepted = "a finite number > 0" if positive else "a finite number ≥ 0"
        raise LambdascopeError(f"{field}={value!r}: {accepted} is accepted.")
    return float(value)


def widths_of(widths: Sequence[int], layers: int = 1) -> tuple[int, ...]:
    """The widths H_0 … H_L of a network of `layers` layers or more.

    Raises:
        LambdascopeError: if there are too few, or one is no positive integer.
    """
    if isinstance(widths, str) or not isinstance(widths, Sequence) or len(widths) <= layers:
        raise LambdascopeError(
            f"widths={widths!r}: a sequence of {layers + 1} or more widths is accepted."
        )
    return tuple(whole(f"widths[{i}]", width, 1) for i, width in enumerate(widths))


def finite_array(field: str, value: Any, ndim: int) -> NDArray[np.float64]:
    """`value` as an array of `ndim` dimensions.

    Raises:
        LambdascopeError: if it is none, is empty, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise LambdascopeError(
            f"{field}={value!r}: an array of numbers with {ndim} dimension(s) is accepted."
        ) from None
    if array.ndim != ndim or array.size == 0 or not np.isfinite(array).all():
        raise LambdascopeError(
            f"{field} has shape {list(array.shape)}: {ndim} dimension(s), not empty, all finite, "
            "are accepted."
        )
    return array
