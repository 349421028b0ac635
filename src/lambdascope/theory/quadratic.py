"""Localised quadratics in closed form, with the factor that a finite SGLD step brings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.theory.checks import finite_array, real


def localized_quadratic(
    curvatures: Sequence[float] | NDArray[np.floating],
    nbeta: float,
    localization: float,
    step_size: float | None = None,
) -> float:
    """E[nβ K] of K = ½ Σ c_i (w_i − w*_i)² under exp(−nβ K − (γ/2)‖w − w*‖²).

        λ̂ = Σ ½ nβ c_i/(nβ c_i + γ)                   the posterior
        λ̂ = Σ ½ nβ c_i/(nβ c_i + γ) · 1/(1 − h_i/2)    full-batch SGLD, h_i = (ε/2)(nβ c_i + γ)

    The second: δ ← (1 − h)δ + √ε ξ has the stationary variance ε/(1 − (1−h)²) = (nβc + γ)⁻¹/(1 −
    h/2). A direction with c_i = 0 gives 0.

    Args:
        curvatures: c_i ≥ 0, eigenvalues of the Hessian of the loss, [direction], in
            loss/parameter².
        nbeta: nβ > 0, in 1/loss.
        localization: γ ≥ 0, in 1/parameter².
        step_size: ε of full-batch SGLD, in parameter²; None for the posterior itself.

    Returns:
        λ̂, dimensionless.

    Raises:
        LambdascopeError: for impossible numbers, or a step beyond stability (h_i ≥ 2).
    """
    c = finite_array("curvatures", curvatures, 1)
    nbeta = real("nbeta", nbeta, positive=True)
    localization = real("localization", localization, positive=False)
    if (c < 0).any():
        raise LambdascopeError(f"curvatures hold {c.min():g}: numbers ≥ 0 are accepted.")
    c = c[c > 0]  # a flat direction adds nothing, with or without localisation
    stiffness = nbeta * c + localization
    terms = 0.5 * nbeta * c / stiffness
    if step_size is None:
        return float(terms.sum())
    h = real("step_size", step_size, positive=True) / 2 * stiffness
    if (h >= 2).any():
        raise LambdascopeError(
            f"step_size={step_size!r}: SGLD diverges in the stiffest direction; a step below "
            f"{4 / stiffness.max():.3g} is accepted."
        )
    return float((terms / (1 - h / 2)).sum())
