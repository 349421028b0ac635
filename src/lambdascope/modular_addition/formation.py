"""When a circuit formed: the change point of its share of the embedding over the checkpoints."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.circuit_null import power_ratios
from lambdascope.modular_addition.modes import mode_magnitudes


def relative_magnitudes(embedding: Tensor) -> NDArray[numpy.float64]:
    """Each mode's magnitude over that of the median mode.

    Weight decay shrinks all modes, and growth of the weights raises them: against the median mode
    only what sets a mode apart from the others is left.

    Args:
        embedding: [p, d], a row a token, p ≥ 5, without one for "=" (`token_embedding`).

    Returns:
        [p//2], of the modes from 1 on: roots of `power_ratios`, and what that raises.
    """
    return power_ratios(embedding.detach().double()).sqrt().cpu().numpy()


def power_shares(embedding: Tensor) -> NDArray[numpy.float64]:
    """Each mode's share of the power of all modes, the constant left out.

    Args:
        embedding: [p, d], as above.

    Returns:
        [p//2], of the modes from 1 on; they add up to 1. NaN where the embedding is constant.
    """
    power = mode_magnitudes(embedding.detach().double())[1:].square()
    return (power / power.sum()).cpu().numpy()


def rise_by_chance(embed_dim: int, num_modes: int, error_rate: float = 0.01) -> float:
    """The rise of a log magnitude that chance gives one of `num_modes` modes, hardly ever.

    In a random embedding a mode is 2d independent normal numbers, so that its magnitude scatters by
    1/(2√d) of itself, and its logarithm by as much; two unrelated embeddings differ by √2 of that.
    The largest of the differences of all modes is above the result in `error_rate` of cases (normal
    approximation, Bonferroni's bound).

    Args:
        embed_dim: d.
        num_modes: Modes that are looked at.
        error_rate: Of finding one rise or more where there is none.
    """
    from scipy.stats import norm

    return float(norm.isf(error_rate / num_modes)) * math.sqrt(2) / (2 * math.sqrt(embed_dim))


@dataclass(frozen=True)
class Formation:
    """When a circuit set itself apart, as places of checkpoints.

    Attributes:
        formed: the first checkpoint of the upper level; it formed between it and the one before.
        rise_begins: the last one before it at which its share had made no more than a tenth of its
            rise.
        rise_ends: the first one from it on at which it had made nine tenths.
    """

    formed: int
    rise_begins: int
    rise_ends: int


def formation(
    shares: Sequence[float],
    relative: Sequence[float],
    least_rise: float = 0.0,
    steps: Sequence[float] | None = None,
) -> Formation | None:
    """The checkpoint at which a circuit has formed, and those between which it rose.

    The rule: take the stretch from one checkpoint to a later one over which the share rises most
    (so that what decays before, or fades after, does not count); split it into two constant levels,
    by least squares over the steps of training, each checkpoint standing for those since the one
    before; the circuit has formed at the first checkpoint of the upper level. It formed between
    that checkpoint and the one before, and the step is known no better. It must have set itself
    apart, and stayed so: from there to the end the logarithm of its magnitude over the median
    mode's is on average above what it was before by more than `least_rise`, and the last is above
    the first.

    The share dates, since it is bounded: over the median mode a magnitude grows for as long as the
    other modes decay. Where it levels off, the date is the same wherever the run ends; one that
    grows little by little, even a strong circuit's, is dated later the later the run is cut (so
    the date has `rise_begins` and `rise_ends` beside it, which lie far apart then), and a faint
    one's may grow again as others fade, and is then dated by the larger rise up to the end. The
    logarithm decides whether there is anything to date, since it feels a faint circuit too, whose
    share the strong ones take.

    Args:
        shares: of the circuit's mode, one a checkpoint, in order: `power_shares`.
        relative: the same of `relative_magnitudes`, positive.
        least_rise: from `rise_by_chance`.
        steps: of training at each checkpoint, rising; None: as many between any two.

    Returns:
        the places, or None where the mode does not rise so far.

    Raises:
        LambdascopeError: lengths that differ, magnitudes that are not positive, or steps that do
            not rise.
    """
    lengths = [len(shares), len(relative), len(shares) if steps is None else len(steps)]
    if len(set(lengths)) > 1:
        raise LambdascopeError(
            f"shares, relative and steps have {lengths[0]}, {lengths[1]} and {lengths[2]} "
            "checkpoints: as many are accepted"
        )
    if min(relative, default=1.0) <= 0:
        raise LambdascopeError(f"relative holds {min(relative)!r}: positive numbers are accepted")
    if steps is not None and any(numpy.diff(steps) <= 0):
        raise LambdascopeError("steps do not rise from one checkpoint to the next, as they should")
    values, logs = numpy.asarray(shares, dtype=float), numpy.log(relative)
    if len(values) < 2 or not logs[-1] > logs[0]:
        return None
    lowest = numpy.minimum.accumulate(values)
    end = int((values - lowest).argmax())
    if not values[end] > lowest[end]:
        return None
    # Of equal minima the last: what lies between them is no part of the rise.
    start = end - 1 - int(values[:end][::-1].argmin())
    times = numpy.asarray(range(len(values)) if steps is None else steps, dtype=float)
    stretch, weights = values[start : end + 1], _steps_since(times[start : end + 1])
    splits = range(1, len(stretch))
    errors = [
        _spread(stretch[:split], weights[:split]) + _spread(stretch[split:], weights[split:])
        for split in splits
    ]
    formed = start + 1 + int(numpy.argmin(errors))
    weights = _steps_since(times)
    rise = numpy.average(logs[formed:], weights=weights[formed:]) - numpy.average(
        logs[:formed], weights=weights[:formed]
    )
    if not rise > least_rise:
        return None
    risen = (stretch - stretch[0]) / (stretch[-1] - stretch[0])
    return Formation(
        formed,
        rise_begins=start + int(numpy.flatnonzero(risen[: formed - start] <= 0.1).max()),
        rise_ends=formed + int(numpy.flatnonzero(risen[formed - start :] >= 0.9).min()),
    )


def first_lasting(found: Sequence[bool]) -> int | None:
    """The first checkpoint at which a circuit is found, and at the next one too.

    A single hit may be chance, as it is in a hundredth of searches where there is nothing; at the
    last checkpoint there is no next one. What comes later does not move it.

    Args:
        found: whether the search counts it, one a checkpoint, in order.

    Returns:
        the place of the checkpoint, or None.
    """
    for place, hit in enumerate(found):
        if hit and (place + 1 == len(found) or found[place + 1]):
            return place
    return None


def _steps_since(times: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """The steps that each checkpoint stands for: those since the one before; the first as many."""
    since = numpy.diff(times)
    return numpy.concatenate([since[:1], since])


def _spread(values: NDArray[numpy.float64], weights: NDArray[numpy.float64]) -> float:
    """Weighted sum of squares about the weighted mean."""
    mean = numpy.average(values, weights=weights)
    return float((weights * (values - mean) ** 2).sum())
