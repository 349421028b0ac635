"""How far a slope at w* lets chains slide, and how much that lowers λ̂, by the curvature at w*.

With g = ∇U(w*), H = ∇²U(w*), U without localisation, and y = (H + γ)⁻¹ g, a quadratic potential
gives

    shift  = √(gᵀy)                   in widths of the posterior (Newton's decrement)
    effect = ½ gᵀy + ½ γ‖y‖²          that λ̂ is lower than with g = 0

(complete the square in E[U] − U(w*)). In a flat direction the shift is the tilt ‖g‖/√γ and the
effect its square; in a stiff one, of curvature h, they are g/√h and ½g²/h.
"""

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.sampling.curvature import CurvatureProducts
from lambdascope.threads import denormals_flushed, one_thread

# Conjugate gradients until what is left may add no more than so much of gᵀy, or so many products.
_CLOSE, _MOST_PRODUCTS = 0.05, 50
# A slope that moves chains by less than this many widths of the localisation matters to nobody.
_FLAT_ENOUGH = 0.1
_FOUND: "weakref.WeakKeyDictionary[LocalPosterior, dict[str, tuple[float, float]]]" = (
    weakref.WeakKeyDictionary()
)
"""By posterior, as long as it lives, and by device."""


@dataclass(frozen=True)
class Sliding:
    """Of each posterior.

    Attributes:
        shift: [posterior], as above; infinite where nothing holds the chains in a direction in
            which the potential falls.
        effect: [posterior], as above. Both are upper bounds where no curvature is negative.
    """

    shift: NDArray[np.float64]
    effect: NDArray[np.float64]


def sliding(posteriors: Sequence[LocalPosterior], device: str = "auto") -> Sliding:
    """The shift and effect of the slope at w* of each posterior.

    Args:
        posteriors: Of equal shape.
        device: As for `sample`.
    """
    found = np.array([_known(posterior, device) for posterior in posteriors]).reshape(-1, 2)
    return Sliding(shift=found[:, 0], effect=found[:, 1])


def _known(posterior: LocalPosterior, device: str) -> tuple[float, float]:
    """Shift and effect, worked out once for each posterior: an estimate samples it many times."""
    found = _FOUND.setdefault(posterior, {})
    if device not in found:
        found[device] = _of(posterior, device)
    return found[device]


def _of(posterior: LocalPosterior, device: str) -> tuple[float, float]:
    gamma, slope = posterior.localization, posterior.slope
    if not math.isfinite(slope):
        return math.nan, math.nan
    if slope > _FLAT_ENOUGH * math.sqrt(gamma):
        return _by_conjugate_gradients(posterior, device)
    if gamma > 0:  # bounded by the flat direction's
        return slope / math.sqrt(gamma), slope**2 / gamma
    return 0.0, 0.0


def _by_conjugate_gradients(posterior: LocalPosterior, device: str) -> tuple[float, float]:
    """gᵀ(H + γ)⁻¹g = gᵀy + rᵀ(H + γ)⁻¹r, the last at most ‖r‖²/γ."""
    gamma = posterior.localization
    g = posterior.slope_gradient.double()
    y, r, p = torch.zeros_like(g), g.clone(), g.clone()
    with one_thread(), denormals_flushed():
        products = CurvatureProducts(posterior, device)
        for _ in range(_MOST_PRODUCTS):
            bent = products(p)
            held = float(p @ bent)
            if held <= 0:  # the potential falls on both sides, faster than the localisation rises
                return math.inf, math.inf
            length = float(r @ r) / held
            before = float(r @ r)
            y, r = y + length * p, r - length * bent
            if _left(r, gamma) <= _CLOSE * float(g @ y):
                break
            p = r + float(r @ r) / before * p
    left = _left(r, gamma)
    reached = float(g @ y)
    if not math.isfinite(left):
        left = 0.0  # without localisation nothing bounds it: what was found is a lower bound
    # Where no curvature is negative, no direction holds less than a flat one.
    left = min(left, max(0.0, float(g @ g) / gamma - reached)) if gamma > 0 else left
    return math.sqrt(reached + left), 0.5 * (reached + left) + 0.5 * (gamma * float(y @ y) + left)


def _left(residual: Tensor, gamma: float) -> float:
    """The most that gᵀy may still gain."""
    square = float(residual @ residual)
    return square / gamma if gamma > 0 else (math.inf if square > 0 else 0.0)
