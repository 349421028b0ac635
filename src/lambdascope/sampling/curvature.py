"""The stiffest direction of a potential, from which step sizes follow."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.sampling.gradients import explained_gradients
from lambdascope.sampling.plan import choose_device
from lambdascope.sampling.stack import ChainTensors, PosteriorStack
from lambdascope.sampling.target import ChunkTarget
from lambdascope.threads import one_thread

# Of power iterations: then within some ten per cent, which is all that a step size needs.
_ITERATIONS = 12
# Samples that the curvature is measured on, as far as they keep no more than so many bytes for a
# backward pass, and numbers that are evaluated at once.
_MOST_SAMPLES, _MOST_BYTES = 4096, 1 << 30
_AT_ONCE = 1 << 19
# Length of the finite difference, in units of ‖w‖ or of 1, whichever is more: the third root of a
# float32 rounding error, where truncation and rounding are about equal.
_REACH = 3e-3


def largest_curvature(
    posteriors: Sequence[LocalPosterior],
    points: NDArray[np.floating] | None = None,
    device: str = "auto",
) -> NDArray[np.float64]:
    """The largest absolute eigenvalue of ∇²U over places of each posterior, in 1/parameter².

    By power iteration on central differences of the gradient, within the directions that may move,
    on at most 4,096 samples drawn by chance, fewer where these are large. It is a lower bound,
    usually short by less than a tenth.

    Args:
        posteriors: Of equal shape.
        points: Sampled weights [posterior, place, param]; None: w* alone.
        device: As for `sample`.

    Returns:
        [posterior]; NaN where the gradient is not finite.
    """
    stack = PosteriorStack(posteriors, choose_device(device))
    w, num_places = stack.w_star, 1
    if points is not None:
        num_places = points.shape[1]
        w = torch.as_tensor(points, dtype=stack.dtype, device=stack.device).flatten(0, 1)
    which = [place // num_places for place in range(len(w))]
    samples, size = _at_once(posteriors, w.shape[1])
    # On several threads an embedding's gradient is added up in an order that changes from run to
    # run, and with it the step size, and every bit of the chains.
    with one_thread():
        found = [
            _of_chunk(stack, which[start : start + size], w[start : start + size], samples)
            for start in range(0, len(w), size)
        ]
    by_place = torch.cat(found).reshape(-1, num_places)
    return by_place.amax(dim=1).double().cpu().numpy()


def _at_once(posteriors: Sequence[LocalPosterior], num_parameters: int) -> tuple[int, int]:
    """Samples that the curvature is measured on, and places that are evaluated at once."""
    samples = min(_MOST_SAMPLES, max(p.samples.num_samples for p in posteriors))
    size = max(1, _AT_ONCE // max(samples, num_parameters))
    if samples > 0:
        fitting = int(_MOST_BYTES / max(posteriors[0].bytes_per_sample, 1.0))
        samples = max(1, min(samples, fitting))
        size = max(1, min(size, fitting // samples))
    return samples, size


def _of_chunk(stack: PosteriorStack, which: list[int], here: Tensor, samples: int) -> Tensor:
    """[place], at weights `here` [place, param] of the posteriors `which`."""
    chains = stack.of_chains(which, torch.zeros(len(which), 4, dtype=torch.int32))

    def target_of(chains: ChainTensors) -> ChunkTarget:
        index = _drawn(chains.num_samples.clamp(1), samples) + chains.offset
        batch = tuple(tensor[index] for tensor in stack.data)
        return ChunkTarget(stack, chains, [batch], shared_batch=not stack.has_data)

    target = target_of(chains)
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(here.shape[1], generator=generator, dtype=torch.float64).to(here)
    v = _unit(target.restrict(direction.expand_as(here).clone()))
    reach = _REACH * here.norm(dim=1, keepdim=True).clamp(min=1.0)
    curvature = torch.zeros(len(which), dtype=here.dtype, device=here.device)
    with explained_gradients(stack, chains, target_of):
        for _ in range(_ITERATIONS):
            ahead = target.evaluate(here + reach * v).potential_gradient
            behind = target.evaluate(here - reach * v).potential_gradient
            bent = target.restrict(ahead - behind) / (2 * reach)
            curvature = bent.norm(dim=1)  # at most the largest, and nearer to it each time
            v = _unit(bent)
    return curvature


def _drawn(num_samples: Tensor, samples: int) -> Tensor:
    """Positions [chain, samples] of the samples that count: all of them where that many are there.

    Else by chance, since data may be sorted, but by the same chance in every call.
    """
    if samples >= int(num_samples.max()):
        return torch.arange(max(samples, 1), device=num_samples.device)[None] % num_samples
    generator = torch.Generator().manual_seed(0)
    chance = torch.rand(samples, generator=generator, dtype=torch.float64).to(num_samples.device)
    return (chance[None] * num_samples).long()


def _unit(v: Tensor) -> Tensor:
    return v / v.norm(dim=1, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny)
