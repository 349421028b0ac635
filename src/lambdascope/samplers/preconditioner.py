"""The diagonal preconditioner that RMSprop- and Adam-preconditioned SGLD share.

    V ← α·V + (1 − α)·g²,    G = 1/(λ + √(V/(1 − αᵗ))),

with g the gradient of the minibatch's loss alone (neither γ nor weight decay nor nβ enters), V = 0
at first, and t the number of gradients seen: dividing by 1 − αᵗ corrects the bias of that start.

The dynamics w ← w − (ε/2)·G·∇U + √(εG)·ξ has the posterior as its stationary distribution, for
ε → 0, if G is constant. If G follows the chain, a term (ε/2)·Γ with Γ_i = ∂G_ii/∂w_i is missing,
which needs second derivatives and is neglected here, as nearly everywhere. What that costs depends
on how long V remembers, 1/(1 − α) steps, beside the steps that the chain takes to forget where it
was. If V remembers longer, little. If less (small ε, full batch), V follows the chain and the
distribution becomes exp(−U)/√det G instead of exp(−U): **a smaller ε then makes it worse**. In
one Gaussian direction, at λ = 0, that doubles E[U] − min U, and so λ̂ (tests/samplers measure it).
`num_adaptation_steps` stops V after so many steps, and with it the error: the sampler is then SGLD
in rescaled parameters.

Source: Li, Chen, Carlson & Carin 2016 (arXiv 1512.07666), who also bound the neglected term.
"""

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.samplers.base import Kernel, State


class PreconditionedKernel(Kernel):
    """The settings of samplers with a diagonal preconditioner."""

    step_size: float = Field(gt=0, allow_inf_nan=False)
    """ε: G·ε is in parameter², so ε is in loss·parameter."""

    decay: float = Field(default=0.99, ge=0, lt=1)
    """α: V remembers 1/(1 − α) steps."""

    damping: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """λ, in loss/parameter: no element takes steps larger than ε/λ makes them. Small values let
    elements without gradient, the degenerate ones, take very large steps."""

    num_adaptation_steps: int | None = Field(default=None, ge=1)
    """Steps after which the preconditioner stays as it is; `estimate_llc` leaves these steps out.
    None: it adapts for ever, as published."""

    @property
    def num_warmup_steps(self) -> int:
        """Steps until the preconditioner stays as it is; 0 where it adapts for ever."""
        return self.num_adaptation_steps or 0

    def adapted(self, state: State, loss_gradient: Tensor) -> tuple[State, Tensor]:
        """The averages after one more gradient [chain, param], and the diagonal of G."""
        share = 1 - self.decay
        square = self.decay * state["square"] + share * loss_gradient**2
        square_weight = self.decay * state["square_weight"] + share
        number = state["number"] + 1
        if self.num_adaptation_steps is not None:
            adapting = (number <= self.num_adaptation_steps)[:, None]
            square = torch.where(adapting, square, state["square"])
            square_weight = torch.where(adapting, square_weight, state["square_weight"])
        averages = {"square": square, "square_weight": square_weight, "number": number}
        return averages, 1 / (self.damping + (square / square_weight).sqrt())


def no_averages(w: Tensor) -> State:
    """V [chain, param], its weight 1 − αᵗ [chain, 1] and t [chain], before the first gradient."""
    return {
        "square": torch.zeros_like(w),
        "square_weight": torch.zeros_like(w[:, :1]),
        "number": torch.zeros_like(w[:, 0], dtype=torch.int32),
    }
