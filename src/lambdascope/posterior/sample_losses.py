"""The loss of each sample, watched along the chains."""

import operator
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError, shown
from lambdascope.posterior.local_posterior import LocalPosterior


class SampleLosses:
    """An observable: ℓ_i(w), the loss of each of some samples, at every draw.

        watch = {"sample_loss": ls.SampleLosses(posterior)}
        trace = ls.sample(posterior, kernel, observables=watch, thinning=20)

    `functional_variance` and `loss_covariance` read it. Each draw costs a forward pass over the
    samples, and stores as many numbers.

    Args:
        posterior: Whose model, loss and data; for several checkpoints with the same data, any one.
        samples: Positions of the samples to watch, all by default.

    Raises:
        LambdascopeError: for a potential without data, or a position that is none.
    """

    def __init__(self, posterior: LocalPosterior, samples: Sequence[int] | None = None) -> None:
        if not isinstance(posterior, LocalPosterior):
            raise LambdascopeError(
                f"posterior is a {type(posterior).__name__}; a LocalPosterior is accepted."
            )
        num_samples = posterior.samples.num_samples
        if num_samples == 0:
            raise LambdascopeError(
                "SampleLosses of a potential without data: a posterior with data is needed."
            )
        try:
            given = range(num_samples) if samples is None else samples
            positions = [operator.index(position) for position in given]
        except TypeError as error:
            raise LambdascopeError(
                f"samples={shown(samples)}: a list of positions, whole numbers, is accepted."
            ) from error
        wrong = [position for position in positions if not 0 <= position < num_samples]
        if wrong or not positions:
            raise LambdascopeError(
                f"samples={shown(wrong[0] if wrong else positions)}: one or more positions from "
                f"0 to {num_samples - 1} are accepted."
            )
        self.objective = posterior.objective
        self.rebuild = posterior.samples.rebuild
        index = torch.tensor(positions, device=posterior.w_star.device)
        self.tensors = tuple(tensor[index] for tensor in posterior.samples.tensors)

    def __call__(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """[sample], in the unit of the loss, at one chain's parameters by name."""
        device = next(iter(parameters.values())).device
        tensors = tuple(tensor.to(device) for tensor in self.tensors)
        return self.objective.at(parameters, self.rebuild(tensors)).double()
