"""Deep linear networks: the learning coefficient around one given true parameter.

Aoyagi's λ is that of the most singular true parameter, W* = 0 outside of the true map. Around
another one, with layers of higher rank, the fibre {W : W_L … W_1 = W*_L … W*_1} is smoother and λ
may be larger, and that is what a localised sampler reads.

Stratify the fibre by the ranks t_j of W_j … W_1 (t_0 = H_0, t_L = r). A stratum has codimension

    r(H_0 + H_L − r) + Σ_j (t_{j−1} − t_j)(H_j − t_j)

(choose W_1, then W_2 on the image of W_1, and so on), and W_j … W_{i+1} has there the generic rank
t_j + min_{i≤k≤j}(H_k − t_k). Orbits of tuples of matrices lie in each other's closure exactly as
their ranks compare (Abeasis & Del Fra 1985), so W* is in the closure of the stratum if and only if

    t_k − t_j ≤ H_k − rank(W*_j … W*_{k+1})    for all k < j.

In the drops s_j = t_{j−1} − t_j, with Σ s_j = H_0 − r, the sum is ½(H_0−r)² + Σ_j [s_j(H_j − H_0) +
½ s_j²]: separable, convex, under constraints on sums over intervals, whose matrix is totally
unimodular. So a linear programme over unit drops solves it exactly.

λ(W*) is at most half that codimension, for any ideal. Equality over the whole fibre is Aoyagi's
formula (Pepin Lehalleur & Rimányi 2024, arXiv 2411.19920); around a point it is certain where the
fibre is smooth, or where the global λ is reached; elsewhere it is unproved here, and `source`
says so.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from lambdascope.errors import LambdascopeError
from lambdascope.theory.checks import whole, widths_of
from lambdascope.theory.coefficient import LearningCoefficient
from lambdascope.theory.deep_linear import deep_linear_network

_CERTAIN = "half the codimension of the fibre at w* ({})"
_BOUND = "half the codimension of the fibre at w*, an upper bound (equality is not proved there)"


def generic_ranks(widths: Sequence[int], layer_ranks: Sequence[int]) -> NDArray[np.int64]:
    """Ranks of all products of consecutive layers that are otherwise drawn at random.

    Args:
        widths: H_0 … H_L.
        layer_ranks: Rank of each layer W_1 … W_L.

    Returns:
        [L+1, L+1], with rank(W_j … W_{i+1}) at [i, j] for i < j, and H_i at [i, i].

    Raises:
        LambdascopeError: for as many ranks as layers not given, or an impossible rank.
    """
    sizes = widths_of(widths)
    if len(layer_ranks) != len(sizes) - 1:
        raise LambdascopeError(
            f"layer_ranks={layer_ranks!r}: {len(sizes) - 1} ranks, one a layer, are accepted."
        )
    ranks = np.zeros((len(sizes), len(sizes)), dtype=np.int64)
    for i, size in enumerate(sizes):
        ranks[i, i] = size
        for j in range(i + 1, len(sizes)):
            own = whole(f"layer_ranks[{j - 1}]", layer_ranks[j - 1], 0, min(sizes[j - 1], sizes[j]))
            ranks[i, j] = min(ranks[i, j - 1], own)
    return ranks


def deep_linear_network_at(
    widths: Sequence[int], ranks: NDArray[np.integer]
) -> LearningCoefficient:
    """λ around a true parameter W* of y = W_L … W_1 x + noise (derived at the top of this file).

    Args:
        widths: H_0 … H_L, inputs first.
        ranks: [L+1, L+1], rank(W*_j … W*_{i+1}) at [i, j] for i < j; the rest is not read.
            `generic_ranks` gives them for layers drawn at random.

    Returns:
        λ. The multiplicity is 1 where the fibre is smooth; elsewhere it is Aoyagi's where λ is
        (more components may meet at the most singular point than at W*), and else not known, and 1
        stands for it.

    Raises:
        LambdascopeError: for widths or ranks that no network has.
    """
    sizes = widths_of(widths)
    count = len(sizes)
    if np.shape(ranks) != (count, count):
        raise LambdascopeError(
            f"ranks has shape {list(np.shape(ranks))}: {[count, count]} is accepted."
        )
    for i in range(count):
        for j in range(i + 1, count):
            whole(f"ranks[{i}, {j}]", ranks[i, j].item(), 0, min(sizes[i : j + 1]))
    rank = int(ranks[0, -1])
    codimension = rank * (sizes[0] + sizes[-1] - rank) + _fewest_conditions(sizes, ranks)
    if codimension == _differential_rank(sizes, ranks):
        return LearningCoefficient(codimension / 2, 1, _CERTAIN.format("smooth there"))
    everywhere = deep_linear_network(sizes, rank)
    if codimension == 2 * everywhere.llc:
        source = _CERTAIN.format("equal to Aoyagi 2024")
        return LearningCoefficient(codimension / 2, everywhere.multiplicity, source)
    return LearningCoefficient(codimension / 2, 1, _BOUND)


def _fewest_conditions(sizes: tuple[int, ...], ranks: NDArray[np.integer]) -> int:
    """The least Σ_j (t_{j−1} − t_j)(H_j − t_j) over the strata whose closure holds W*."""
    drop = sizes[0] - int(ranks[0, -1])
    layers = len(sizes) - 1
    # One variable in [0, 1] a unit of drop at a layer; the u-th unit costs H_j − H_0 + u − ½.
    units = [(j, u) for j in range(1, layers + 1) for u in range(1, drop + 1)]
    if not units:
        return 0
    layer_of = np.array([j for j, _ in units])
    costs = np.array([sizes[j] - sizes[0] + u - 0.5 for j, u in units])
    pairs = [(k, j) for k in range(layers) for j in range(k + 1, layers + 1)]
    limits = np.array([sizes[k] - int(ranks[k, j]) for k, j in pairs])
    inside = np.array([(layer_of > k) & (layer_of <= j) for k, j in pairs], dtype=np.float64)
    found = linprog(
        costs,
        A_ub=inside,
        b_ub=limits,
        A_eq=np.ones((1, len(units))),
        b_eq=[drop],
        bounds=(0, 1),
        method="highs-ds",
    )
    assert found.success, found.message  # s_j = the drops of W* itself are feasible
    return round(drop**2 / 2 + found.fun)


def _differential_rank(sizes: tuple[int, ...], ranks: NDArray[np.integer]) -> int:
    """Rank of the differential of W ↦ W_L … W_1 at W*: dim Σ_l im(W_L…W_{l+1}) ⊗ row(W_{l−1}…W_1).

    The images grow with l and the row spaces shrink, so the sum is a staircase.
    """
    last = len(sizes) - 1
    images = [0, *(int(ranks[layer, last]) for layer in range(1, last)), sizes[-1]]
    rows = [sizes[0], *(int(ranks[0, layer]) for layer in range(1, last))]
    return sum((images[i + 1] - images[i]) * rows[i] for i in range(last))
