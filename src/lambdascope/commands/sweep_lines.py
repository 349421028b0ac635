"""Straight lines by least squares."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """A fitted line.

    Attributes:
        slope: Of y in x.
        slope_stderr: Its standard error; NaN for two points.
        intercept: y at x = 0.
    """

    slope: float
    slope_stderr: float
    intercept: float

    def at(self, x: float) -> float:
        """The line's y."""
        return self.intercept + self.slope * x


def straight_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """The line by least squares.

    The slope's error is that of independent, equal scatter about the line: s/√Σ(x − x̄)² with s² the
    residual sum of squares over n − 2.
    """
    at, value = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    away = at - at.mean()
    spread = float((away**2).sum())
    slope = float((away * value).sum()) / spread
    residual = value - value.mean() - slope * away
    free = len(at) - 2
    error = math.sqrt(float((residual**2).sum()) / free / spread) if free > 0 else math.nan
    return Line(slope, error, float(value.mean() - slope * at.mean()))
