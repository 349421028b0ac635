"""λ̂ at γ/2 and 2γ beside an estimate, by short chains: how far it is the localisation's."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdascope.estimates import diagnostics
from lambdascope.estimates.curve import LLCEstimate
from lambdascope.estimates.extrapolation import student
from lambdascope.estimates.llc import estimate_one
from lambdascope.estimates.step_choice import StepChoice
from lambdascope.estimates.verdict import Status
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers import SGLD
from lambdascope.sampling import sample
from lambdascope.wording import checkpoints_named

# Length of the chains and of their burn-in, in times that the softest direction needs to forget.
# More is dropped than of the estimate's own chains, which are longer and whose trace has a say:
# after four such times 1.8 % of λ̂ is still missing, in the mean over four more 0.45 %, as much as
# their error.
_LENGTH, _DROPPED = 11.0, 5.5
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
    sampling = _Sampling(many, labels, choice, store, max_steps, common)
    sides = [sampling.side(name, words, factor) for name, words, factor in _SIDES]
    beside = []
    for place, one in enumerate(estimates):
        (half, half_error), (double, double_error) = (side.llc_with_error(place) for side in sides)
        beside.append(
            replace(
                one,
                llc_half_localization=half,
                llc_half_localization_stderr=half_error,
                llc_double_localization=double,
                llc_double_localization_stderr=double_error,
                localization_slope_stderr=_slope_error(
                    [side.estimates[place] for side in sides],
                    [side.losses[place] for side in sides],
                ),
            )
        )
    return beside, [sentence for side in sides for sentence in side.doubts()]


@dataclass(frozen=True)
class _Side:
    """Short chains at another localization.

    Attributes:
        words: Which.
        estimates: One a posterior.
        losses: [chain, step] after burn-in, one a posterior.
        short: One a posterior: are its chains too short to forget where they began?
        needed: Steps that no posterior's chains would be too short with.
    """

    words: str
    estimates: Sequence[LLCEstimate]
    losses: Sequence[NDArray[np.floating]]
    short: Sequence[bool]
    needed: int

    def llc_with_error(self, place: int) -> tuple[float, float]:
        """λ̂ and its standard error, widened for few draws as the estimate's own is."""
        if self.short[place]:
            return math.nan, math.nan
        one = self.estimates[place]
        return one.llc, one.stderr * student([(one.stderr**2, one.ess)])

    def doubts(self) -> Iterator[str]:
        """A sentence on those that are left out, and one on those whose chains went wrong."""
        pairs = list(zip(self.estimates, self.short, strict=True))
        left_out = [one for one, is_short in pairs if is_short]
        if left_out:
            yield (
                f"λ̂ at {self.words} is left out at {_which(left_out)}: its chains need "
                f"{self.needed:,} steps to forget where they began; raise max_steps"
            )
        doubtful = [one for one, is_short in pairs if one.status in _DOUBTS and not is_short]
        if doubtful:
            yield (
                f"λ̂ at {self.words} is doubtful at {_which(doubtful)}: {doubtful[0].status}; "
                f"{doubtful[0].advice}"
            )


@dataclass(frozen=True)
class _Sampling:
    """What both sides share: the arguments of `with_other_localizations`."""

    many: Sequence[LocalPosterior]
    labels: Sequence[int]
    choice: StepChoice
    store: Path | None
    max_steps: int
    common: dict[str, Any]

    def side(self, name: str, words: str, factor: float) -> _Side:
        """Sample at γ times the factor, and estimate."""
        choice = self.choice
        # SGLD forgets the softest direction by its γ, BAOAB by its friction, which stays.
        slower = max(1.0, 1 / factor) if isinstance(choice.kernel, SGLD) else 1.0
        forgotten = np.ceil(_DROPPED * slower * choice.forgetting).astype(int)
        length = _LENGTH * slower * float(np.median(choice.forgetting))
        # The second keeps burn-in to half where one checkpoint forgets more slowly than most.
        needed = int(2 * forgotten.max())
        num_steps = min(int(max(length, needed, choice.fewest_steps // 2)), self.max_steps)
        trace = sample(
            [one.with_localization(factor * one.localization) for one in self.many],
            choice.kernel,
            num_chains=choice.num_side_chains,
            num_steps=num_steps,
            checkpoints=self.labels,
            step_factors=np.repeat(choice.steps[:, None], choice.num_side_chains, axis=1),
            store=None if self.store is None else self.store / f"{name}_localization.zarr",
            **self.common,
        )
        burnin = np.minimum(forgotten, num_steps // 2)
        parts = [trace.isel(checkpoint=place) for place in range(len(self.many))]
        dropped = list(zip(parts, map(int, burnin), strict=True))
        return _Side(
            words=words,
            estimates=[estimate_one(one, count) for one, count in dropped],
            losses=[one["loss"].values[:, count:] for one, count in dropped],
            short=[bool(steps > num_steps // 2) for steps in forgotten],
            needed=needed,
        )


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


def _which(some: Sequence[LLCEstimate]) -> str:
    return checkpoints_named([one.checkpoint for one in some])
