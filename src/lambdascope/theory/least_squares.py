"""Minibatch SGLD on least squares, exactly: step, minibatches and noise that depends on the state.

With L(w) = ½ mean_i ‖y_i − W x_i‖², each row of W moves by itself:

    δ ← M δ + b + √ε ξ,    M = (1 − (ε/2)γ) I − (ε/2) nβ A,    b = (ε/2) nβ r,

where A and r are the means over the minibatch of x xᵀ and of x·residual, drawn afresh with
replacement. Both are random together, so the gradient noise depends on δ; nothing is approximated:
for a mean of m draws, E[f g] = (1/m) mean_i f_i g_i + (1 − 1/m) mean f · mean g. Mean and second
moment of δ solve linear equations (a discrete Lyapunov equation with multiplicative noise).
Mandt, Hoffman & Blei 2017 ("Stochastic gradient descent as approximate Bayesian inference") treat
the case of constant noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.theory.checks import finite_array, real, whole

# The equations for second moments are d² × d²: half a GiB at this d.
_MOST_INPUTS = 90


@dataclass(frozen=True)
class StationarySGLD:
    """Where minibatch SGLD settles.

    Attributes:
        llc: λ̂ = nβ (E[L] − L(w*)), dimensionless, summed over outputs.
        mean: [output, input], E[W] − W*, in parameter units.
        second_moment: [output, input, input], E[δ δᵀ] of each row, in parameter².
    """

    llc: float
    mean: NDArray[np.float64]
    second_moment: NDArray[np.float64]


def sgld_on_least_squares(
    inputs: NDArray[np.floating],
    residuals: NDArray[np.floating],
    *,
    nbeta: float,
    localization: float,
    step_size: float,
    batch_size: int | None,
) -> StationarySGLD:
    """The stationary state of SGLD on a linear model with squared loss.

    Args:
        inputs: x, [sample, input].
        residuals: y − W* x, [sample, output].
        nbeta: nβ > 0, in 1/loss. For the loss of a Gaussian with noise σ give nβ/σ².
        localization: γ ≥ 0, in 1/parameter².
        step_size: ε > 0, in parameter².
        batch_size: m, drawn with replacement; None for all data, exactly.

    Raises:
        LambdascopeError: for impossible numbers or shapes, more than 90 inputs, or a step at which
            the second moment grows without bound.
    """
    x, e = finite_array("inputs", inputs, 2), finite_array("residuals", residuals, 2)
    if len(x) != len(e):
        raise LambdascopeError(
            f"inputs hold {len(x)} samples and residuals {len(e)}: the same number is accepted."
        )
    n, d = x.shape
    if d > _MOST_INPUTS:
        raise LambdascopeError(f"inputs have {d} columns: up to {_MOST_INPUTS} are accepted.")
    nbeta = real("nbeta", nbeta, positive=True)
    localization = real("localization", localization, positive=False)
    step_size = real("step_size", step_size, positive=True)
    share = 0.0 if batch_size is None else 1 / whole("batch_size", batch_size, 1)

    pull, eye = step_size / 2 * nbeta, np.eye(d)
    keep = 1 - step_size / 2 * localization
    a = x.T @ x / n
    m = keep * eye - pull * a
    # E[M ⊗ M], from the fourth moments of x. (Rows of `squares` are x xᵀ, flattened.)
    squares = np.einsum("ni,nj->nij", x, x).reshape(n, d * d)
    fourth = (squares.T @ squares / n).reshape(d, d, d, d)  # [i, k, j, l]: x_i x_k x_j x_l
    scatter = fourth.transpose(0, 2, 1, 3).reshape(d * d, d * d) - np.kron(a, a)
    moved = np.kron(m, m) + share * pull**2 * scatter
    if np.abs(np.linalg.eigvals(moved)).max() >= 1:
        raise LambdascopeError(
            f"step_size={step_size!r} with batch_size={batch_size!r}: the second moment of the "
            "chain grows without bound; a smaller step or a larger batch is accepted."
        )
    means, seconds, llc = [], [], 0.0
    for residual in e.T:
        r = x * residual[:, None]
        force = r.mean(axis=0)
        mu = np.linalg.solve(eye - m, pull * force)
        # E[A μ rᵀ] less the product of the means: the noise of drift and of force are one.
        joint = np.einsum("ni,n,nj->ij", x, x @ mu, r) / n - np.outer(a @ mu, force)
        cross = pull * np.outer(m @ mu, force) - share * pull**2 * joint
        spread = r.T @ r / n - np.outer(force, force)
        noise = step_size * eye + pull**2 * (share * spread + np.outer(force, force))
        source = noise + cross + cross.T
        second = np.linalg.solve(np.eye(d * d) - moved, source.reshape(-1)).reshape(d, d)
        llc += nbeta * float(0.5 * np.trace(a @ second) - force @ mu)
        means.append(mu)
        seconds.append(second)
    return StationarySGLD(llc, np.stack(means), np.stack(seconds))
