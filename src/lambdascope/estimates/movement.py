"""Where chains went: growth, agreement and reach of ‖w − w*‖² after burn-in.

A chain that has barely left w* may show a loss that looks settled: the noise of minibatches hides
the slow part, and R-hat compares chains that all began at one place. The squared distance has no
noise but its own, and softest directions, which take 2/(ε·γ) steps of SGLD to forget w*, dominate
it.
"""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lambdascope.estimates import diagnostics


@dataclass(frozen=True)
class Movement:
    """Where chains went, from ‖w − w*‖² after burn-in; NaN where the trace does not tell.

    Attributes:
        draws: Draws of it a chain after burn-in, of which `growth` and `reach` want two.
        mean: Its mean; infinite where one draw is not finite.
        growth: Its relative growth from the first half to the second.
        growth_stderr: Standard error of `growth`; NaN with fewer than eight draws a half.
        rhat: Its rank-normalised split R-hat.
        spread: Standard deviation of its means over half chains, over its mean: how much they
            disagree, where `rhat` says how surely.
        reach: γ·E‖w − w*‖² over the number of free directions.
    """

    draws: float = math.nan
    mean: float = math.nan
    growth: float = math.nan
    growth_stderr: float = math.nan
    rhat: float = math.nan
    spread: float = math.nan
    reach: float = math.nan


def movement(trace: xr.Dataset, chains: NDArray[np.intp], num_burnin: int) -> Movement:
    """The movement of some chains of one checkpoint of a trace.

    Args:
        trace: With `distance` [chain, draw], its coordinate `draw`, `num_free` and `localization`;
            where it lacks one of these all is NaN.
        chains: Positions of the chains that count.
        num_burnin: Steps to drop.
    """
    if not {"distance", "num_free", "localization"} <= set(trace.variables):
        return Movement()
    if "draw" not in trace["distance"].dims or "chain" not in trace["distance"].dims:
        return Movement()
    kept = trace["distance"].isel(chain=chains).transpose("chain", "draw")
    # Of a trace whose first steps were cut off, the draws are still there.
    begin = int(np.min(trace["step"].values)) if "step" in trace.coords else 0
    squares = kept.values[:, trace["draw"].values >= begin + num_burnin].astype(np.float64) ** 2
    draws = squares.shape[1]
    if not len(squares) or draws < 2:
        return Movement(draws=draws)
    if not np.isfinite(squares).all():
        return Movement(draws=draws, mean=math.inf, reach=math.inf)
    mean = float(squares.mean())
    reach = float(trace["localization"]) * mean / float(trace["num_free"])
    half = draws // 2
    first, second = squares[:, :half], squares[:, -half:]
    if first.mean() <= 0:
        return Movement(draws, mean, growth=math.inf if second.any() else math.nan, reach=reach)
    halves = np.concatenate([first.mean(axis=1), second.mean(axis=1)])
    return Movement(
        draws=draws,
        mean=mean,
        growth=float(second.mean() / first.mean() - 1),
        growth_stderr=math.hypot(*map(diagnostics.standard_error, (first, second))) / first.mean(),
        rhat=diagnostics.rhat(squares),
        spread=float(halves.std(ddof=1)) / mean,
        reach=reach,
    )
