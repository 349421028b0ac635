"""The stiffest direction of a potential, from which step sizes follow, and the softest one."""

import contextlib
import math
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
from lambdascope.threads import denormals_flushed, one_thread

# Of power iterations: then within some ten per cent, which is all that a step size needs.
_ITERATIONS = 12
# Samples that the curvature is measured on, as far as they keep no more than so many bytes for a
# backward pass, and numbers that are evaluated at once.
_MOST_SAMPLES, _MOST_BYTES = 4096, 1 << 30
_AT_ONCE = 1 << 19
# Length of the finite difference, in units of ‖w‖ or of 1, whichever is more: the third root of a
# float32 rounding error, where truncation and rounding are about equal.
_REACH = 3e-3
# Places beside w* at which the softest direction is looked for.
_PLACES_BESIDE = 8


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
    with one_thread(), denormals_flushed():
        found = [
            _of_chunk(stack, which[start : start + size], w[start : start + size], samples)
            for start in range(0, len(w), size)
        ]
    by_place = torch.cat(found).reshape(-1, num_places)
    return by_place.amax(dim=1).double().cpu().numpy()


def least_curvature(
    posteriors: Sequence[LocalPosterior], device: str = "auto"
) -> NDArray[np.float64]:
    """The least eigenvalue of ∇²U around w* of each posterior, in 1/parameter²; at least γ.

    By the matrix itself, in central differences of the gradient, so for few parameters; within the
    directions that may move, and on the samples that `largest_curvature` takes. At w* and, where
    all directions are stiffer than the localisation there, at eight draws of the normal
    distribution that has this curvature: the least of all counts. The differences' error, as far as
    it shows in their asymmetry, is taken off.

    Args:
        posteriors: Of equal shape.
        device: As for `sample`.

    Returns:
        [posterior]; γ where the potential does not curve upwards in every direction, or the
        gradient is not finite.
    """
    stack = PosteriorStack(posteriors, choose_device(device))
    floor = np.array([posterior.localization for posterior in posteriors])
    samples, size = _at_once(posteriors, stack.w_star.shape[1])
    values, vectors = _spectra(stack, range(len(posteriors)), stack.w_star, samples, size)
    least = np.fmax(values[:, 0].cpu().numpy(), floor)
    stiff = np.flatnonzero(least > floor)
    if not len(stiff):
        return least
    # The same draws of a standard normal distribution for each, in its own directions and widths.
    which = stiff.repeat(_PLACES_BESIDE)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(_PLACES_BESIDE, values.shape[1], generator=generator, dtype=values.dtype)
    drawn = drawn.to(values).repeat(len(stiff), 1)
    widths = values[which].clamp(min=torch.finfo(values.dtype).tiny).rsqrt()
    moved = torch.einsum("pij,pj->pi", vectors[which], drawn * widths)
    beside = stack.w_star[which] + moved.to(stack.w_star)
    found, _ = _spectra(stack, which.tolist(), beside, samples, size)
    met = found[:, 0].reshape(-1, _PLACES_BESIDE).amin(dim=1).cpu().numpy()
    least[stiff] = np.fmax(np.fmin(least[stiff], np.nan_to_num(met, nan=-np.inf)), floor[stiff])
    return least


def _spectra(
    stack: PosteriorStack, which: Sequence[int], here: Tensor, samples: int, size: int
) -> tuple[Tensor, Tensor]:
    """Rising eigenvalues [place, param] and -vectors [place, param, param], in float64.

    Of the directions that may not move the values are infinite. NaN values where the gradient is
    not finite. What the matrix lacks in symmetry is taken off each value.

    Args:
        stack: The posteriors.
        which: Whose each place is.
        here: Weights [place, param].
        samples: That the curvature is measured on.
        size: Places that are evaluated at once.
    """
    num_parameters = here.shape[1]
    matrices, free = [], []
    with one_thread(), denormals_flushed():
        axes = torch.eye(num_parameters, dtype=here.dtype, device=here.device)
        for start in range(0, len(here), size):
            some = slice(start, start + size)
            products = _Products(stack, list(which[some]), here[some], samples)
            with products.explained():
                allowed = [
                    products.target.restrict(axis.expand_as(here[some]).clone()) for axis in axes
                ]
                matrices.append(torch.stack([products(axis) for axis in allowed], dim=1).double())
            free.append(torch.stack(allowed, dim=1).double())
    matrix, projection = torch.cat(matrices), torch.cat(free)
    rounding = torch.linalg.matrix_norm((matrix - matrix.mT) / 2)
    finite = torch.isfinite(matrix).all(dim=(1, 2))
    matrix = torch.where(finite[:, None, None], (matrix + matrix.mT) / 2, 0.0)
    # Where nothing may move the projection lacks an eigenvalue of 1: it is made a very stiff one.
    held = torch.eye(num_parameters, dtype=torch.float64, device=here.device) - projection
    stiffest = 1e3 * (1 + torch.linalg.matrix_norm(matrix))[:, None, None]
    values, vectors = torch.linalg.eigh(matrix + stiffest * (held + held.mT) / 2)
    values = values - rounding[:, None]
    values = torch.where(values > stiffest[:, 0] / 2, math.inf, values)
    return torch.where(finite[:, None], values, math.nan), vectors


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
    products = _Products(stack, which, here, samples)
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(here.shape[1], generator=generator, dtype=torch.float64).to(here)
    v = _unit(products.target.restrict(direction.expand_as(here).clone()))
    curvature = torch.zeros(len(which), dtype=here.dtype, device=here.device)
    with products.explained():
        for _ in range(_ITERATIONS):
            bent = products(v)
            curvature = bent.norm(dim=1)  # at most the largest, and nearer to it each time
            v = _unit(bent)
    return curvature


class _Products:
    """∇²U(w)·v at several places, by central differences of the gradient on some samples."""

    def __init__(self, stack: PosteriorStack, which: list[int], here: Tensor, samples: int) -> None:
        self._stack, self._here, self._samples = stack, here, samples
        self._chains = stack.of_chains(which, torch.zeros(len(which), 4, dtype=torch.int32))
        self.target = self._target_of(self._chains)
        self._reach = _REACH * here.norm(dim=1, keepdim=True).clamp(min=1.0)

    def __call__(self, v: Tensor) -> Tensor:
        """[place, param], of unit vectors `v` [place, param] that may move."""
        ahead = self.target.evaluate(self._here + self._reach * v).potential_gradient
        behind = self.target.evaluate(self._here - self._reach * v).potential_gradient
        return self.target.restrict(ahead - behind) / (2 * self._reach)

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """Errors of the model, said as those of a gradient."""
        return explained_gradients(self._stack, self._chains, self._target_of)

    def _target_of(self, chains: ChainTensors) -> ChunkTarget:
        index = _drawn(chains.num_samples.clamp(1), self._samples) + chains.offset
        batch = tuple(tensor[index] for tensor in self._stack.data)
        return ChunkTarget(self._stack, chains, [batch], shared_batch=not self._stack.has_data)


class CurvatureProducts:
    """(∇²U(w*) + γ)·v of one posterior, the localisation's curvature with the potential's.

    On the samples that `largest_curvature` takes.

    Args:
        posterior: U, γ and w*.
        device: As for `sample`.
    """

    def __init__(self, posterior: LocalPosterior, device: str = "auto") -> None:
        stack = PosteriorStack([posterior], choose_device(device))
        samples, _ = _at_once([posterior], posterior.num_parameters)
        self._products = _Products(stack, [0], stack.w_star, samples)
        self._like = stack.w_star

    def __call__(self, v: Tensor) -> Tensor:
        """[param], of `v` [param], both in float64 and within the directions that may move."""
        length = v.norm().clamp(min=torch.finfo(v.dtype).tiny)
        with self._products.explained():
            bent = self._products((v / length)[None].to(self._like))
        return length * bent[0].to(v)


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
