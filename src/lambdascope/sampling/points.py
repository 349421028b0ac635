"""Points along a chain as an observable, and what records cost before anything runs."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError, shown
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.restrictions import Parameters
from lambdascope.samplers.base import Kernel
from lambdascope.sampling.checks import (
    check_kernel,
    check_observables,
    check_posteriors,
    observable_failed,
    whole_number,
)
from lambdascope.sampling.plan import ceil_div
from lambdascope.sampling.runner import Observable, tensor_of

Precision = Literal["float16", "float32"]

_DTYPES: dict[str, torch.dtype] = {"float16": torch.float16, "float32": torch.float32}


class PointSamples:
    """An observable for `sample`: the weights themselves, as a flat vector.

    `sample(..., thinning=10, observables={"points": PointSamples("embedding")})` keeps every tenth
    point of each chain; `trace_bytes` says beforehand what that takes.

    Args:
        patterns: which parameters, as in `Parameters`; none for all of them.
        precision: float16 keeps a weight to a relative 5e-4, and takes half the room; weights above
            65,504 become infinite.

    Raises:
        LambdascopeError: precision is unknown; when called, a pattern matches nothing.
    """

    def __init__(self, *patterns: str, precision: Precision = "float16") -> None:
        if not isinstance(precision, str) or precision not in _DTYPES:
            raise LambdascopeError(f"precision={shown(precision)}: float16 or float32 is accepted.")
        if patterns:
            Parameters(*patterns)  # refuses what is no pattern
        self.patterns, self.precision = patterns, precision

    def __call__(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """One chain's tensors by name → [param], in the order of the names."""
        names = list(parameters)
        chosen = Parameters(*self.patterns).select(names) if self.patterns else names
        flat = torch.cat([parameters[name].reshape(-1) for name in chosen])
        return flat.to(_DTYPES[self.precision])


def trace_bytes(
    posteriors: LocalPosterior | Sequence[LocalPosterior],
    kernel: Kernel,
    *,
    num_chains: int,
    num_steps: int,
    thinning: int = 10,
    observables: Mapping[str, Observable] | None = None,
) -> dict[str, int]:
    """What the records of a call of `sample` will take, before it runs.

    With `store`, this goes to disk, and memory holds the records of 250 steps; without, it is held
    in memory.

    Args:
        posteriors: as given to `sample`; so are the arguments below.
        kernel: the sampler.
        num_chains: chains a posterior.
        num_steps: steps a chain.
        thinning: steps between draws.
        observables: by name.

    Returns:
        record → bytes: the kernel's own (`loss` and such) and `distance`, `weight_norm` and the
        observables. Sum the values for the whole.

    Raises:
        LambdascopeError: an argument that `sample` refuses, or an observable that fails on the
            posterior's weights.
    """
    many = check_posteriors(posteriors)
    check_kernel(kernel, many[0].w_star.dtype)
    num_chains = whole_number("num_chains", num_chains, 1)
    num_steps = whole_number("num_steps", num_steps, 1)
    thinning = whole_number("thinning", thinning, 1)
    watched = check_observables(observables, kernel.info_names)
    first, chains = many[0], len(many) * num_chains
    own = str(first.w_star.dtype).removeprefix("torch.")
    draws = ceil_div(num_steps, thinning)
    sizes = {name: chains * num_steps * _itemsize(own) for name in kernel.info_names}
    sizes |= {name: chains * draws * _itemsize(own) for name in ("distance", "weight_norm")}
    parameters = {**first.layout.unravel(first.w_star), **first.held}
    for name, observable in watched.items():
        try:
            drawn = tensor_of(observable(parameters))
        except Exception as error:
            accepted = "a function of one chain's parameters by name that returns a tensor"
            raise observable_failed(name, error, parameters, accepted) from error
        size = _itemsize(recorded_dtype(drawn.dtype, own))
        sizes[name] = chains * draws * drawn.numel() * size
    return sizes


def recorded_dtype(drawn: torch.dtype, own: str) -> str:
    """The NumPy type in which a draw is kept: its own if that is float16, else the weights'."""
    return "float16" if drawn == torch.float16 else own


def _itemsize(name: str) -> int:
    return {"float16": 2, "float32": 4, "float64": 8}[name]
