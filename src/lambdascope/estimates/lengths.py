"""How long chains are to be: whose error is small enough, and whose may be so by luck.

A loss near a degenerate minimum is skewed, and of skewed draws a low mean and a low standard error
come together: nβ·ΔL is Gamma distributed of shape λ in regular and homogeneous models, whose mean
and variance estimates correlate by √(2/(3 + λ)). Were chains stopped as soon as their own error is
small enough, those that happen to read low would stop first, and their error would be too small as
well: of one quadratic direction those read 11 % low, and their nominal 95 % intervals held 77 %. So
the first chains of a small λ̂ are a pilot, which only says how many steps its error takes (Stein
1945, "A two-sample test for a linear hypothesis whose power is independent of the variance"), and
every further attempt has random numbers of its own: what fixed its length is not in its mean.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lambdascope.estimates.curve import LLCEstimate

_MARGIN, _LEAST_LONGER, _MOST_LONGER, _DRAWS_THAT_TELL = 1.3, 2.0, 64.0, 30.0
# Posteriors whose lengths differ by less are sampled together.
_ALIKE = 1.25
# From which on mean and error correlate so much that chains are not stopped by their own error.
_CORRELATED = 0.2
# Standard deviations of an error that luck is allowed to make.
_LUCK = 3.0
_LEAST_SHAPE = 1e-3  # of λ̂ around 0, which is no Gamma distribution's mean


def is_pilot(one: LLCEstimate) -> bool:
    """Whether first chains only say how long others are to be, as λ̂ and its error correlate."""
    return _correlation(one) > _CORRELATED


def longer(one: LLCEstimate, excess: float, attempt: int) -> float:
    """How many times longer the chains of an estimate are to be.

    Args:
        one: The estimate.
        excess: Its error over what is wanted.
        attempt: How often it has been run again already.
    """
    # Few effective draws may have the error several times too large by chance, and mostly have,
    # where it is too large: twice the length tells chance from slowness.
    if attempt == 0 and not one.ess >= _DRAWS_THAT_TELL:
        return _LEAST_LONGER
    if attempt == 0 and is_pilot(one):
        excess, least = excess * (1 + luck(one)), 1.0
    else:
        least = _LEAST_LONGER
    return max(least, min(excess**2 * _MARGIN, _MOST_LONGER))


def luck(one: LLCEstimate) -> float:
    """Share of its true value by which a standard error may be low where λ̂ is, by chance.

    Three times the error's own relative standard deviation, √((2 + κ)/4N) of N effective draws of
    excess kurtosis κ, as far as it goes with λ̂. Of a Gamma distribution κ = 6/shape.
    """
    correlation = _correlation(one)
    if correlation == 0:
        return 0.0
    return _LUCK * correlation * math.sqrt((2 + 6 / _shape(one)) / (4 * one.ess))


def _correlation(one: LLCEstimate) -> float:
    """Of the mean and the variance of draws as skewed as these, √(2/(3 + shape)).

    0 where neither is known.
    """
    shape = _shape(one)
    return math.sqrt(2 / (3 + shape)) if math.isfinite(shape) else 0.0


def _shape(one: LLCEstimate) -> float:
    """Of the Gamma distribution of mean λ̂ and the draws' variance."""
    variance = one.ess * one.mc_stderr**2
    return max(one.llc**2 / variance, _LEAST_SHAPE) if variance > 0 else math.inf


def alike(which: Sequence[int], lengths: NDArray[np.int_], *, together: bool) -> list[list[int]]:
    """Those that are sampled in one call, the longest first.

    Args:
        which: Indices of posteriors.
        lengths: Steps, [posterior].
        together: All, whatever their lengths.
    """
    groups: list[list[int]] = []
    for index in sorted(which, key=lambda index: -lengths[index]):
        if groups and (together or lengths[groups[-1][0]] < _ALIKE * lengths[index]):
            groups[-1].append(index)
        else:
            groups.append([index])
    return [sorted(group) for group in groups]


def seed_of(seed: int, attempt: int) -> int:
    """The seed of an attempt: the user's own of the first, and of the others no near one."""
    if attempt == 0:
        return seed
    digest = hashlib.sha256(f"lambdascope {seed} attempt {attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "little")
