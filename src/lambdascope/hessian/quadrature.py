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

    def histogram(
        self, edges: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How many eigenvalues lie in each bin, and the standard errors over probes.

        Known eigenvalues count where they are. A node stands for all between it and the next ones,
        not for eigenvalues at its place: each is spread by a Gaussian whose standard deviation is a
        quarter of the distance between the nodes on either side (at an end, half of that to the
        next), which makes an even row of them level to 1.5 %.

        Args:
            edges: [bin + 1], rising, in the matrix's units. The outer bins take what is beyond.

        Returns:
            Counts [bin] and their standard errors [bin], 0 where every eigenvalue is known and NaN
            where there is one probe only. The counts add up to d.
        """
        open_edges = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
        known = np.diff(np.searchsorted(np.sort(self.exact), open_edges)).astype(float)
        if not self.nodes.size:
            return known, np.zeros_like(known)
        probes = np.stack(
            [
                np.diff(_spread(nodes[held > 0], held[held > 0], open_edges))
                for nodes, held in zip(self.nodes, self.weights, strict=True)
            ]
        )
        count = len(probes)
        errors = (
            probes.std(axis=0, ddof=1) / math.sqrt(count)
            if count > 1
            else np.full_like(known, math.nan)
        )
        return known + probes.mean(axis=0), errors


def _spread(
    nodes: NDArray[np.float64], weights: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weight below each edge, of rising nodes that are spread as `histogram` says."""
    gaps = np.diff(nodes)
    # The end nodes have a neighbour on one side only; a single one has none, and stays a point.
    widths = (np.append(gaps, gaps[-1:]) + np.append(gaps[:1], gaps)) / 4 if len(gaps) else 0.0
    away = (edges[:, None] - nodes) / np.maximum(widths, 1e-300)
    below = torch.special.ndtr(torch.from_numpy(away)).numpy()
    return np.asarray(below @ weights)


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
