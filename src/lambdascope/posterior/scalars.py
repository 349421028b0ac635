"""The numbers in a posterior's settings: refused in one sentence, or turned into floats."""

import math
from numbers import Real
from typing import Any

import torch

from lambdascope.errors import LambdascopeError, shown


def non_negative(field: str, value: Any) -> float:
    """`value` as a float.

    Raises:
        LambdascopeError: if it is no finite number ≥ 0.
    """
    number = _as_float(value)
    if not (math.isfinite(number) and number >= 0):
        raise LambdascopeError(f"{field}={shown(value)}: a finite number ≥ 0 is accepted.")
    return number


def positive(field: str, value: Any) -> float:
    """`value` as a float.

    Raises:
        LambdascopeError: if it is no finite number > 0.
    """
    number = _as_float(value)
    if not (math.isfinite(number) and number > 0):
        raise LambdascopeError(f"{field}={shown(value)}: a positive finite number is accepted.")
    return number


def check_representable(field: str, value: float, dtype: torch.dtype) -> None:
    """Refuse a number that would be infinite, or zero and was not, in the weights' type.

    Raises:
        LambdascopeError: with the type.
    """
    kept = torch.tensor(value, dtype=torch.float64).to(dtype).item()
    if not math.isfinite(kept) or (kept == 0) != (value == 0):
        raise LambdascopeError(
            f"{field}={value!r}: a number that the weights' type, {dtype}, can hold is accepted."
        )


def inverse_temperature(
    n: int, nbeta: float | None, n_multiplier: float, temp_multiplier: float
) -> float:
    """nβ as given, or n_eff / log n_eff / temp_multiplier with n_eff = n · n_multiplier, in 1/loss.

    Source of the default: Watanabe 2013, "A widely applicable Bayesian information criterion".

    Raises:
        LambdascopeError: if a number is impossible, the default does not exist, or nβ is given
            together with a multiplier of its default.
    """
    n_multiplier = positive("n_multiplier", n_multiplier)
    temp_multiplier = positive("temp_multiplier", temp_multiplier)
    if nbeta is not None:
        nbeta = positive("nbeta", nbeta)
        if (n_multiplier, temp_multiplier) != (1.0, 1.0):
            raise LambdascopeError(
                f"nbeta={nbeta!r} together with n_multiplier={n_multiplier!r} and temp_multiplier="
                f"{temp_multiplier!r}: give nbeta, or the multipliers of its default, not both."
            )
        return nbeta
    if n == 0:
        raise LambdascopeError("nbeta=None without data: a positive number is needed here.")
    n_eff = n * n_multiplier
    if not n_eff > 1:
        raise LambdascopeError(
            f"nbeta=None with n · n_multiplier = {n_eff:g}: the default n / log n needs more "
            "than 1 sample; give nbeta."
        )
    default = n_eff / math.log(n_eff) / temp_multiplier
    if not (math.isfinite(default) and default > 0):
        raise LambdascopeError(
            f"n_multiplier={n_multiplier!r} and temp_multiplier={temp_multiplier!r} make nbeta="
            f"{default:g}; multipliers that leave it positive and finite are accepted."
        )
    return default


def _as_float(value: Any) -> float:
    """NaN where `value` is no real number, or one that a float can't hold."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
