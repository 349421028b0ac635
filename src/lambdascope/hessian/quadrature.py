"""The spectral density of a large symmetric matrix by stochastic Lanczos quadrature.

From a random start v, Lanczos gives a small tridiagonal matrix whose eigenvalues θ_j, with the
squared first entries τ_j of its eigenvectors, are a Gauss quadrature of the spectrum as v sees it:

    v·f(H)·v  ≈  ‖v‖² Σ_j τ_j f(θ_j),     exact for polynomials f of degree below twice the steps

Averaged over starts of independent signs, the left side is tr f(H). Known eigenvectors are
projected out of the starts and enter exactly, which leaves the error of the rest alone.

Sources: Golub & Welsch 1969; Ubaru, Chen & Saad 2017, "Fast estimation of tr(f(A)) via stochastic
Lanczos quadrature"; the deflation as in Meyer et al. 2021, "Hutch++".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lambdascope.hessian.operator import HessianOperator


@dataclass(frozen=True)
class SpectralQuadrature:
    """Where the eigenvalues of a d × d matrix lie.

    Attributes:
        exact: [known], eigenvalues that count as one each.
        nodes: [probe, node], places of the others, as each random start saw them.
        weights: [probe, node], how many eigenvalues each node stands for.
    """

    exact: NDArray[np.float64]
    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]

    def trace_of(
        self, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> tuple[float, float]:
        """Tr f(H) and its standard error over probes.

        The error is 0 where every eigenvalue is known, NaN where there is one probe only.

        Args:
            function: f, applied element by element.
        """
        known = float(function(self.exact).sum())
        if not self.nodes.size:
            return known, 0.0
        probes = (self.weights * function(self.nodes)).sum(axis=1)
        count = len(probes)
        error = float(probes.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        return known + float(probes.mean()), error


def lanczos_quadrature(
    operator: HessianOperator,
    exact: NDArray[np.float64],
    vectors: Tensor,
    *,
    num_probes: int,
    num_steps: int,
    seed: int,
) -> SpectralQuadrature:
    """The quadrature, given some eigenpairs.

    Args:
        operator: H.
        exact: [known], eigenvalues.
        vectors: [known, d], their orthonormal eigenvectors.
        num_probes: Random starts, of independent signs.
        num_steps: Lanczos steps from each; all starts go in step.
        seed: Of the starts.
    """
    num_steps = min(num_steps, operator.size - len(exact))
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(2, (num_probes, operator.size), generator=generator)
    start = (2.0 * signs - 1.0).to(operator.device, operator.dtype)
    start -= start @ vectors.T @ vectors
    masses = start.norm(dim=1) ** 2
    basis = start.new_zeros(num_probes, num_steps + 1, operator.size)
    basis[:, 0] = start / masses.sqrt()[:, None]
    tridiagonal = start.new_zeros(num_probes, num_steps, num_steps)
    scale = start.new_zeros(num_probes)
    for step in range(num_steps):
        current = basis[:, step]
        product = operator @ current
        tridiagonal[:, step, step] = (product * current).sum(dim=1)
        # Twice, since one pass leaves a part of what rounding put in: without it, converged
        # eigenvalues come a second time.
        for _ in range(2):
            product = product - product @ vectors.T @ vectors
            seen = torch.einsum("pd,psd->ps", product, basis[:, : step + 1])
            product = product - torch.einsum("ps,psd->pd", seen, basis[:, : step + 1])
        length = product.norm(dim=1)
        scale = torch.maximum(scale, torch.maximum(length, tridiagonal[:, step, step].abs()))
        # What the start can reach is exhausted: the rest of its matrix stays zero, without weight.
        going = length > 1e-12 * scale
        length = torch.where(going, length, torch.zeros_like(length))
        basis[:, step + 1] = torch.where(
            going[:, None], product / length.clamp_min(1e-300)[:, None], 0
        )
        if step + 1 < num_steps:
            tridiagonal[:, step, step + 1] = tridiagonal[:, step + 1, step] = length
    nodes, states = torch.linalg.eigh(tridiagonal.cpu())
    weights = masses.cpu()[:, None] * states[:, 0, :] ** 2
    return SpectralQuadrature(exact, nodes.double().numpy(), weights.double().numpy())
