"""What samplers with an acceptance test share: all data, energies, the choice between two states.

The chain's weights are those last accepted, and the recorded loss is theirs: a rejected proposal
counts its old weights once more, as it must for the mean to be unbiased.
"""

from typing import ClassVar

import torch
from pydantic import field_validator
from torch import Tensor

from lambdascope.samplers.base import Kernel, State, Target

# An energy that grows by more is a trajectory gone astray, not a small chance (as Stan has it).
LARGEST_ENERGY_ERROR = 1000.0


class MetropolisKernel(Kernel):
    """A sampler on the full batch whose proposals are accepted or rejected.

    Its stationary distribution is the posterior itself, to rounding, at any step size and within
    any bounding box. A proposal without a finite energy is rejected; `divergent` reports it, and
    where already the start has none, so does the loss.
    """

    info_names: ClassVar[tuple[str, ...]] = ("loss", "acceptance", "divergent")

    @field_validator("batch_size")
    @classmethod
    def _refuse_minibatches(cls, batch_size: int | None) -> int | None:
        if batch_size is not None:
            raise ValueError(
                "input should be None, all data: a minibatch can't tell whether a proposal is to "
                "be accepted (SGLD and BAOAB take minibatches; microbatch_size bounds the memory)"
            )
        return batch_size


def unevaluated(w: Tensor) -> State:
    """Loss, potential and gradient of weights that were not evaluated yet: U = ∞ stands for it."""
    return {
        "loss": torch.zeros_like(w[:, 0]),
        "potential": torch.full_like(w[:, 0], torch.inf, dtype=torch.float64),
        "gradient": torch.zeros_like(w),
    }


def evaluated(target: Target, w: Tensor) -> State:
    """Weights, and loss, potential and restricted gradient of U there."""
    now = target.evaluate(w)
    return {
        "w": w,
        "loss": now.loss,
        "potential": target.potential(w, now.loss),
        "gradient": target.restrict(now.potential_gradient),
    }


def kinetic_energy(v: Tensor) -> Tensor:
    """‖v‖²/2 of each chain, [chain], in float64; unit mass."""
    return (v * v).sum(dim=1, dtype=torch.float64) / 2


def judged(log_ratio: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The Metropolis test, each [chain].

    Args:
        log_ratio: Old total energy less the new one; NaN is rejected.
        uniform: On (0, 1).

    Returns:
        Whether accepted, the probability of it, and 1 where the energy is astray, else 0.
    """
    accepted = uniform.double().log() < log_ratio
    probability = torch.nan_to_num(log_ratio, nan=-torch.inf).clamp(max=0.0).exp()
    divergent = ~(log_ratio > -LARGEST_ENERGY_ERROR)
    return accepted, probability.to(uniform.dtype), divergent.to(uniform.dtype)


def chosen(where: Tensor, new: State, old: State) -> State:
    """For each chain the entries of `new` where `where` [chain] is true, else those of `old`."""
    return {
        name: torch.where(where.reshape(-1, *(1,) * (tensor.ndim - 1)), tensor, old[name])
        for name, tensor in new.items()
    }
