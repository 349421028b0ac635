"""Underdamped Langevin dynamics, split as BAOAB.

    B  v ← v − (h/2)·∇Û(w)            half a kick
    A  w ← w + (h/2)·v                half a drift
    O  v ← e^{−ch}·v + √(1 − e^{−2ch})·ξ,    ξ ~ N(0, I)
    A, B                              again

at temperature 1 and unit mass, with h the step and c the friction. Source: Leimkuhler & Matthews
2013, "Rational construction of stochastic numerical methods for molecular sampling" (BAOAB).
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.samplers.base import Info, Kernel, Noise, State, Target, scaled
from lambdascope.samplers.moves import drifted


class BAOAB(Kernel):
    """Underdamped Langevin dynamics, by the BAOAB splitting; one gradient a step.

    On the full batch its weights have the posterior's distribution up to an error of order h², and
    exactly where the potential is quadratic, at any h below the limit of stability (h·ω < 2, ω² the
    largest curvature of U). Small minibatches heat it, by about h/(2c) times the variance of a
    minibatch's gradient along a direction: `kinetic_temperature` shows it.

    It reports, besides the loss, `kinetic_temperature`: ‖v‖² over the number of free directions,
    with v the velocity between the two drifts, before it is refreshed. There v is exactly
    standard normal for a quadratic on the full batch, so that the mean is 1 at any stable h.
    """

    info_names: ClassVar[tuple[str, ...]] = ("loss", "kinetic_temperature")
    takes_step_factors: ClassVar[bool] = True

    step_size: float = Field(gt=0, allow_inf_nan=False)
    """h, in parameter units (a time, at unit mass); h² compares with ε of SGLD."""

    friction: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """c, in 1/parameter units (an inverse time): velocities are forgotten after a time 1/c. Mixing
    is fastest near 2·ω of the softest directions, and ω² ≥ γ, the localization."""

    def init(self, w: Tensor) -> State:
        """At rest: `w` and velocity `v`, both [chain, param]."""
        return {"w": w, "v": torch.zeros_like(w)}

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One step, from kick to kick.

        The half kick that ends a step and the one that begins the next are made at the same
        weights, so they are made as one, here at the beginning: the weights are those of BAOAB
        (but for the very first kick, from rest, which is whole where it would be half), and each
        minibatch serves one kick.
        """
        h = scaled(self.step_size, target)
        now = target.evaluate(state["w"])
        v = target.restrict(state["v"] - h * now.potential_gradient)
        w, v = drifted(target, state["w"], v, h / 2, self.bounding_box)
        temperature = (v * v).sum(dim=1) / target.num_free
        kept = torch.exp(-self.friction * torch.as_tensor(h, dtype=v.dtype, device=v.device))
        fresh = target.restrict(noise.normal(v.shape[1]))
        v = kept * v + torch.sqrt(1 - kept * kept) * fresh
        w, v = drifted(target, w, v, h / 2, self.bounding_box)
        return {"w": w, "v": v}, {"loss": now.loss, "kinetic_temperature": temperature}
