"""The Metropolis-adjusted Langevin algorithm.

    proposal   w' = w − (ε/2)·∇U(w) + √ε·ξ,    ξ ~ N(0, I)
    accepted with probability min(1, exp(U(w) + ‖ξ‖²/2 − U(w') − ‖ξ'‖²/2)),
    where ξ' = ξ − (√ε/2)·(∇U(w) + ∇U(w')), up to its sign the noise that leads back

The proposal is a step of SGLD on all data, so the acceptance says how far that step is from exact.
Source: Roberts & Tweedie 1996, in the form of Neal 2011 ("MCMC using Hamiltonian dynamics", §5.2):
one leapfrog step of length √ε with a fresh momentum ξ.
"""

import math

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.samplers.base import Info, Noise, State, Target
from lambdascope.samplers.metropolis import (
    MetropolisKernel,
    chosen,
    evaluated,
    judged,
    kinetic_energy,
    unevaluated,
)
from lambdascope.samplers.moves import drifted


class MALA(MetropolisKernel):
    """SGLD on the full batch with an acceptance test: exact, one gradient a step.

    It reports, besides the loss, `acceptance` (the probability with which this step's proposal was
    accepted) and `divergent` (1 where its energy was not finite or had grown by more than 1000).
    The first step proposes nothing: it evaluates the start.
    """

    step_size: float = Field(gt=0, allow_inf_nan=False)
    """ε, in parameter², as in `SGLD`; about 0.57 is the acceptance at which it mixes fastest."""

    def init(self, w: Tensor) -> State:
        """The weights; what is known of them is put there by the first step."""
        return {"w": w, **unevaluated(w)}

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """Propose, evaluate, accept or reject.

        The noise, the force and the proposal all lie in the subspace that the restrictions leave;
        there, the acceptance is that of MALA on the subspace.
        """
        w, length = state["w"], math.sqrt(self.step_size)
        begun = ~torch.isposinf(state["potential"])
        xi = target.restrict(noise.normal(w.shape[1]))
        v = xi - (length / 2) * state["gradient"]
        proposal, v = drifted(target, w, v, length, self.bounding_box)
        new = evaluated(target, torch.where(begun[:, None], proposal, w))
        v = v - (length / 2) * new["gradient"]
        log_ratio = state["potential"] + kinetic_energy(xi) - new["potential"] - kinetic_energy(v)
        accepted, probability, divergent = judged(log_ratio, noise.uniform(1)[:, 0])
        loss = torch.where(begun, state["loss"], new["loss"])
        info = {"loss": loss, "acceptance": probability, "divergent": divergent}
        return chosen(accepted | ~begun, new, state), info
