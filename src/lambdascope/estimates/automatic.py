"""λ̂ without a knob to turn: step, burn-in and length are chosen, and the choice is told.

1. The largest curvature ω² of U at w*, and where a short pilot chain got to, gives the step.
2. Where all data can be read at every step the sampler is full-batch BAOAB: no minibatch bias,
   and a step bias of second order; data sets that differ are sampled one after the other.
   Elsewhere it is SGLD, whose biases are of first order in small ε.
3. Some chains take twice the step; `extrapolation` measures the bias by them.
4. Burn-in is chosen on the trace, and checkpoints whose error is still too large run longer, with
   random numbers of their own; small λ̂ in any case, since their first error is not to be believed
   (`lengths`).
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lambdascope.errors import LambdascopeError
from lambdascope.estimates.automatic_words import choices_of, in_terms_of_automatic, method_of
from lambdascope.estimates.curve import LLCCurve, LLCEstimate
from lambdascope.estimates.extrapolation import extrapolated_llc
from lambdascope.estimates.lengths import alike, is_pilot, longer, seed_of
from lambdascope.estimates.other_localizations import with_other_localizations
from lambdascope.estimates.step_choice import (
    COARSE,
    FEWEST_STEPS,
    RELAXATIONS_DROPPED,
    choose_step,
)
from lambdascope.estimates.verdict import SOUND, Demands, Status
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.scalars import positive
from lambdascope.samplers.base import Kernel
from lambdascope.sampling import sample
from lambdascope.sampling.checks import (
    check_flag,
    check_labels,
    check_posteriors,
    check_seed,
    check_store,
    whole_number,
)
from lambdascope.sampling.stack import by_data_set

# The first length, in times that the softest direction needs to forget: with four dropped, ten are
# left, as many as a target of 2 % takes in the README's example where λ̂ fluctuates most.
_FIRST_LENGTH = 14.0
_MOST_ROUNDS = 3
# The target is what these estimates are held to, and their error holds what the chains disagree by.
# R-hat, which at 1.1 asks for some fifty effective draws whatever error they would leave, has only
# to find chains that are in different places; ten draws know their own error well enough for
# Student's interval.
_DEMANDS = Demands(rhat=1.3, effective_draws=10)
# What more steps, or shorter ones, may mend.
_LONGER_HELPS = (
    Status.NOT_CONVERGED,
    Status.TOO_FEW_SAMPLES,
    Status.DIVERGED_CHAINS,
    Status.ALL_DIVERGED,
)


@dataclass(frozen=True)
class AutomaticSettings:
    """What the user may ask of an automatic estimate.

    Attributes:
        target_error: Standard error wanted, relative to λ̂.
        target_absolute: Standard error that is always good enough.
        max_steps: Most steps of a chain.
        localizations: Also estimate λ̂ at γ/2 and 2γ, by short chains.
        seed: Of the random streams.
    """

    target_error: float = 0.02
    target_absolute: float = 0.05
    max_steps: int = 6000
    localizations: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        positive("target_error", self.target_error)
        positive("target_absolute", self.target_absolute)
        whole_number("max_steps", self.max_steps, FEWEST_STEPS)
        check_flag("localizations", self.localizations)
        check_seed(self.seed)

    def reached(self, one: LLCEstimate, attempt: int) -> bool:
        """Whether the error is small enough, and may be believed.

        Args:
            one: The estimate.
            attempt: How often it has been run again already.
        """
        if attempt == 0 and is_pilot(one):
            return False
        return self.excess(one) <= 1 and one.status not in _LONGER_HELPS

    def excess(self, one: LLCEstimate) -> float:
        """Error over what is wanted; infinite where it is not known."""
        if not math.isfinite(one.stderr):
            return math.inf
        return one.stderr / max(self.target_error * abs(one.llc), self.target_absolute)


@dataclass(frozen=True)
class AutomaticResult:
    """An automatic estimate.

    Attributes:
        curve: One estimate a checkpoint, with its total error.
        traces: The traces that they come from, checkpoints of about equal length together; then of
            those that ran longer.
        choices: What was chosen and why, a sentence each.
    """

    curve: LLCCurve
    traces: tuple[xr.Dataset, ...]
    choices: tuple[str, ...]


def automatic_llc(
    posteriors: LocalPosterior | Sequence[LocalPosterior],
    settings: AutomaticSettings | None = None,
    *,
    checkpoints: Sequence[int] | None = None,
    store: Path | str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    compile: bool | str = "auto",  # noqa: A002 (the name that PyTorch gave it)
    progress: bool = True,
) -> AutomaticResult:
    """λ̂ of one or many checkpoints, with everything chosen from curvature and trace.

    Args:
        posteriors: One, or several of equal shape.
        settings: Error wanted and budget.
        checkpoints: Labels, as for `sample`.
        store: Folder for the traces, written as they come and resumed; None: memory.
        overwrite: Replace traces of other settings.
        device: As for `sample`.
        compile: As for `sample`.
        progress: Show progress bars.

    Raises:
        LambdascopeError: for impossible settings, or where no step size keeps a chain finite.
    """
    settings = settings or AutomaticSettings()
    many = check_posteriors(posteriors)
    labels, store = check_labels(checkpoints, len(many)), check_store(store)
    groups = by_data_set(many)
    results = [
        _of_data_set(
            [many[index] for index in group],
            [labels[index] for index in group],
            settings,
            store if store is None or len(groups) == 1 else store / f"data_{number}",
            overwrite=overwrite,
            progress=progress,
            common={"seed": settings.seed, "device": device, "compile": compile},
        )
        for number, group in enumerate(groups)
    ]
    order = np.argsort([index for group in groups for index in group])
    estimates = [one for result in results for one in result.curve]
    return AutomaticResult(
        LLCCurve([estimates[place] for place in order]),
        tuple(trace for result in results for trace in result.traces),
        tuple(dict.fromkeys(choice for result in results for choice in result.choices)),
    )


def _of_data_set(
    many: Sequence[LocalPosterior],
    labels: Sequence[int],
    settings: AutomaticSettings,
    store: Path | None,
    *,
    overwrite: bool,
    progress: bool,
    common: dict[str, Any],
) -> AutomaticResult:
    """As `automatic_llc`, of posteriors of one data set, which a full-batch step reads once."""
    choice = choose_step(many, labels, common, progress=progress)
    if not np.isfinite(choice.steps).all():
        raise LambdascopeError(
            f"checkpoint {labels[int(np.flatnonzero(~np.isfinite(choice.steps))[0])]}: no step "
            "size keeps a chain finite; a larger localization, or OrthogonalToGradient, is needed."
        )
    common |= {"progress": progress, "overwrite": overwrite, "chunk_size": choice.chunk_size}
    lengths = np.clip(
        np.ceil(_FIRST_LENGTH * choice.forgetting), choice.fewest_steps, settings.max_steps
    ).astype(int)
    estimates: dict[int, LLCEstimate] = {}
    traces: list[xr.Dataset] = []

    def run(which: Sequence[int], attempt: int) -> None:
        for group in alike(which, lengths, together=choice.is_mixed):
            lengths[group] = num_steps = int(lengths[group].max())
            coarse = choice.num_chains // 4
            factors = [COARSE] * coarse + [1.0] * (choice.num_chains - coarse)
            trace = sample(
                [many[index] for index in group],
                choice.kernel,
                num_chains=choice.num_chains,
                num_steps=num_steps,
                checkpoints=[labels[index] for index in group],
                step_factors=np.outer(choice.steps[group], factors),
                store=None if store is None else store / f"round_{len(traces)}.zarr",
                **{**common, "seed": seed_of(settings.seed, attempt)},
            )
            traces.append(trace)
            settled = np.ceil(RELAXATIONS_DROPPED * choice.forgetting[group]).astype(int)
            curve = extrapolated_llc(trace, np.minimum(settled, num_steps // 2), _DEMANDS)
            for index, one, steps in zip(group, curve, settled, strict=True):
                estimates[index] = _settled(one, int(steps))

    run(range(len(many)), 0)
    num_first = len(traces)
    for attempt in range(_MOST_ROUNDS):
        short = [index for index, one in estimates.items() if not settings.reached(one, attempt)]
        diverged = [index for index in short if estimates[index].num_diverged_chains]
        choice.halve(diverged)
        again = [
            index for index in short if lengths[index] < settings.max_steps or index in diverged
        ]
        if not again:
            break
        for index in again:
            times = longer(estimates[index], settings.excess(estimates[index]), attempt)
            lengths[index] = int(min(times * lengths[index], settings.max_steps))
        run(sorted(again), attempt + 1)
    found = [estimates[index] for index in range(len(many))]
    doubts: list[str] = []
    if settings.localizations and all(posterior.localization > 0 for posterior in many):
        found, doubts = with_other_localizations(
            found, many, labels, choice, store, settings.max_steps, common
        )
    if store is not None and overwrite:
        _forget_rounds(store, len(traces))
    method = method_of(choice.kernel)
    judged = [replace(_judged(one, settings, choice.kernel), method=method) for one in found]
    choices = (*choices_of(choice, many, traces, num_first), *doubts)
    return AutomaticResult(LLCCurve(judged), tuple(traces), choices)


def _forget_rounds(store: Path, num_rounds: int) -> None:
    """Remove what an estimate that took more rounds, now overwritten, left behind."""
    for path in store.glob("round_*.zarr"):
        number = path.stem.removeprefix("round_")
        if number.isdigit() and int(number) >= num_rounds:
            shutil.rmtree(path)


def _settled(one: LLCEstimate, wanted: int) -> LLCEstimate:
    """The estimate, called unconverged where the chain was too short for a burn-in of `wanted`."""
    if wanted <= one.num_burnin_steps or one.status not in SOUND:
        return one
    return replace(
        one,
        status=Status.NOT_CONVERGED,
        advice=f"the softest direction needs {wanted:,} steps of burn-in, and "
        f"{one.num_burnin_steps:,} of {one.num_steps:,} were to be had; raise max_steps or the "
        "localization.",
    )


def _judged(one: LLCEstimate, settings: AutomaticSettings, kernel: Kernel) -> LLCEstimate:
    """The estimate, called short of its target where nothing worse is wrong with it."""
    if settings.excess(one) > 1 and one.status in (Status.CONVERGED, Status.TOO_FEW_SAMPLES):
        return replace(
            one,
            status=Status.TARGET_NOT_REACHED,
            advice=f"the standard error is {one.stderr:.2g}, above the target, after "
            + (
                f"the {settings.max_steps:,} steps allowed; raise max_steps or the target error."
                if one.num_steps >= settings.max_steps
                else f"{_MOST_ROUNDS} attempts to run longer, the last of {one.num_steps:,} steps; "
                "raise the target error, or sample with settings of your own."
            ),
        )
    return in_terms_of_automatic(one, kernel)
