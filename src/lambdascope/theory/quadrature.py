"""What the posterior gives at finite n, by quadrature in one and two dimensions.

    λ̂ = nβ (E[K] − K(w*)),    E under exp(−nβ K(w) − (γ/2)‖w − w*‖²)

Around a singular point every scale matters, from the width of the posterior across a valley to the
reach of its arms. So each half-axis is cut into panels whose width grows geometrically from w*
outwards, with Gauss-Legendre nodes in each; the result is taken when twice as many nodes agree.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.theory.checks import real

Array = NDArray[np.float64]

# Outside, the density is below e⁻⁵⁰ of its value at w*.
_NEGLIGIBLE = 50.0
_FARTHEST = 2.0**40
_NODES = 12
_RTOL = 1e-8


def localized_llc_1d(
    potential: Callable[[Array], Array],
    nbeta: float,
    localization: float,
    w_star: float = 0.0,
) -> float:
    """λ̂ of a potential of one parameter, exactly.

    Args:
        potential: K, vectorised, in units of loss, smooth on either side of w*; its features lie
            around w*.
        nbeta: nβ > 0, in 1/loss.
        localization: γ ≥ 0, in 1/parameter².
        w_star: w*.

    Returns:
        λ̂, dimensionless.

    Raises:
        LambdascopeError: for impossible numbers, a posterior without end, or a potential that
            quadrature cannot resolve to 10⁻⁸.
    """
    return _localized_llc(lambda x: potential(x[0]), nbeta, localization, [w_star])


def localized_llc_2d(
    potential: Callable[[Array, Array], Array],
    nbeta: float,
    localization: float,
    w_star: Sequence[float] = (0.0, 0.0),
) -> float:
    """λ̂ of a potential of two parameters, exactly; arguments as in `localized_llc_1d`.

    Raises:
        LambdascopeError: as in one dimension.
    """
    return _localized_llc(lambda w: potential(w[0], w[1]), nbeta, localization, list(w_star))


def localized_llc_of_three_squares(nbeta: float, localization: float, coefficient: float) -> float:
    """λ̂ of K = c x²y²z² around the origin, exactly; multiplicity 3.

    z is integrated out by hand: given s = nβ c x²y², it is normal with precision 2s + γ, so that
    E[nβK | x, y] = s/(2s + γ), and (x, y) has the density exp(−γ(x² + y²)/2)/√(2s + γ).

    Args:
        nbeta: nβ > 0, in 1/loss.
        localization: γ > 0, in 1/parameter².
        coefficient: c > 0, in loss/parameter⁶.

    Raises:
        LambdascopeError: for impossible numbers; without localisation the posterior is endless.
    """
    scale = real("nbeta", nbeta, positive=True) * real("coefficient", coefficient, positive=True)
    gamma = real("localization", localization, positive=True)

    def excess(offsets: list[Array]) -> Array:
        s = scale * offsets[0] ** 2 * offsets[1] ** 2
        return s / (2 * s + gamma)

    def energy(offsets: list[Array]) -> Array:
        s = scale * offsets[0] ** 2 * offsets[1] ** 2
        squares = offsets[0] ** 2 + offsets[1] ** 2
        return gamma / 2 * squares + np.log1p(2 * s / gamma) / 2

    return _converged(excess, energy, 2)


def _localized_llc(
    potential: Callable[[list[Array]], Array], nbeta: float, localization: float, w_star: list
) -> float:
    nbeta = real("nbeta", nbeta, positive=True)
    localization = real("localization", localization, positive=False)
    start = float(potential([np.array(one) for one in w_star]))

    def excess(offsets: list[Array]) -> Array:
        return nbeta * (potential([w + o for w, o in zip(w_star, offsets, strict=True)]) - start)

    def energy(offsets: list[Array]) -> Array:
        return excess(offsets) + localization / 2 * sum(o**2 for o in offsets)

    return _converged(excess, energy, len(w_star))


def _converged(
    excess: Callable[[list[Array]], Array], energy: Callable[[list[Array]], Array], dimension: int
) -> float:
    """E[excess] under exp(−energy), both as functions of the offset from w*."""
    reach = _reach(energy, dimension)
    coarse, fine = (_mean(excess, energy, dimension, reach, n) for n in (_NODES, 2 * _NODES))
    if not abs(fine - coarse) <= _RTOL * abs(fine):
        raise LambdascopeError(
            f"potential: quadrature gives {coarse:.10g} and, with twice the nodes, {fine:.10g}; a "
            "potential whose features lie around w_star is accepted."
        )
    return fine


def _reach(energy: Callable[[list[Array]], Array], dimension: int) -> float:
    """Half the edge of the cube outside of which the density is negligible."""
    reach = 2.0**-20
    side = np.concatenate([[0.0], np.geomspace(1e-12, 1, 200)])
    side = np.concatenate([-side[:0:-1], side])
    while reach <= _FARTHEST:
        if dimension == 1:
            faces = [[np.array([-reach, reach])]]
        else:
            edge = np.full_like(side, reach)
            faces = [[s * edge, reach * side] for s in (-1, 1)]
            faces += [[reach * side, s * edge] for s in (-1, 1)]
        if all((energy(face) > _NEGLIGIBLE).all() for face in faces):
            return reach
        reach *= 2**0.25
    raise LambdascopeError(
        "potential: its posterior reaches beyond all bounds; a localization > 0 makes it finite."
    )


def _mean(
    excess: Callable[[list[Array]], Array],
    energy: Callable[[list[Array]], Array],
    dimension: int,
    reach: float,
    nodes: int,
) -> float:
    points, weights = _axis(reach, nodes)
    if dimension == 1:
        grid, volume = [points], weights
    else:
        grid = [points[:, None], points[None, :]]
        volume = weights[:, None] * weights[None, :]
    height = energy(grid)
    density = volume * np.exp(-(height - height.min()))
    return float((density * excess(grid)).sum() / density.sum())


def _axis(reach: float, nodes: int) -> tuple[Array, Array]:
    """Nodes and weights on (−reach, reach), denser towards 0, [point]."""
    octaves = np.concatenate([np.arange(-32.0, -10.0), np.arange(-10.0, 0.25, 0.5)])
    edges = reach * np.concatenate([[0.0], 2.0**octaves])
    x, w = np.polynomial.legendre.leggauss(nodes)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    points = (middle[:, None] + half[:, None] * x).ravel()
    weights = (half[:, None] * w).ravel()
    return np.concatenate([-points[::-1], points]), np.concatenate([weights[::-1], weights])
