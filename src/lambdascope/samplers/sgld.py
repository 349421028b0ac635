"""Stochastic-gradient Langevin dynamics.

    w ← w − (ε/2)·∇Û(w) + √ε·ξ,    ξ ~ N(0, I),    Û = nβ·L_m(w) + (γ/2)·‖w − w*‖² + …

Source: Welling & Teh 2011; Lau et al. 2023 (arXiv 2308.12108, Algorithm 1). There are two
conventions for ε; this is the one with the half, in which ε is the variance of the injected noise.
docs/conventions.md says who uses which.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from lambdascope.samplers.base import Info, Kernel, Noise, State, Target, scaled
from lambdascope.samplers.moves import placed


class SGLD(Kernel):
    """SGLD with a constant step.

    Its stationary distribution is the posterior up to errors of order ε and, with minibatches,
    of order ε/m: see docs/conventions.md before trusting λ̂ to better than a fifth.
    """

    takes_step_factors: ClassVar[bool] = True

    step_size: float = Field(gt=0, allow_inf_nan=False)
    """ε, in parameter²."""

    def init(self, w: Tensor) -> State:
        """Nothing but the weights."""
        return {"w": w}

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One step: w ← w* + restrict(w − w* − (ε/2)·∇Û + √ε·ξ)."""
        w = state["w"]
        now = target.evaluate(w)
        xi = noise.normal(w.shape[1])
        epsilon = scaled(self.step_size, target)
        move = epsilon**0.5 * xi - (epsilon / 2) * now.potential_gradient
        w = placed(target, (w - target.w_star) + move, self.bounding_box)
        return {"w": w}, {"loss": now.loss}
