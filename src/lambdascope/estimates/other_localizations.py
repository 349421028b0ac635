"""λ̂ at γ/2 and 2γ beside an estimate, by short chains: how far it is the localisation's."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdascope.estimates import diagnostics
from lambdascope.estimates.curve import LLCEstimate
from lambdascope.estimates.extrapolation import student
from lambdascope.estimates.llc import estimate_one
from lambdascope.estimates.step_choice import FEWEST_STEPS, RELAXATIONS_DROPPED, StepChoice
from lambdascope.estimates.verdict import Status
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers import SGLD
from lambdascope.sampling import sample

# Length of the chains, in times that the softest direction needs to forget.
_LENGTH = 9.0
# What makes the number useless: the chains are too few and short for R-hat.
_DOUBTS = (Status.DIVERGED_CHAINS, Status.ALL_DIVERGED, Status.ESCAPED, Status.HEATED)
_SIDES = (("half", "γ/2", 0.5), ("double", "2γ", 2.0))


def with_other_localizations(
    estimates: Sequence[LLCEstimate],
    many: Sequence[LocalPosterior],
    labels: Sequence[int],
    choice: StepChoice,
    store: Path | None,
    max_steps: int,
    common: dict[str, Any],
) -> tuple[list[LLCEstimate], list[str]]:
    """The estimates with λ̂ at γ/2 and 2γ beside them, and sentences on those to doubt.

    A number whose chains are too short to forget where they began is left out, and that is said.

    Args:
        estimates: One a posterior.
        many: The posteriors, at γ > 0.
        labels: Of their checkpoints.
        choice: How they are sampled.
        store: Folder for the traces; None: memory.
        max_steps: Most steps of a chain.
        common: Further arguments of `sample`.
    """
    sides: list[list[LLCEstimate]] = []
    traces, drops, left_out, doubts = [], [], [], []
    for name, words, factor in _SIDES:
        # SGLD forgets the softest direction by its γ, BAOAB by its friction, which stays.
        slower = max(1.0, 1 / factor) if isinstance(choice.kernel, SGLD) else 1.0
        burnin = np.ceil(RELAXATIONS_DROPPED * slower * choice.forgetting).astype(int)
        length = _LENGTH * slower * float(np.median(choice.forgetting))
        # The second keeps burn-in to half where one checkpoint forgets more slowly than most.
        num_steps = int(max(length, 2 * burnin.max(), FEWEST_STEPS // 2))
        num_steps = min(num_steps, max_steps)
        trace = sample(
            [one.with_localization(factor * one.localization) for one in many],
            choice.kernel,
            num_chains=choice.num_side_chains,
            num_steps=num_steps,
            checkpoints=labels,
            step_factors=np.repeat(choice.steps[:, None], choice.num_side_chains, axis=1),
            store=None if store is None else store / f"{name}_localization.zarr",
            **common,
        )
        short = [bool(dropped > num_steps // 2) for dropped in burnin]
        side = [
            estimate_one(trace.isel(checkpoint=place), min(int(dropped), num_steps // 2))
            for place, dropped in enumerate(burnin)
        ]
        sides.append(side)
        traces.append(trace)
        drops.append(np.minimum(burnin, num_steps // 2))
        left_out.append(short)
        doubts += _doubts(side, short, words, int(2 * burnin.max()))
    beside = []
    for place, one in enumerate(estimates):
        half, double = (
            (math.nan, math.nan) if short[place] else _with_error(side[place])
            for side, short in zip(sides, left_out, strict=True)
        )
        beside.append(
            replace(
                one,
                llc_half_localization=half[0],
                llc_half_localization_stderr=half[1],
                llc_double_localization=double[0],
                llc_double_localization_stderr=double[1],
                localization_slope_stderr=_slope_error(
                    [side[place] for side in sides],
                    [
                        trace["loss"].isel(checkpoint=place).values[:, dropped[place] :]
                        for trace, dropped in zip(traces, drops, strict=True)
                    ],
                ),
            )
        )
    return beside, doubts


def _with_error(one: LLCEstimate) -> tuple[float, float]:
    """λ̂ and its standard error, widened for few draws as the estimate's own is."""
    return one.llc, one.stderr * student([(one.stderr**2, one.ess)])


def _slope_error(sides: Sequence[LLCEstimate], losses: Sequence[NDArray[np.floating]]) -> float:
    """Standard error of log(λ̂(γ/2)/λ̂(2γ)) / log 4.

    Chains of both sides share their random numbers, and much of their fluctuation with them: where
    they are equally long the error is that of the difference, step by step. Else (SGLD, whose
    burn-in goes with γ) they count as independent.

    Args:
        sides: At γ/2 and at 2γ.
        losses: [chain, step] of either after burn-in.
    """
    half, double = sides
    if not (half.llc > 0 and double.llc > 0):
        return math.nan
    if losses[0].shape != losses[1].shape:
        return math.hypot(half.stderr / half.llc, double.stderr / double.llc) / math.log(4)
    shares = [
        one.nbeta * (loss.astype(np.float64) - one.initial_loss) / one.llc
        for one, loss in zip(sides, losses, strict=True)
    ]
    paired = shares[0] - shares[1]
    paired = paired[np.isfinite(paired).all(axis=1)]
    if not len(paired):
        return math.nan
    means = diagnostics.block_means(paired)
    error = diagnostics.standard_error(means)
    return error * student([(error**2, diagnostics.ess(means))]) / math.log(4)


def _doubts(
    side: Sequence[LLCEstimate], short: Sequence[bool], words: str, needed: int
) -> list[str]:
    said = []
    left_out = [one for one, is_short in zip(side, short, strict=True) if is_short]
    if left_out:
        said.append(
            f"λ̂ at {words} is left out at {_which(left_out)}: its chains need {needed:,} steps to "
            "forget where they began; raise max_steps"
        )
    doubtful = [
        one
        for one, is_short in zip(side, short, strict=True)
        if one.status in _DOUBTS and not is_short
    ]
    if doubtful:
        said.append(
            f"λ̂ at {words} is doubtful at {_which(doubtful)}: {doubtful[0].status}; "
            f"{doubtful[0].advice}"
        )
    return said


def _which(some: Sequence[LLCEstimate]) -> str:
    return f"checkpoint{'s' * (len(some) > 1)} {', '.join(str(one.checkpoint) for one in some)}"
