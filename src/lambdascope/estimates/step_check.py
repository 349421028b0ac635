"""Whether SGLD's step is small enough where its chains go: asked of the points themselves.

    MALA acceptance     mean of min(1, exp(H − H')) of the step ε on all data as a proposal
    noise ratio         (ε/4)·(nβ)²·tr Cov[∇L_m] / d

∇L_m is the gradient on a minibatch, d the number of free directions. The first says how wrong a
step on all data would be (near 1: the step's own error is small); the second is the variance that
minibatches add to a step, over the variance ε that is injected (far below 1: the temperature is
right). Source: Roberts & Tweedie 1996 for the test; Welling & Teh 2011, §4, for the ratio.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers import SGLD
from lambdascope.samplers.metropolis import evaluated, judged, kinetic_energy
from lambdascope.sampling import sample
from lambdascope.sampling.checks import check_posteriors
from lambdascope.sampling.plan import choose_device
from lambdascope.sampling.stack import PosteriorStack
from lambdascope.sampling.target import ChunkTarget

# Proposals and minibatches drawn at each point; samples whose gradient is taken at once, fewer
# where the points' backward passes would keep more than so many bytes.
_PROPOSALS, _MINIBATCHES, _AT_ONCE = 4, 16, 4096
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class StepCheck:
    """How SGLD's step fares at one checkpoint, where its chains ended.

    Attributes:
        checkpoint: Its label.
        mala_acceptance: Mean acceptance of the step as a Metropolis proposal on all data, in
            [0, 1]; NaN where all chains diverged.
        noise_ratio: Variance that minibatches add to a step, over the injected variance, mean over
            the free directions; 0 on all data.
    """

    checkpoint: int
    mala_acceptance: float
    noise_ratio: float


def check_step(
    posteriors: LocalPosterior | Sequence[LocalPosterior],
    kernel: SGLD,
    *,
    num_chains: int = 4,
    num_steps: int = 500,
    checkpoints: Sequence[int] | None = None,
    seed: int = 0,
    **settings: Any,
) -> list[StepCheck]:
    """Run short chains of SGLD and ask at their ends whether the step was small enough.

    Args:
        posteriors: One, or several of equal shape.
        kernel: SGLD with the step size and batch size in question.
        num_chains: Chains a posterior; one point of each is asked.
        num_steps: Steps that lead there.
        checkpoints: Labels, as for `sample`.
        seed: Of all random streams.
        **settings: Of `sample`: device, compile, progress, chunk_size.

    Raises:
        LambdascopeError: for another kernel, or as `sample`.
    """
    if type(kernel) is not SGLD:
        raise LambdascopeError(
            f"kernel is a {type(kernel).__name__}; an SGLD is accepted, whose step is a proposal "
            "of MALA."
        )
    many = check_posteriors(posteriors)
    labels = list(range(len(many))) if checkpoints is None else list(checkpoints)
    trace = sample(
        list(many),
        kernel,
        num_chains=num_chains,
        num_steps=num_steps,
        thinning=num_steps - 1,
        observables={"w": many[0].layout.ravel},
        checkpoints=labels,
        seed=seed,
        **settings,
    )
    device = choose_device(settings.get("device", "auto"))
    generator = torch.Generator().manual_seed(seed)
    found = []
    for position, posterior in enumerate(many):
        ends = torch.as_tensor(trace["w"].values[position, :, -1])
        ends = ends[torch.isfinite(ends).all(dim=1)]
        acceptance = ratio = math.nan
        if len(ends):
            stack = PosteriorStack([posterior], device)
            ends = ends.to(stack.w_star)
            at_once = _AT_ONCE
            if stack.has_data:
                kept = max(posterior.bytes_per_sample, 1.0) * len(ends)
                at_once = max(1, min(_AT_ONCE, int(_MOST_BYTES / kept)))
            target = _target(stack, ends, at_once)
            acceptance = _acceptance(target, ends, kernel.step_size, generator)
            ratio = _noise_ratio(stack, ends, kernel, generator)
        found.append(StepCheck(labels[position], acceptance, ratio))
    return found


def _target(stack: PosteriorStack, w: Tensor, at_once: int) -> ChunkTarget:
    """All data, so many samples at once, for points `w` [point, param] of one posterior."""
    chains = stack.of_chains([0] * len(w), torch.zeros(len(w), 4, dtype=torch.int32))
    if not stack.has_data:
        return ChunkTarget(stack, chains, [()], shared_batch=True)
    parts = [tensor.split(at_once) for tensor in stack.full_batch()]
    return ChunkTarget(stack, chains, list(zip(*parts, strict=True)), shared_batch=True)


def _acceptance(target: ChunkTarget, w: Tensor, step: float, generator: torch.Generator) -> float:
    here = evaluated(target, w)
    total = 0.0
    for _ in range(_PROPOSALS):
        xi = target.restrict(torch.randn(w.shape, generator=generator).to(w))
        there = evaluated(target, w - step / 2 * here["gradient"] + math.sqrt(step) * xi)
        back = (w - there["w"] + step / 2 * there["gradient"]) / math.sqrt(step)
        log_ratio = here["potential"] - there["potential"]
        log_ratio = log_ratio + kinetic_energy(xi) - kinetic_energy(target.restrict(back))
        _, probability, _ = judged(log_ratio, torch.zeros_like(w[:, 0]))
        total += float(probability.double().mean())
    return total / _PROPOSALS


def _noise_ratio(
    stack: PosteriorStack, w: Tensor, kernel: SGLD, generator: torch.Generator
) -> float:
    if not stack.has_data or kernel.batch_size is None:
        return 0.0
    chains = stack.of_chains([0] * len(w), torch.zeros(len(w), 4, dtype=torch.int32))
    n = int(chains.num_samples[0])
    gradients = []
    for _ in range(_MINIBATCHES):
        index = torch.randint(n, (len(w), kernel.batch_size), generator=generator).to(w.device)
        batch = tuple(tensor[index] for tensor in stack.data)
        target = ChunkTarget(stack, chains, [batch], shared_batch=False)
        gradients.append(target.restrict(target.evaluate(w).loss_gradient).double())
    variance = torch.stack(gradients).var(dim=0).sum(dim=1) / chains.num_free.reshape(-1)
    nbeta = float(chains.nbeta[0])
    return float(kernel.step_size / 4 * nbeta**2 * variance.mean())
