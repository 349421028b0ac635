"""SGLD preconditioned as in Adam: momentum in the drift, and the scale of RMSprop.

    M ← β·M + (1 − β)·∇Û(w)
    w ← w − (ε/2)·G·M/(1 − βᵗ) + √(εG)·ξ,    ξ ~ N(0, I)

with the diagonal G of `preconditioner.py`, M = 0 at first, and t the number of gradients seen.
Source: Kingma & Ba 2015 for the averages; Kim, Song & Liang 2022 ("Stochastic gradient Langevin
dynamics with adaptive drifts") for drifts of this kind.
"""

import math

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.samplers.base import Info, Noise, State, Target
from lambdascope.samplers.moves import placed
from lambdascope.samplers.preconditioner import PreconditionedKernel, no_averages


class AdamSGLD(PreconditionedKernel):
    """SGLD whose drift is a running mean of gradients, scaled by the size of recent ones.

    The mean lags behind the chain: with β = 0.9 the error of a step is some 19 times that of
    `RMSpropSGLD`, by the factor (1 + β)/(1 − β), and still O(ε); ε has to be smaller. It does not
    lessen the noise of minibatches, which the mean only spreads over several steps. For Γ, which is
    neglected, see `preconditioner.py`.
    """

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """β: the drift averages over 1/(1 − β) steps; 0: `RMSpropSGLD`."""

    def init(self, w: Tensor) -> State:
        """The weights, and averages of nothing yet."""
        return {
            "w": w,
            **no_averages(w),
            "mean": torch.zeros_like(w),
            "mean_weight": torch.zeros_like(w[:, :1]),
        }

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One step, restricted as in `RMSpropSGLD`."""
        w, share = state["w"], 1 - self.momentum
        now = target.evaluate(w)
        averages, scale = self.adapted(state, now.loss_gradient)
        force = target.restrict(now.potential_gradient)
        averages["mean"] = self.momentum * state["mean"] + share * force
        averages["mean_weight"] = self.momentum * state["mean_weight"] + share
        drift = scale * averages["mean"] / averages["mean_weight"]
        xi = noise.normal(w.shape[1])
        move = math.sqrt(self.step_size) * scale.sqrt() * xi - (self.step_size / 2) * drift
        w = placed(target, (w - target.w_star) + move, self.bounding_box)
        return {"w": w, **averages}, {"loss": now.loss}
