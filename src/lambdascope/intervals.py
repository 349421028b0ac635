"""Intervals from errors that few draws know."""

from lambdascope.wording import NORMAL_95


def student_factor(freedoms: float) -> float:
    """By how much Student's 95 % interval is wider than the normal one.

    A standard error times this makes value ± 1.96 · error a 95 % interval, though the error itself
    is known by few draws.

    Args:
        freedoms: Degrees of freedom of the error's square; positive.
    """
    from scipy.stats import t

    return float(t.ppf(0.975, freedoms)) / NORMAL_95
