"""Potentials without data, with their minimum at the origin."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.scalars import non_negative, positive
from lambdascope.theory import (
    LearningCoefficient,
    localized_llc_1d,
    localized_llc_2d,
    localized_llc_of_three_squares,
    normal_crossing,
    regular_model,
    sum_of_powers,
)
from lambdascope.toys.toy import Toy


class Powers(nn.Module):
    """K(w) = Σ_p Σ_i c_{p,i} |w_i|^p.

    Args:
        coefficients: By power p, c_{p,i} as [direction].
        dtype: Of w and the coefficients.
    """

    def __init__(self, coefficients: Mapping[int, Sequence[float]], dtype: torch.dtype) -> None:
        super().__init__()
        self.powers = tuple(coefficients)
        for power, values in coefficients.items():
            self.register_buffer(f"coefficients_{power}", torch.tensor(values, dtype=dtype))
        self.w = nn.Parameter(torch.zeros(len(values), dtype=dtype))

    def forward(self) -> Tensor:
        """K, a scalar, in units of loss."""
        size = self.w.abs()
        terms = [getattr(self, f"coefficients_{p}") * size**p for p in self.powers]
        return torch.stack(terms).sum()


class Crossing(nn.Module):
    """K(w) = c Π_i (w_i² + ε)^{p_i/2}.

    Args:
        powers: p_i, [direction].
        coefficient: c, in units of loss/parameter^Σp.
        epsilon: ε ≥ 0, in parameter².
        dtype: Of w.
    """

    def __init__(
        self, powers: Sequence[int], coefficient: float, epsilon: float, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.powers, self.coefficient, self.epsilon = tuple(powers), coefficient, epsilon
        self.w = nn.Parameter(torch.zeros(len(powers), dtype=dtype))

    def forward(self) -> Tensor:
        """K, a scalar, in units of loss."""
        factors = self.w.abs() if self.epsilon == 0 else (self.w**2 + self.epsilon).sqrt()
        product = self.w.new_full((), self.coefficient)
        for i, power in enumerate(self.powers):
            product = product * factors[i] ** power
        return product


def power_potential(
    powers: Sequence[int],
    coefficients: Sequence[float] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> Toy:
    """K = Σ c_i |w_i|^{p_i}, with λ = Σ 1/p_i.

    Args:
        powers: p_i ≥ 2, [direction].
        coefficients: c_i > 0, [direction]; 1 by default.
        dtype: Of the parameters.

    Raises:
        LambdascopeError: for impossible powers or coefficients.
    """
    exact = sum_of_powers(powers)
    _smooth(powers)
    c = _coefficients("coefficients", coefficients, len(powers))
    if min(c) == 0:
        raise LambdascopeError(f"coefficients={c!r}: numbers > 0 are accepted.")
    by_power = {
        power: [a if p == power else 0.0 for a, p in zip(c, powers, strict=True)]
        for power in sorted(set(powers))
    }
    name = "K = " + " + ".join(f"{_factor(a)}w{_raised(p)}" for a, p in zip(c, powers, strict=True))
    return _separable_toy(name, by_power, exact, dtype)


def quadratic_potential(
    curvatures: Sequence[float],
    quartic: float | Sequence[float] = 0.0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Toy:
    """K = ½ Σ c_i w_i² + Σ q_i w_i⁴; λ counts ½ for c_i > 0, ¼ where only q_i > 0, 0 for neither.

    Args:
        curvatures: c_i ≥ 0, [direction], in loss/parameter².
        quartic: q_i ≥ 0, one or [direction], in loss/parameter⁴.
        dtype: Of the parameters.

    Raises:
        LambdascopeError: for impossible coefficients, or a potential that is zero.
    """
    c = _coefficients("curvatures", curvatures, len(curvatures))
    given = [quartic] * len(c) if isinstance(quartic, int | float) else quartic
    q = _coefficients("quartic", given, len(c))
    kinds = [2 if a > 0 else 4 for a, b in zip(c, q, strict=True) if a > 0 or b > 0]
    if not kinds:
        raise LambdascopeError("curvatures and quartic are all 0: at least one > 0 is accepted.")
    by_power = {2: [a / 2 for a in c], **({4: q} if any(q) else {})}
    name = f"quadratic, d = {len(c)}" + (", with a quartic term" if any(q) else "")
    return _separable_toy(name, by_power, sum_of_powers(kinds), dtype)


def crossing_potential(
    powers: Sequence[int], coefficient: float = 1.0, *, dtype: torch.dtype = torch.float32
) -> Toy:
    """The normal crossing K = c Π |w_i|^{p_i}, with λ = min 1/p_i.

    Args:
        powers: p_i ≥ 2, [direction].
        coefficient: c > 0.
        dtype: Of the parameters.

    Raises:
        LambdascopeError: for impossible powers or an impossible coefficient.
    """
    exact = normal_crossing(powers)
    _smooth(powers)
    c = positive("coefficient", coefficient)
    name = f"K = {_factor(c)}" + "".join(
        f"{'xyzuvw'[i] if len(powers) <= 6 else 'w'}{_raised(p)}" for i, p in enumerate(powers)
    )
    module = Crossing(powers, c, 0.0, dtype)
    return Toy(name, module, None, None, exact, finite_n=_product_quadrature(powers, c, 0.0))


def product_potential(epsilon: float, *, dtype: torch.dtype = torch.float32) -> Toy:
    """K = (x² + ε)(y² + ε): regular with curvature 2ε, seen as a crossing where nβ ε² ≪ 1.

    λ = 1 in the limit for ε > 0; at a temperature that hides ε, λ̂ is near that of x²y².

    Args:
        epsilon: ε ≥ 0, in parameter²; 0 gives x²y² itself.
        dtype: Of the parameters.

    Raises:
        LambdascopeError: for an impossible ε.
    """
    epsilon = non_negative("epsilon", epsilon)
    exact: LearningCoefficient = regular_model(2) if epsilon else normal_crossing([2, 2])
    module = Crossing([2, 2], 1.0, epsilon, dtype)
    name = f"K = (x² + {epsilon:g})(y² + {epsilon:g})"
    return Toy(name, module, None, None, exact, finite_n=_product_quadrature([2, 2], 1.0, epsilon))


def _product_quadrature(
    powers: Sequence[int], c: float, epsilon: float
) -> Callable[[float, float], float] | None:
    """The exact λ̂ as a function of (nβ, γ), of one or two factors or three squares; else None."""
    if len(powers) == 1:
        return lambda nbeta, gamma: localized_llc_1d(
            lambda x: c * (x**2 + epsilon) ** (powers[0] / 2), nbeta, gamma
        )
    if len(powers) == 2:
        one, other = powers[0] / 2, powers[1] / 2
        return lambda nbeta, gamma: localized_llc_2d(
            lambda x, y: c * (x**2 + epsilon) ** one * (y**2 + epsilon) ** other, nbeta, gamma
        )
    if list(powers) == [2, 2, 2] and epsilon == 0:
        return lambda nbeta, gamma: localized_llc_of_three_squares(nbeta, gamma, c)
    return None


def _separable_toy(
    name: str,
    by_power: Mapping[int, Sequence[float]],
    exact: LearningCoefficient,
    dtype: torch.dtype,
) -> Toy:
    """Σ_p Σ_i c_{p,i} |w_i|^p; its exact λ̂ is one integral for each kind of direction."""
    columns = zip(*by_power.values(), strict=True)
    kinds = Counter(tuple(zip(by_power, column, strict=True)) for column in columns)

    def finite_n(nbeta: float, gamma: float) -> float:
        total = 0.0
        for terms, count in kinds.items():
            if any(c > 0 for _, c in terms):
                total += count * localized_llc_1d(_one_direction(terms), nbeta, gamma)
        return total

    return Toy(name, Powers(by_power, dtype), None, None, exact, finite_n=finite_n)


def _one_direction(terms: tuple[tuple[int, float], ...]) -> Callable[[np.ndarray], np.ndarray]:
    def potential(w: np.ndarray) -> np.ndarray:
        return sum((c * np.abs(w) ** p for p, c in terms), start=np.zeros_like(w))

    return potential


def _coefficients(field: str, given: Sequence[float] | None, count: int) -> list[float]:
    values = [1.0] * count if given is None else list(given)
    if len(values) != count or not values:
        raise LambdascopeError(f"{field}={values!r}: {max(count, 1)} numbers are accepted.")
    return [non_negative(f"{field}[{i}]", value) for i, value in enumerate(values)]


def _smooth(powers: Sequence[int]) -> None:
    if min(powers) < 2:
        raise LambdascopeError(
            f"powers={list(powers)!r}: powers ≥ 2 are accepted, whose gradient is continuous."
        )


def _factor(value: float) -> str:
    return "" if value == 1 else f"{value:g} "


def _raised(power: int) -> str:
    return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(power))
