"""Deep linear networks: the learning coefficient of the model as a whole."""

from collections.abc import Sequence
from itertools import combinations

from lambdascope.theory.checks import whole, widths_of
from lambdascope.theory.coefficient import LearningCoefficient

_SOURCE = "Aoyagi 2024, multiple-layered networks with linear units"


def deep_linear_network(widths: Sequence[int], rank: int) -> LearningCoefficient:
    """λ of y = W_L … W_1 x + noise without biases, for a true map that the network can represent.

    With coranks m_i = H_i − r, S the ℓ+1 smallest of them, T = Σ_S m, M = ⌈T/ℓ⌉, a = T − (M−1)ℓ:

        λ = [r(H_0+H_L) − r²]/2 + a(ℓ−a)/(4ℓ) − (ℓ−1)T²/(4ℓ) + ½ Σ_{i<j in S} m_i m_j
        m = a(ℓ−a) + 1

    where ℓ is the largest k ≥ 1 up to which m_(1) + … + m_(k+1) ≥ k·m_(k+1) holds without a gap,
    the coranks in ascending order.

    Source: M. Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks
    with linear units", Neural Networks 172 (2024) 106132. This λ is the smallest over all true
    parameters; around a given one it is that of `deep_linear_network_at`.

    Args:
        widths: H_0 … H_L, inputs first.
        rank: r, rank of the true map, 0 … min H_i.

    Raises:
        LambdascopeError: for fewer than two widths, a width below 1, or an impossible rank.
    """
    sizes = widths_of(widths)
    r = whole("rank", rank, 0, min(sizes))
    coranks = sorted(size - r for size in sizes)
    layers = 1
    while (
        layers + 1 < len(coranks)
        and sum(coranks[: layers + 2]) >= (layers + 1) * (coranks[layers + 1])
    ):
        layers += 1
    chosen = coranks[: layers + 1]
    total = sum(chosen)
    a = total - (-(-total // layers) - 1) * layers
    regular = (r * (sizes[0] + sizes[-1]) - r * r) / 2
    pairs = sum(one * other for one, other in combinations(chosen, 2))
    singular = (a * (layers - a) - (layers - 1) * total**2) / (4 * layers) + pairs / 2
    return LearningCoefficient(regular + singular, a * (layers - a) + 1, _SOURCE)
