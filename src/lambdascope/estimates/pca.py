"""Principal components of points along chains, of one chain or of several together."""

from dataclasses import dataclass

import numpy as np

from lambdascope.errors import LambdascopeError


@dataclass(frozen=True)
class PrincipalComponents:
    """Where points lie along the directions in which they vary most.

    Attributes:
        coordinates: [..., component], points as given, in parameter units.
        explained: [component], share of the variance along each, largest first.
        directions: [component, param], of length 1; of either sign, the largest entry positive.
        mean: [param], the origin.
    """

    coordinates: np.ndarray
    explained: np.ndarray
    directions: np.ndarray
    mean: np.ndarray


def principal_components(points: np.ndarray, num_components: int = 2) -> PrincipalComponents:
    """Principal components of points, all of them together.

    For a joint picture of several chains, give them as one array: mean and directions are then
    those of all their points. A random walk, too, leaves few components with most of the variance,
    and draws smooth arcs in them: a curve alone is no structure.

    Computed in float64 from the eigenvectors of the points' Gram matrix, or of their covariance,
    whichever is smaller; takes one copy of the points in float64 and that matrix once. Components
    whose variance is under 1e-12 of the largest are zero.

    Args:
        points: [..., param], for instance [chain, draw, param]; at least two, in parameter units.
        num_components: how many.

    Raises:
        LambdascopeError: there are fewer points or parameters than components ask for, or a point
            is not finite (a chain that diverged: leave it out).
    """
    num_points, num_parameters = points.size // points.shape[-1], points.shape[-1]
    most = min(num_points - 1, num_parameters)
    if not 1 <= num_components <= most:
        raise LambdascopeError(
            f"num_components={num_components}: {num_points} points of {num_parameters} "
            f"parameters have {'1 to ' if most > 1 else ''}{max(most, 0)} components."
        )
    if not np.isfinite(points).all():
        raise LambdascopeError(
            "points hold NaN or infinity: leave out the chains that diverged (and keep weights "
            "above 65,504 in float32)."
        )
    # One copy, centred in place.
    centred = np.array(points, np.float64).reshape(num_points, num_parameters)
    mean = centred.mean(axis=0)
    centred -= mean
    total = float(np.vdot(centred, centred))
    if num_points < num_parameters:
        variances, vectors = _largest(centred @ centred.T, num_components)
        raw = vectors.T @ centred
    else:
        variances, vectors = _largest(centred.T @ centred, num_components)
        raw = vectors.T
    there = variances > 1e-12 * max(variances[0], np.finfo(float).tiny)
    lengths = np.where(there, np.linalg.norm(raw, axis=1), 1.0)
    directions = np.where(there[:, None], raw / lengths[:, None], 0.0)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.where(directions[np.arange(num_components), largest] < 0, -1.0, 1.0)
    directions = directions * signs[:, None]
    return PrincipalComponents(
        coordinates=(centred @ directions.T).reshape(*points.shape[:-1], num_components),
        explained=np.where(there, variances, 0.0) / (total or 1.0),
        directions=directions,
        mean=mean,
    )


def _largest(symmetric: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues, from the largest down, and their vectors; works in the matrix."""
    from scipy.linalg import eigh

    size = len(symmetric)
    values, vectors = eigh(
        symmetric.T, subset_by_index=[size - count, size - 1], overwrite_a=True, check_finite=False
    )
    return values[::-1].clip(min=0), vectors[:, ::-1]
