"""Learning coefficients of potentials in coordinates where they can be read off.

All with a flat prior around the origin. Source: Watanabe 2009, "Algebraic geometry and statistical
learning theory", chapters 3 and 6.
"""

from collections.abc import Sequence

from lambdascope.errors import LambdascopeError
from lambdascope.theory.checks import whole
from lambdascope.theory.coefficient import LearningCoefficient

_WATANABE = "Watanabe 2009, Algebraic geometry and statistical learning theory"


def regular_model(dimension: int) -> LearningCoefficient:
    """λ = d/2: the Hessian at w* has full rank.

    Args:
        dimension: d ≥ 1, the number of parameters.

    Raises:
        LambdascopeError: for a dimension that is no positive integer.
    """
    return LearningCoefficient(whole("dimension", dimension, 1) / 2, 1, _WATANABE)


def sum_of_powers(powers: Sequence[int]) -> LearningCoefficient:
    """λ = Σ 1/p_i of K = Σ c_i |w_i|^{p_i}, c_i > 0.

    Independent parts add: the zeta function of each is a simple pole at −1/p_i.

    Args:
        powers: p_i ≥ 1, [direction].

    Raises:
        LambdascopeError: for no power, or one that is no positive integer.
    """
    checked = _checked(powers)
    return LearningCoefficient(sum(1 / power for power in checked), 1, _WATANABE)


def normal_crossing(powers: Sequence[int]) -> LearningCoefficient:
    """λ = min 1/p_i of K = c Π |w_i|^{p_i}, c > 0; m is how often the minimum is attained.

    Args:
        powers: p_i ≥ 1, [direction]; 2k_i in the usual notation w^{2k}.

    Raises:
        LambdascopeError: for no power, or one that is no positive integer.
    """
    checked = _checked(powers)
    return LearningCoefficient(1 / max(checked), checked.count(max(checked)), _WATANABE)


def _checked(powers: Sequence[int]) -> list[int]:
    if isinstance(powers, str) or not isinstance(powers, Sequence) or not powers:
        raise LambdascopeError(f"powers={powers!r}: a sequence of integers ≥ 1 is accepted.")
    return [whole(f"powers[{i}]", power, 1) for i, power in enumerate(powers)]
