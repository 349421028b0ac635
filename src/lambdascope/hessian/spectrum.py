"""Both ends of the Hessian's spectrum, its density and its trace."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from lambdascope.errors import LambdascopeError
from lambdascope.hessian.operator import HessianOperator
from lambdascope.hessian.quadrature import SpectralQuadrature, lanczos_quadrature

# Up to here the matrix itself is quicker than Lanczos, and exact.
_DENSE_BY_CHOICE = 600
# Beyond, the matrix would take more than 2 GB in float64.
_DENSE_AT_MOST = 16_000
# ‖Hv − λv‖ of an eigenpair, relative to its eigenvalue at the upper end and to the largest one at
# the lower end, where neighbours are close and convergence is slow. The eigenvalue's own error is
# of the order of its square.
_UPPER_TOLERANCE, _LOWER_TOLERANCE = 1e-7, 1e-5


@dataclass(frozen=True)
class HessianSpectrum:
    """The spectrum of a Hessian, as far as it was asked for.

    Attributes:
        num_parameters: d, the number of directions.
        largest: [rank], descending, in loss/parameter².
        largest_residual: [rank], ‖Hv − λv‖: an eigenvalue lies within this of each.
        smallest: [rank], ascending, most negative first.
        smallest_residual: [rank], likewise.
        quadrature: Where all d eigenvalues lie.
        trace: tr H, in loss/parameter².
        trace_stderr: Its standard error; 0 if the whole spectrum is known.
    """

    num_parameters: int
    largest: NDArray[np.float64]
    largest_residual: NDArray[np.float64] = field(repr=False)
    smallest: NDArray[np.float64]
    smallest_residual: NDArray[np.float64] = field(repr=False)
    quadrature: SpectralQuadrature = field(repr=False)
    trace: float
    trace_stderr: float

    def effective_dimension(self, ratio: float) -> tuple[float, float]:
        """½ Σ λ_i/(λ_i + γ/nβ) and its standard error: λ̂ if the loss were its quadratic part.

        For a quadratic loss around its minimum this is λ̂ under localisation, exactly (the mean
        excess loss of a Gaussian of precision nβ·λ_i + γ in each direction). Directions of negative
        curvature count as zero.

        Args:
            ratio: γ/nβ > 0, in loss/parameter².

        Raises:
            LambdascopeError: for a ratio that is not positive.
        """
        if not ratio > 0:
            raise LambdascopeError(
                f"ratio={ratio!r}: γ/nβ > 0 is accepted (without localisation every direction "
                "counts one half, whatever its curvature)."
            )
        value, error = self.quadrature.trace_of(lambda x: np.maximum(x, 0) / (abs(x) + ratio))
        return value / 2, error / 2


def hessian_spectrum(
    operator: HessianOperator,
    *,
    num_largest: int = 200,
    num_smallest: int = 5,
    num_probes: int = 8,
    num_lanczos_steps: int = 40,
    seed: int = 0,
) -> HessianSpectrum:
    """Both ends of a spectrum by Lanczos, the rest by stochastic Lanczos quadrature.

    Where there are no more than 600 directions, or as many eigenvalues are asked for as there are
    (or more), the matrix is formed and the whole spectrum computed: then all of it is exact, and
    no more than d eigenvalues are returned.

    Args:
        operator: The Hessian.
        num_largest: Eigenvalues from the upper end, ≥ 1.
        num_smallest: Eigenvalues from the lower end, ≥ 0. In a network most lie close to zero, so
            many of them take long: `smallest_residual` says how well they are known.
        num_probes: Random starts for density and trace, ≥ 2: their spread is the error.
        num_lanczos_steps: Products from each start, ≥ 2; after the ends are taken out, the rest is
            narrow and few steps resolve it.
        seed: Of the random starts.

    Raises:
        LambdascopeError: for a count below its least, a matrix too large to form, or eigenvalues
            that Lanczos does not resolve.
    """
    for name, value, least in (
        ("num_largest", num_largest, 1),
        ("num_smallest", num_smallest, 0),
        ("num_probes", num_probes, 2),
        ("num_lanczos_steps", num_lanczos_steps, 2),
    ):
        if value < least:
            raise LambdascopeError(f"{name}={value!r}: a whole number ≥ {least} is accepted.")
    size = operator.size
    if size <= _DENSE_BY_CHOICE or num_largest + num_smallest >= size:
        return _dense(operator, num_largest, num_smallest)
    upper, upper_vectors = _end(operator, num_largest, sign=1.0, shift=0.0, seed=seed)
    exact, vectors = upper, upper_vectors
    lower = np.empty(0)
    if num_smallest:
        # Turned around and moved, so that the wanted end is the largest one in size and tolerances
        # are relative to the whole spectrum.
        lower, lower_vectors = _end(
            operator, num_smallest, sign=-1.0, shift=abs(float(upper[0])), seed=seed
        )
        exact = np.concatenate([upper, lower])
        vectors = np.concatenate([upper_vectors, lower_vectors])
    basis = torch.from_numpy(vectors).to(operator.device, operator.dtype)
    applied = (operator @ basis).cpu().double().numpy()
    residual = np.linalg.norm(applied - exact[:, None] * vectors, axis=1)
    quadrature = lanczos_quadrature(
        operator,
        exact,
        # The ends were found one after the other: orthonormal to the solver's tolerance each.
        torch.linalg.qr(basis.T).Q.T,
        num_probes=num_probes,
        num_steps=num_lanczos_steps,
        seed=seed,
    )
    trace, trace_stderr = quadrature.trace_of(lambda x: x)
    count = len(upper)
    return HessianSpectrum(
        size, upper, residual[:count], lower, residual[count:], quadrature, trace, trace_stderr
    )


def _dense(operator: HessianOperator, num_largest: int, num_smallest: int) -> HessianSpectrum:
    size = operator.size
    if size > _DENSE_AT_MOST:
        raise LambdascopeError(
            f"num_largest={num_largest} and num_smallest={num_smallest} make up the whole spectrum "
            f"of {size} parameters, which needs the matrix itself: up to {_DENSE_AT_MOST} "
            "parameters are accepted for that; ask for fewer eigenvalues."
        )
    values = torch.linalg.eigvalsh(operator.dense()).cpu().double().numpy()
    quadrature = SpectralQuadrature(values, np.empty((0, 0)), np.empty((0, 0)))
    upper, lower = values[::-1][:num_largest], values[:num_smallest]
    # The error of a dense solver is of the order of the rounding of the largest eigenvalue.
    rounding = size * torch.finfo(operator.dtype).eps * float(np.abs(values).max())
    return HessianSpectrum(
        size,
        upper.copy(),
        np.full(len(upper), rounding),
        lower.copy(),
        np.full(len(lower), rounding),
        quadrature,
        float(values.sum()),
        0.0,
    )


def _end(
    operator: HessianOperator, count: int, *, sign: float, shift: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`count` eigenpairs of H from the end where sign·λ is largest, beginning there.

    Returns:
        [count] and [count, d].
    """

    def apply(vector: NDArray[Any]) -> NDArray[np.float64]:
        point = torch.from_numpy(vector.reshape(1, -1)).to(operator.device, operator.dtype)
        product = (operator @ point)[0].cpu().double().numpy()
        return sign * product + shift * vector.reshape(-1)

    size = operator.size
    start = np.random.default_rng(seed).standard_normal(size)
    # For few eigenvalues a wider basis than SciPy's own choice: a restart costs more products than
    # it saves where the neighbours are close.
    width = min(size, max(2 * count + 1, 200))
    try:
        values, vectors = eigsh(
            LinearOperator((size, size), matvec=apply, dtype=np.float64),
            k=count,
            which="LA",
            ncv=width,
            v0=start,
            tol=_UPPER_TOLERANCE if sign > 0 else _LOWER_TOLERANCE,
        )
    except ArpackNoConvergence as error:
        raise LambdascopeError(
            f"{len(error.eigenvalues)} of {count} eigenvalues came clear of their neighbours: "
            "ask for fewer at this end."
        ) from error
    order = np.argsort(-values)
    return sign * (values[order] - shift), vectors[:, order].T.copy()
