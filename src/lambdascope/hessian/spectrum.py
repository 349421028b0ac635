"""Both ends of the Hessian's spectrum, its density and its trace."""

import contextlib
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.hessian.eigenpairs import EigenPairs, largest_eigenpairs, lowered
from lambdascope.hessian.operator import HessianOperator
from lambdascope.hessian.quadrature import SpectralQuadrature, lanczos_quadrature
from lambdascope.threads import one_thread_everywhere

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

        The error holds the scatter of the random starts and what their nodes do not resolve
        (`SpectralQuadrature.resolution_of`), which is most of it where γ/nβ is small beside their
        distance: more Lanczos steps help there.

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

        def share(places: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.maximum(places, 0) / (abs(places) + ratio)

        value, error = self.quadrature.trace_of(share)
        return value / 2, math.hypot(error, self.quadrature.resolution_of(share)) / 2


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

    Where there are no more than 600 directions, or as many eigenvalues are asked for as there are,
    the matrix is formed and the whole spectrum computed: then all of it is exact. Of no more than
    600 directions all are returned where more are asked for; of more directions that is refused.

    Args:
        operator: The Hessian.
        num_largest: Eigenvalues from the upper end, ≥ 1.
        num_smallest: Eigenvalues from the lower end, ≥ 0. In a network most lie close to zero, so
            many of them take long: `smallest_residual` says how well they are known.
        num_probes: Random starts for density and trace, ≥ 2: their spread is the standard error.
        num_lanczos_steps: Products from each start, ≥ 2; after the ends are taken out, the rest is
            narrow, and few steps give its trace. The density close to zero takes more: the nodes
            lie about 1/steps of what is left apart, which no standard error says, but
            `SpectralQuadrature.spacing` and the resolution of its `histogram` do.
        seed: Of the random starts.

    Raises:
        LambdascopeError: for a count below its least, or above d, a matrix too large to form, or
            eigenvalues that Lanczos does not resolve.
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
    check_counts(size, num_largest, num_smallest)
    if size <= _DENSE_BY_CHOICE or num_largest + num_smallest >= size:
        return _dense(operator, num_largest, num_smallest)
    with _threads_for(operator):
        return _by_lanczos(
            operator,
            num_largest,
            num_smallest,
            num_probes=num_probes,
            num_lanczos_steps=num_lanczos_steps,
            seed=seed,
        )


def check_counts(
    size: int,
    num_largest: int,
    num_smallest: int,
    names: tuple[str, str] = ("num_largest", "num_smallest"),
) -> None:
    """Refuse more eigenvalues than a matrix of so many directions has, unless it is a small one.

    Args:
        size: Directions.
        num_largest: Eigenvalues wanted from the upper end.
        num_smallest: And from the lower.
        names: What the caller calls them.

    Raises:
        LambdascopeError: Names the count.
    """
    for name, value in zip(names, (num_largest, num_smallest), strict=True):
        if value > size > _DENSE_BY_CHOICE:
            raise LambdascopeError(
                f"{name}={value}: the matrix has {size:,} eigenvalues, one a parameter; up to that "
                "many are accepted."
            )


def _threads_for(operator: HessianOperator) -> contextlib.AbstractContextManager[None]:
    """The threads on which many products of an operator are fastest."""
    if operator.is_fastest_on_one_thread:
        return one_thread_everywhere()
    return contextlib.nullcontext()


def _by_lanczos(
    operator: HessianOperator,
    num_largest: int,
    num_smallest: int,
    *,
    num_probes: int,
    num_lanczos_steps: int,
    seed: int,
) -> HessianSpectrum:
    size = operator.size
    upper, upper_vectors = _upper_end(operator, num_largest, seed)
    exact, vectors = upper, upper_vectors
    lower = np.empty(0)
    if num_smallest:
        lower, lower_vectors = _lower_end(operator, num_smallest, upper, upper_vectors, seed)
        exact = np.concatenate([upper, lower])
        vectors = np.concatenate([upper_vectors, lower_vectors])
    basis = torch.from_numpy(vectors).to(operator.device, operator.dtype)
    applied = (operator @ basis).cpu().double().numpy()
    residual = np.linalg.norm(applied - exact[:, None] * vectors, axis=1)
    # Eigenvalues that gather at the lower end, closer than the solver's tolerance, may lie below
    # those that it found; twice, since what it found lies within it too.
    known_to = max(_LOWER_TOLERANCE * abs(float(upper[0])), residual[len(upper) :].max(initial=0.0))
    least = float(lower.max(initial=-np.inf)) - 2 * known_to
    quadrature = lanczos_quadrature(
        operator,
        exact,
        # The ends were found one after the other: orthonormal to the solver's tolerance each.
        torch.linalg.qr(basis.T).Q.T,
        num_probes=num_probes,
        num_steps=num_lanczos_steps,
        seed=seed,
        span=(least, float(upper.min())),
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
    with _threads_for(operator):
        matrix = operator.dense()
    values = torch.linalg.eigvalsh(matrix).cpu().double().numpy()
    quadrature = SpectralQuadrature(values, np.empty((0, 0)), np.empty((0, 0)), (0.0, 0.0))
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


def _upper_end(operator: HessianOperator, count: int, seed: int) -> EigenPairs:
    """The `count` largest eigenvalues, [count], descending, and their vectors, [count, d]."""
    return largest_eigenpairs(
        lambda vector: _product(operator, vector), operator.size, count, _UPPER_TOLERANCE, seed
    )


def _lower_end(
    operator: HessianOperator,
    count: int,
    upper: NDArray[np.float64],
    upper_vectors: NDArray[np.float64],
    seed: int,
) -> EigenPairs:
    """The `count` smallest eigenvalues, [count], ascending, and their vectors, [count, d].

    The largest ones are first lowered to the least of them: what is left is narrow, so that
    neighbours at the lower end lie far apart beside its width, and Lanczos finds them in a fraction
    of the products.
    """
    # Moved, so that tolerances are relative to the whole spectrum.
    shift = abs(float(upper[0]))
    narrow = lowered(lambda vector: _product(operator, vector), upper_vectors, upper - upper[-1])
    values, vectors = largest_eigenpairs(
        lambda vector: shift * vector - narrow(vector),
        operator.size,
        count,
        _LOWER_TOLERANCE,
        seed,
    )
    return shift - values, vectors


def _product(operator: HessianOperator, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    point = torch.from_numpy(vector.reshape(1, -1)).to(operator.device, operator.dtype)
    return (operator @ point)[0].cpu().double().numpy()
