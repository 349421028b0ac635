"""λ̂ at γ/2 and 2γ beside an estimate, by short chains: how far it is the localisation's."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lambdascope.estimates.curve import LLCEstimate
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
    sides, doubts = [], []
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
        sides.append(
            [
                (math.nan, math.nan) if left_out else (one.llc, one.stderr)
                for one, left_out in zip(side, short, strict=True)
            ]
        )
        doubts += _doubts(side, short, words, int(2 * burnin.max()))
    beside = []
    for one, (half, half_stderr), (double, double_stderr) in zip(estimates, *sides, strict=True):
        with np.errstate(all="ignore"):
            relative = np.hypot(np.divide(half_stderr, half), np.divide(double_stderr, double))
        beside.append(
            replace(
                one,
                llc_half_localization=half,
                llc_double_localization=double,
                localization_slope_stderr=float(relative) / math.log(4),
            )
        )
    return beside, doubts


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
