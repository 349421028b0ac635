"""SGLD preconditioned as in RMSprop.

    w ← w − (ε/2)·G·∇Û(w) + √(εG)·ξ,    ξ ~ N(0, I)

with the diagonal G of `preconditioner.py`. Source: Li et al. 2016 (arXiv 1512.07666); with the bias
of V's start corrected, and V made from the loss gradient alone, as in later uses for λ̂.
"""

import math

from torch import Tensor

from lambdascope.samplers.base import Info, Noise, State, Target
from lambdascope.samplers.moves import placed
from lambdascope.samplers.preconditioner import PreconditionedKernel, no_averages


class RMSpropSGLD(PreconditionedKernel):
    """SGLD whose step is scaled, element by element, by the size of recent gradients.

    The correction Γ = ∂G/∂w is neglected. Its cost is no matter of ε: see `preconditioner.py`, and
    `num_adaptation_steps` for the way out. What else is wrong is as in `SGLD`: O(ε) on the full
    batch, and O(ε/m) with minibatches.
    """

    def init(self, w: Tensor) -> State:
        """The weights, and averages of nothing yet."""
        return {"w": w, **no_averages(w)}

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One step.

        Within a hyperplane, P projecting on it, drift and noise are those of P·G·P: force and
        displacement are both restricted, so that they still fit each other.
        """
        w = state["w"]
        now = target.evaluate(w)
        averages, scale = self.adapted(state, now.loss_gradient)
        force = target.restrict(now.potential_gradient)
        xi = noise.normal(w.shape[1])
        move = math.sqrt(self.step_size) * scale.sqrt() * xi - (self.step_size / 2) * scale * force
        w = placed(target, (w - target.w_star) + move, self.bounding_box)
        return {"w": w, **averages}, {"loss": now.loss}
