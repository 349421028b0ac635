"""Two-layer reduced-rank regression, y = B A x."""

from lambdascope.theory.checks import whole
from lambdascope.theory.coefficient import LearningCoefficient

_SOURCE = "Aoyagi & Watanabe 2005, Stochastic complexities of reduced rank regression, case {}"


def reduced_rank_regression(
    inputs: int, hidden: int, outputs: int, rank: int
) -> LearningCoefficient:
    """λ of y = B A x + noise, with A [hidden, inputs] and B [outputs, hidden].

    With M inputs, H hidden units, N outputs and a true map of rank r:

        1: N+r ≤ M+H, M+r ≤ N+H, H+r ≤ M+N:  λ = [2(H+r)(M+N) − (M−N)² − (H+r)²]/8, and for odd
           M+H+N+r a numerator larger by 1, with m = 2
        2: M+H < N+r:  λ = (HM − Hr + Nr)/2
        3: N+H < M+r:  λ = (HN − Hr + Mr)/2
        4: M+N < H+r:  λ = MN/2

    Source: Aoyagi & Watanabe 2005, "Stochastic complexities of reduced rank regression in Bayesian
    estimation", Neural Networks 18. (Not r(M+N−r)/2, the dimension of the maps of rank r, which
    is right for H = r alone.)

    Args:
        inputs: M ≥ 1.
        hidden: H ≥ 1.
        outputs: N ≥ 1.
        rank: r, 0 … min(M, H, N).

    Raises:
        LambdascopeError: for a width below 1 or a rank that the widths do not allow.
    """
    m, h = whole("inputs", inputs, 1), whole("hidden", hidden, 1)
    n = whole("outputs", outputs, 1)
    r = whole("rank", rank, 0, min(m, h, n))
    if m + h < n + r:
        return LearningCoefficient((h * m - h * r + n * r) / 2, 1, _SOURCE.format(2))
    if n + h < m + r:
        return LearningCoefficient((h * n - h * r + m * r) / 2, 1, _SOURCE.format(3))
    if m + n < h + r:
        return LearningCoefficient(m * n / 2, 1, _SOURCE.format(4))
    odd = (m + h + n + r) % 2
    numerator = 2 * (h + r) * (m + n) - (m - n) ** 2 - (h + r) ** 2 + odd
    return LearningCoefficient(numerator / 8, 1 + odd, _SOURCE.format(1))
