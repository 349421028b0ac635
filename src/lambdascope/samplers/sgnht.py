"""The stochastic-gradient Nosé–Hoover thermostat.

    dw = v dt,    dv = −∇Û(w) dt − ζ·v dt + √(2a)·dW,    dζ = (‖v‖²/d − 1) dt

at temperature 1 and unit mass, d the number of free directions, ζ = a at first. Source: Ding,
Fang, Babbush, Chen, Skeel & Neven 2014, "Bayesian sampling using stochastic gradient thermostats".
They discretise by Euler's rule, which shifts variances by a relative h·ζ/2; here a step is

    B  v ← v − (h/2)·∇Û(w)
    A  w ← w + (h/2)·v
    D  ζ ← ζ + (h/2)·(‖v‖²/d − 1)
    O  v ← e^{−hζ}·v + √(a·(1 − e^{−2hζ})/ζ)·ξ,    ξ ~ N(0, I)
    D, A, B                           again

after Leimkuhler & Shang 2016, "Adaptive thermostats for noisy gradient systems" (BADODAB), whose
error is O(h²).
"""

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.samplers.base import Info, Kernel, Noise, State, Target
from lambdascope.samplers.moves import drifted

# Below this the noise of the O step is taken at ζ = 0, where its formula is 0/0; it differs by a
# relative h·ζ.
_NO_FRICTION = 1e-6


class SGNHT(Kernel):
    """Underdamped dynamics whose friction adapts until the kinetic energy is right.

    The friction takes up the noise of minibatches, as far as that noise is alike in all directions
    and does not depend on the weights: the kinetic temperature comes out right, the distribution of
    the weights only as far as that holds. On the full batch the error is O(h²).

    It reports, besides the loss, `kinetic_temperature` (the mean of ‖v‖²/d before and after the O
    step, which the thermostat keeps at 1 in the long run, whatever the error of the rest) and
    `friction`, ζ: its mean less `diffusion` is what the minibatches' noise adds, about h/2 times
    the variance of their gradient along a direction.
    """

    info_names: ClassVar[tuple[str, ...]] = ("loss", "kinetic_temperature", "friction")

    step_size: float = Field(gt=0, allow_inf_nan=False)
    """h, in parameter units (a time, at unit mass); h² compares with ε of SGLD."""

    diffusion: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """a, in 1/parameter units (an inverse time): strength of the injected noise, and the friction
    that would balance it if there were no other."""

    def init(self, w: Tensor) -> State:
        """At rest: `w` and velocity `v` [chain, param], and `friction` ζ [chain]."""
        return {
            "w": w,
            "v": torch.zeros_like(w),
            "friction": torch.full_like(w[:, 0], self.diffusion),
        }

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One step, from kick to kick, the two half kicks at the same weights made as one.

        Kicks and noise are restricted, and with them the velocity.
        """
        h, box = self.step_size, self.bounding_box
        now = target.evaluate(state["w"])
        v = target.restrict(state["v"] - h * now.potential_gradient)
        w, v = drifted(target, state["w"], v, h / 2, box)
        before = _temperature(v, target)
        friction = state["friction"] + h / 2 * (before - 1)
        fresh = target.restrict(noise.normal(v.shape[1]))
        v = (-h * friction).exp()[:, None] * v + self._spread(friction)[:, None] * fresh
        after = _temperature(v, target)
        friction = friction + h / 2 * (after - 1)
        w, v = drifted(target, w, v, h / 2, box)
        info = {
            "loss": now.loss,
            "kinetic_temperature": (before + after) / 2,
            "friction": state["friction"].clone(),
        }
        return {"w": w, "v": v, "friction": friction}, info

    def _spread(self, friction: Tensor) -> Tensor:
        """Standard deviation of the O step's noise, [chain]; real for ζ of either sign."""
        some = friction.abs() > _NO_FRICTION
        divisor = torch.where(some, friction, 1.0)
        share = -torch.expm1(-2 * self.step_size * divisor) / divisor
        at_zero = math.sqrt(2 * self.step_size * self.diffusion)
        return torch.where(some, (self.diffusion * share).sqrt(), at_zero)


def _temperature(v: Tensor, target: Target) -> Tensor:
    """‖v‖² a free direction, [chain]."""
    return (v * v).sum(dim=1) / target.num_free
