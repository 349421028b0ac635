"""The numbers in a posterior's settings: refused in one sentence, or turned into floats."""

import math
from numbers import Real
from typing import Any

from lambdascope.errors import LambdascopeError


def non_negative(field: str, value: Any) -> float:
    """`value` as a float.

    Raises:
        LambdascopeError: if it is no finite number ≥ 0.
    """
    if not (_is_number(value) and math.isfinite(value) and value >= 0):
        raise LambdascopeError(f"{field}={value!r}: a finite number ≥ 0 is accepted.")
    return float(value)


def positive(field: str, value: Any) -> float:
    """`value` as a float.

    Raises:
        LambdascopeError: if it is no finite number > 0.
    """
    if not (_is_number(value) and math.isfinite(value) and value > 0):
        raise LambdascopeError(f"{field}={value!r}: a positive finite number is accepted.")
    return float(value)


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
    return n_eff / math.log(n_eff) / temp_multiplier


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
