"""An independent way to λ of deep linear networks: half the codimension of the fibre.

    2λ = r(H_0 + H_L − r) + min over m_0 ≥ t_1 ≥ … ≥ t_L = 0 of Σ_j (t_{j−1} − t_j)(m_j − t_j)

with t_0 = m_0 and m_i = H_i − r: dynamic programming over the rank t_j of the first j layers.
"""

from itertools import product


def twice_the_coefficient(widths, rank):
    coranks = [width - rank for width in widths]
    best = {coranks[0]: 0}
    for j, corank in enumerate(coranks[1:], start=1):
        last = j == len(coranks) - 1
        best = {
            t: min(cost + (s - t) * (corank - t) for s, cost in best.items() if s >= t)
            for t in ([0] if last else range(min(corank, max(best)) + 1))
        }
    return rank * (widths[0] + widths[-1] - rank) + best[0]


def twice_the_coefficient_at(widths, ranks):
    """The same over the strata whose closure holds a given point, by trying all of them."""
    last = len(widths) - 1
    rank = ranks[0][last]
    best = None
    for inner in product(*(range(rank, width + 1) for width in widths[1:-1])):
        t = [widths[0], *inner, rank]
        if any(t[j] > t[j - 1] for j in range(1, last + 1)):
            continue
        pairs = [(k, j) for k in range(last) for j in range(k + 1, last + 1)]
        if any(t[k] - t[j] > widths[k] - ranks[k][j] for k, j in pairs):
            continue
        cost = sum((t[j - 1] - t[j]) * (widths[j] - t[j]) for j in range(1, last + 1))
        best = cost if best is None else min(best, cost)
    return rank * (widths[0] + widths[-1] - rank) + best
