"""The largest eigenvalues of a symmetric map known by its products, each with its copies."""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

from lambdascope.errors import LambdascopeError

SymmetricMap = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""[d] → [d]."""

EigenPairs = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Eigenvalues, [count], and their vectors, [count, d], orthonormal."""

_NARROWEST_BASIS = 200
# ‖Hv − λv‖ over λ where it is only asked whether anything is left: a Ritz value never exceeds the
# largest eigenvalue, so what it shows is there.
_SIGHT = 1e-3


def largest_eigenpairs(
    apply: SymmetricMap, size: int, count: int, tolerance: float, seed: int
) -> EigenPairs:
    """The `count` largest eigenvalues of a map, descending, as often as they are there.

    From one start Lanczos sees one direction of each eigenspace, and its copies by rounding alone.
    So what it found is taken out of the map, and the search goes on until nothing that is left
    exceeds the least of the values found.

    Args:
        apply: The map.
        size: d.
        count: How many, ≥ 1.
        tolerance: ‖Hv − λv‖ over |λ|.
        seed: Of the random starts.

    Raises:
        LambdascopeError: Lanczos does not resolve them.
    """
    values, vectors = _lanczos(apply, size, count, tolerance, seed)
    for start in itertools.count(seed + 1):
        # Below the least of them by its own size they are in nobody's way.
        rest = lowered(apply, vectors, values - values[-1] + abs(values[-1]))
        # Rounding and the vectors' own errors leave this much of what was taken out.
        noise = 10 * tolerance * float(np.abs(values).max())
        (left,), _ = _lanczos(rest, size, 1, _SIGHT, start)
        if left <= values[-1] + noise:
            break
        more, more_vectors = _lanczos(rest, size, count, tolerance, start)
        merged = np.concatenate([values, more])
        order = np.argsort(-merged, kind="stable")[:count]
        values, vectors = merged[order], np.concatenate([vectors, more_vectors])[order]
    return values, vectors


def lowered(
    apply: SymmetricMap, vectors: NDArray[np.float64], amounts: NDArray[np.float64]
) -> SymmetricMap:
    """A map with the eigenvalues of `vectors`, [count, d], lowered by `amounts`, [count]."""

    def below(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        return apply(vector) - vectors.T @ (amounts * (vectors @ vector))

    return below


def _lanczos(apply: SymmetricMap, size: int, count: int, tolerance: float, seed: int) -> EigenPairs:
    """What Lanczos finds from one start: `count` values, descending, and their vectors."""
    start = np.random.default_rng(seed).standard_normal(size)
    # For few eigenvalues a wider basis than SciPy's own choice: a restart costs more products than
    # it saves where the neighbours are close.
    width = min(size, max(2 * count + 1, _NARROWEST_BASIS))
    try:
        values, vectors = eigsh(
            LinearOperator((size, size), matvec=lambda v: apply(v.reshape(-1)), dtype=np.float64),
            k=count,
            which="LA",
            ncv=width,
            v0=start,
            tol=tolerance,
        )
    except ArpackNoConvergence as error:
        raise LambdascopeError(
            f"{len(error.eigenvalues)} of {count} eigenvalues came clear of their neighbours: "
            "ask for fewer at this end."
        ) from error
    except ArpackError as error:
        # A map that sends a random vector to 0 is 0, and any vectors are its own.
        if not np.any(apply(start)):
            return np.zeros(count), np.eye(count, size)
        raise LambdascopeError(
            f"Lanczos found fewer than {width} directions to search for {count} eigenvalues in, as "
            "where most of them are equal: ask for fewer at this end."
        ) from error
    order = np.argsort(-values)
    return values[order], vectors[:, order].T.copy()
