"""Sampler and step size, from the curvature of the potential where chains go."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.estimates.verdict import ABSURD_REACH
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.progress import Progress
from lambdascope.samplers import BAOAB, SGLD
from lambdascope.samplers.base import Kernel
from lambdascope.sampling import sample
from lambdascope.sampling.curvature import largest_curvature, least_curvature
from lambdascope.sampling.engine import batch_elements
from lambdascope.sampling.memory import total_memory
from lambdascope.sampling.plan import available_cores, ceil_div, choose_device, default_chunk

# BAOAB is stable for h·ω < 2. At 0.5 the coarse chains are at 1, and curvature may be four times
# larger elsewhere than where it was measured, as in few dimensions it is. In many it is much the
# same everywhere, and gradients cost more: twice as large is room enough.
BAOAB_STEP, BAOAB_STEP_IN_MANY = 0.5, 0.7
# SGLD multiplies a direction's variance by 1/(1 − εω²/4); the coarse chains are at twice this ε.
SGLD_STEP = 0.4
_SGLD_BATCH = 256
# Samples up to which a full-batch step is taken; of small networks more, as long as samples times
# parameters (or numbers kept for the backward pass, if those are more) are no more than this:
# about half a second a chain's step on a core. Minibatches of SGLD cost less and read wrong by tens
# of per cent at any step that forgets w* in a few thousand steps (docs/estimator.md).
_LARGEST_FULL_BATCH, _LARGEST_WORK = 100_000, 2e9
# In parts of so many samples, or of more: a compiled step of many parts is long.
_PART, _MOST_PARTS = 10_000, 20
# The shortest chains, of half as many steps in many dimensions, where means are steadier; and what
# is dropped of each, in times that the softest direction needs to forget: e^−4 of the start is
# left, a thousandth of λ̂ in the mean over the shortest chains.
FEWEST_STEPS, RELAXATIONS_DROPPED = 300, 4.0
_PILOT_STEPS = 80
# Where neither localisation nor curvature tells of a softest direction, in 1/time.
_FREE_FRICTION = 0.1
# Parameters up to which the softest direction is looked for; among more there is always one that γ
# alone holds.
_FEW = 50
_PLACES, _MOST_PLACES = 1000, 6
COARSE = 2.0
"""How many times longer the coarse chains' step is."""
# Chains a posterior, a quarter of them at the coarse step; more where a step reads few numbers and
# costs next to nothing, and for few parameters, whose λ̂ fluctuates by as much as it is.
_CHAINS, _CHEAP_CHAINS, _CHEAP_STEP = 4, 16, 4096
# On all data two chains keep their activations in a CPU's second-level cache; one to four are
# equally fast, eight cost 15 % more. So few also fill every later call, which compiles nothing.
_FULL_BATCH_CHUNK = 2
# At another localization: half of the cheap chains fill a chunk of the others' shape on two cores,
# so that nothing is compiled anew.
_SIDE_CHAINS, _CHEAP_SIDE_CHAINS = 1, 8
# A pilot is repeated with the shorter step where it met a curvature so many times larger.
_GROWN, _MOST_GROWTH = 1.5, 16.0
# A shorter pilot may stay near w* and meet nothing of what the longer step ran into. From what that
# step was made for, the curvature is held so many times larger: half the step of BAOAB.
_HELD = 4.0
_TINY_STEP = 1e-12  # of a posterior that has none: nothing is read from its chains
_MOST_PILOTS, _MOST_HALVINGS = 10, 6
# Of the memory, for backward passes.
_MEMORY_SHARE = 0.25


@dataclass
class StepChoice:
    """How a list of posteriors is sampled.

    Attributes:
        kernel: With a step size of 1: the steps come as factors.
        scale: h·ω of BAOAB or εω² of SGLD, with ω² the largest curvature.
        steps: [posterior], of the fine chains; NaN where no step keeps a chain finite.
        forgetting: [posterior], steps in which the variance of the softest direction is forgotten
            e-fold: 1/(c·h) for BAOAB, underdamped there, 1/(ε·γ) for SGLD.
        is_cheap: Whether parameters are few, or a step costs next to nothing.
        num_chains: Chains a posterior.
        num_side_chains: Chains a posterior at another localization.
        chunk_size: Chains at once, the same in all calls, so that one compiled step serves all, and
            on all machines, so that a trace begun on one can be resumed on another.
    """

    kernel: Kernel
    scale: float
    steps: NDArray[np.float64]
    forgetting: NDArray[np.float64]
    is_cheap: bool
    num_chains: int
    num_side_chains: int
    chunk_size: int

    @property
    def is_mixed(self) -> bool:
        """Whether chains of several posteriors are in one chunk, which are all equally long."""
        return self.chunk_size > self.num_chains

    @property
    def fewest_steps(self) -> int:
        """Of the shortest chains."""
        return FEWEST_STEPS if self.is_cheap else FEWEST_STEPS // 2

    def halve(self, which: Sequence[int]) -> None:
        """Shorter steps for some of the posteriors."""
        self.steps[list(which)] /= 2
        self.forgetting[list(which)] *= 2


def choose_step(
    many: Sequence[LocalPosterior],
    labels: Sequence[int],
    common: dict[str, Any],
    *,
    progress: bool = False,
) -> StepChoice:
    """Sampler and steps for posteriors of equal shape.

    Args:
        many: The posteriors, of one data set.
        labels: Of their checkpoints.
        common: Further arguments of `sample`: seed, device, compile.
        progress: Show what is being done; the first pilot is when the step is compiled.
    """
    with Progress("choosing the step: curvature, compiling", unit="pilot", wanted=progress) as bar:
        return _chosen(many, labels, common, bar)


def _chosen(
    many: Sequence[LocalPosterior], labels: Sequence[int], common: dict[str, Any], bar: Progress
) -> StepChoice:
    device = choose_device(common["device"])
    softest = _softest(many, common["device"])
    kernel = _kernel(many, softest, device)
    cheap = _is_cheap(many, kernel)
    num_chains = _CHEAP_CHAINS if cheap else _CHAINS
    num_pilots = num_chains if cheap else 1
    chunk_size = _chunk_size(many, kernel, device, cheap)
    common = {**common, "chunk_size": chunk_size, "num_chains": num_pilots}
    scale = _scale(kernel, cheap)
    steps = _rounded(_steps(kernel, _curvature(many, kernel, labels, common, scale, bar), scale))
    forgetting = _forgetting(softest, kernel, steps)
    return StepChoice(
        kernel=kernel,
        scale=scale,
        steps=steps,
        forgetting=forgetting,
        is_cheap=cheap,
        num_chains=num_chains,
        num_side_chains=_CHEAP_SIDE_CHAINS if cheap else _SIDE_CHAINS,
        chunk_size=chunk_size,
    )


def _softest(many: Sequence[LocalPosterior], device: str) -> NDArray[np.float64]:
    """The least curvature that is known to hold chains in every direction, [posterior]."""
    if many[0].num_parameters <= _FEW:
        return least_curvature(many, device)
    return np.array([posterior.localization for posterior in many])


def _kernel(
    many: Sequence[LocalPosterior], softest: NDArray[np.float64], device: torch.device
) -> Kernel:
    """The sampler, with a step size of 1: the steps come as factors, one a posterior.

    Args:
        many: The posteriors.
        softest: `_softest`.
        device: Where they are sampled.
    """
    largest = max(posterior.samples.num_samples for posterior in many)
    fitting = largest * _fitting(many[0], largest, device)
    part = int(min(largest, max(_PART, ceil_div(largest, _MOST_PARTS)), fitting))
    if _is_slow(many[0], largest) or largest > part * _MOST_PARTS:
        return SGLD(step_size=1.0, batch_size=_SGLD_BATCH)
    num_parts = ceil_div(largest, part) if largest > 0 else 1
    # A friction of 2ω forgets the softest direction fastest; half of that hardly costs it time and
    # leaves the others freer. More than 2ω would slow it down, so the softest of all posteriors'
    # decides. Two digits, since a step is compiled for its friction.
    held = softest[softest > 0]
    return BAOAB(
        step_size=1.0,
        friction=float(f"{math.sqrt(held.min()):.2g}") if len(held) else _FREE_FRICTION,
        microbatch_size=ceil_div(largest, num_parts) if num_parts > 1 else None,
    )


def _is_slow(posterior: LocalPosterior, num_samples: int) -> bool:
    """Whether a gradient on so many samples takes too long for every step."""
    if num_samples <= _LARGEST_FULL_BATCH:
        return False
    kept = posterior.bytes_per_sample / posterior.w_star.element_size()
    return num_samples * max(posterior.num_parameters, kept) > _LARGEST_WORK


def _fitting(posterior: LocalPosterior, num_samples: int, device: torch.device) -> float:
    """Chains whose backward pass over so many samples fits into memory, on each core."""
    memory = total_memory(device)
    if memory is None or num_samples == 0:
        return math.inf
    workers = 1 if device.type == "cuda" else available_cores()
    kept = max(posterior.bytes_per_sample, 1.0) * num_samples * workers
    return _MEMORY_SHARE * memory / kept


def _chunk_size(
    many: Sequence[LocalPosterior], kernel: Kernel, device: torch.device, cheap: bool
) -> int:
    """`StepChoice.chunk_size`: no function of the cores, but for the memory that they share."""
    total = len(many) * (_CHEAP_CHAINS if cheap else _CHAINS)
    elements = batch_elements(many[0], kernel)
    # On a CPU half of the chains at most, so that two cores have work even at one posterior.
    most = ceil_div(total, 2) if device.type == "cpu" else total
    wanted = default_chunk(most, many[0].num_parameters, elements, device)
    if device.type == "cpu" and isinstance(kernel, BAOAB) and not cheap:
        wanted = min(wanted, _FULL_BATCH_CHUNK)
    at_once = kernel.microbatch_size or kernel.batch_size or many[0].samples.num_samples
    return max(1, int(min(wanted, _fitting(many[0], at_once, device))))


def _is_cheap(many: Sequence[LocalPosterior], kernel: Kernel) -> bool:
    num_parameters = many[0].num_parameters
    return num_parameters <= _FEW or (
        max(num_parameters, batch_elements(many[0], kernel)) <= _CHEAP_STEP
    )


def _scale(kernel: Kernel, cheap: bool) -> float:
    """h·ω of BAOAB, εω² of SGLD."""
    if not isinstance(kernel, BAOAB):
        return SGLD_STEP
    return BAOAB_STEP if cheap else BAOAB_STEP_IN_MANY


def _steps(kernel: Kernel, curvature: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Step size of the fine chains, [posterior]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return scale / (np.sqrt(curvature) if isinstance(kernel, BAOAB) else curvature)


def _curvature(
    many: Sequence[LocalPosterior],
    kernel: Kernel,
    labels: Sequence[int],
    common: dict[str, Any],
    scale: float,
    bar: Progress,
) -> NDArray[np.float64]:
    """The largest curvature at w* and along pilots, [posterior]; NaN where all ran away."""
    at_start = largest_curvature(many, device=common["device"])
    for posterior, label, curvature in zip(many, labels, at_start, strict=True):
        if curvature == 0 and posterior.localization == 0:
            raise LambdascopeError(
                f"checkpoint {label}: the potential is flat at w* and localization=0, so nothing "
                "tells how long a step may be; a localization above 0 is accepted."
            )
    search = _Search(at_start)
    # In few dimensions curvature differs from place to place; in many one place is like another.
    places = int(np.clip(_PLACES // many[0].num_parameters, 1, _MOST_PLACES))
    w_star = np.stack([posterior.w_star.cpu().numpy() for posterior in many])
    for _ in range(_MOST_PILOTS):
        visited, sane = _pilot(
            many, kernel, labels, common, _steps(kernel, search.found, scale), places, w_star
        )
        bar.say("choosing the step: pilots")
        bar.update()
        points = np.where(sane[:, :, None], visited, w_star[:, None])
        along = largest_curvature(many, points, device=common["device"])
        search.hear(np.where(sane.all(axis=1), np.fmax(at_start, along), np.inf))
        if search.settled.all():
            break
    found = np.where(search.settled, search.found, np.nan)
    # A few samples that outweigh the rest are not among those that the curvature is measured on.
    # Chains of the longer step tell: where they run away the steps are halved.
    for _ in range(_MOST_HALVINGS):
        steps = COARSE * np.nan_to_num(_steps(kernel, found, scale), nan=0.0)
        _, sane = _pilot(many, kernel, labels, common, np.fmax(steps, _TINY_STEP), places, w_star)
        bar.update()
        steady = sane.all(axis=1) | np.isnan(found)
        if steady.all():
            break
        found = np.where(steady, found, found * (4 if isinstance(kernel, BAOAB) else 2))
    else:
        found = np.where(steady, found, np.nan)
    return found


def _pilot(
    many: Sequence[LocalPosterior],
    kernel: Kernel,
    labels: Sequence[int],
    common: dict[str, Any],
    steps: NDArray[np.float64],
    places: int,
    w_star: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Where short chains of such steps went, [posterior, place, param], and which are sane."""
    pilot = sample(
        many,
        kernel,
        num_steps=_PILOT_STEPS,
        checkpoints=labels,
        thinning=max(1, (_PILOT_STEPS - 1) // places),
        step_factors=np.repeat(steps[:, None], common["num_chains"], axis=1),
        observables={"w": many[0].layout.ravel},
        progress=False,
        **common,
    )
    visited = np.asarray(pilot["w"].values)[:, :, 1:].reshape(len(many), -1, w_star.shape[1])
    sane = np.isfinite(visited).all(axis=2) & ~_ran_away(many, visited - w_star[:, None])
    return visited, sane


def _ran_away(many: Sequence[LocalPosterior], moved: NDArray[np.floating]) -> NDArray[np.bool_]:
    """[posterior, place], of displacements [posterior, place, param]."""
    withstood = [posterior.localization / max(posterior.num_free, 1) for posterior in many]
    with np.errstate(all="ignore"):
        square = np.square(moved.astype(np.float64)).sum(axis=2)
        return np.asarray(withstood)[:, None] * square > ABSURD_REACH


class _Search:
    """Curvatures that pilots confirm: each is sampled at a step made for what was found so far.

    Attributes:
        found: [posterior], the curvature that the next pilot's step is made for.
        settled: [posterior], whether a pilot met no more than that.
    """

    def __init__(self, found: NDArray[np.float64]) -> None:
        self.found, self.settled = found, np.zeros(len(found), dtype=bool)
        self._least = np.zeros(len(found))

    def hear(self, met: NDArray[np.float64]) -> None:
        """Take what the pilots met, [posterior]; infinite where one ran away."""
        # A pilot whose step was too long went where no chain goes: what it met there says only
        # that the step must be shorter.
        longer = (met > _GROWN * self.found) & ~self.settled
        grown = np.fmin(met, _MOST_GROWTH * self.found)
        held = np.fmin(grown, _HELD * self.found)
        confirmed = np.where(self.settled, self.found, np.fmax(met, self._least))
        self._least = np.where(longer, np.fmax(held, self._least), self._least)
        self.found = np.where(longer, grown, confirmed)
        self.settled |= ~longer


def _forgetting(
    softest: NDArray[np.float64], kernel: Kernel, steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`StepChoice.forgetting`."""
    if isinstance(kernel, BAOAB):
        return 1 / (kernel.friction * steps)
    return 1 / (np.fmax(softest, _FREE_FRICTION**2) * steps)


def _rounded(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """To three digits, which is what people read and a second run surely meets again."""
    return np.array([float(f"{step:.3g}") for step in steps])
