"""How well chains have mixed: R-hat, effective sample size, Monte Carlo error, drift.

Thin names over arviz-stats, which holds the reference implementations (Vehtari, Gelman, Simpson,
Carpenter & Bürkner 2021, "Rank-normalization, folding, and localization: an improved R-hat").
"""

import math

import numpy as np
from numpy.typing import NDArray

# arviz-stats splits each chain in two and wants four draws in each half.
FEWEST_DRAWS = 8
_WANTED_BLOCKS = 90
_LONGEST_BLOCK = 50


def block_means(losses: NDArray[np.floating]) -> NDArray[np.floating]:
    """Means of consecutive blocks of `losses` [chain, step], as [chain, block].

    A minibatch loss is the loss of the chain's place plus white noise that is often far larger.
    On the raw losses R-hat, ESS and error would describe that noise: the estimate of the
    autocorrelation time stops at the first lag where noise hides the slow part, and the error
    comes out too small (for AR(1) of time 100 under noise of fifty times its variance, nominal
    95 % intervals cover 77 %). Blocks of up to 50 steps average the noise away and keep the mean;
    90 blocks are left where there are enough steps. A remainder at the beginning is dropped, as
    burn-in is.
    """
    num_chains, num_steps = losses.shape
    size = max(1, min(num_steps // _WANTED_BLOCKS, _LONGEST_BLOCK))
    num_blocks = num_steps // size
    kept = losses[:, num_steps - num_blocks * size :]
    return kept.reshape(num_chains, num_blocks, size).mean(axis=2)


def rhat(draws: NDArray[np.floating]) -> float:
    """Rank-normalised split R-hat of `draws` [chain, draw]; 1 when chains agree.

    A chain that is alone is compared with itself, its halves standing for two. NaN with fewer than
    8 draws (16 of one chain) or draws that do not vary.
    """
    if len(draws) == 1:
        half = draws.shape[1] // 2
        draws = np.concatenate([draws[:, :half], draws[:, draws.shape[1] - half :]])
    if draws.shape[1] < FEWEST_DRAWS or np.ptp(draws) == 0:
        return math.nan
    from arviz_stats.base import array_stats

    return float(array_stats.rhat(draws, chain_axis=0, draw_axis=1))


def ess(draws: NDArray[np.floating], method: str = "bulk") -> float:
    """Effective sample size of all chains of `draws` [chain, draw] together.

    Args:
        draws: [chain, draw].
        method: "bulk" (rank-normalised, for a verdict) or "mean" (for the error of the mean).

    Returns:
        A number of draws; NaN with fewer than 8 draws or draws that do not vary.
    """
    if draws.shape[1] < FEWEST_DRAWS or np.ptp(draws) == 0:
        return math.nan
    from arviz_stats.base import array_stats

    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method=method))


def standard_error(draws: NDArray[np.floating]) -> float:
    """Monte Carlo standard error of the mean of `draws` [chain, draw], in their unit.

    sd/√ESS, where the effective sample size counts autocorrelation within chains and
    disagreement between them. 0 for draws that do not vary; NaN with fewer than 8 draws.
    """
    if draws.shape[1] < FEWEST_DRAWS:
        return math.nan
    if np.ptp(draws) == 0:
        return 0.0
    return float(draws.std(ddof=1) / math.sqrt(ess(draws, "mean")))


def excess_kurtosis(draws: NDArray[np.floating]) -> float:
    """How heavy the tails of `draws` [chain, draw] are: μ₄/σ⁴ − 3 of all together, at least 0.

    The variance of N independent draws is itself known to (2 + κ)/N of its square (Cramér 1946,
    "Mathematical Methods of Statistics", 27.4), as that of N/(1 + κ/2) normal ones: a loss near a
    degenerate minimum has κ = 6/λ. 0 for draws that do not vary.
    """
    centred = draws - draws.mean()
    variance = float(np.mean(centred**2))
    if variance == 0:
        return 0.0
    return max(0.0, float(np.mean(centred**4)) / variance**2 - 3)


def drift(draws: NDArray[np.floating]) -> float:
    """How far the mean still moves: (second half − first half) in standard errors of that.

    Geweke's comparison on halves, all chains together; `verdict.LARGEST_DRIFT` says from where on
    the trace has not settled. NaN with fewer than 16 draws.
    """
    half = draws.shape[1] // 2
    if half < FEWEST_DRAWS:
        return math.nan
    first, second = draws[:, :half], draws[:, -half:]
    scale = math.hypot(standard_error(first), standard_error(second))
    difference = float(second.mean() - first.mean())
    if scale == 0:
        return 0.0 if difference == 0 else math.copysign(math.inf, difference)
    return difference / scale


def settled_after(losses: NDArray[np.floating]) -> int:
    """Steps to drop from the beginning of `losses` [chain, step], at most half of them.

    The marginal standard error rule on the chains' mean: what is dropped is what makes
    var(rest)/len(rest) smallest (White 1997, "An effective truncation heuristic for bias reduction
    in simulation output"), on means of blocks of a hundredth of the trace. Chains with NaN are
    left out.
    """
    healthy = losses[np.isfinite(losses).all(axis=1)]
    num_steps = losses.shape[1]
    size = max(1, num_steps // 100)
    num_blocks = num_steps // size
    if not len(healthy) or num_blocks < 2:
        return 0
    blocks = healthy[:, : num_blocks * size].mean(axis=0).reshape(num_blocks, size).mean(axis=1)
    scores = [blocks[d:].var() / (num_blocks - d) for d in range(num_blocks // 2 + 1)]
    return int(np.argmin(scores)) * size
