"""Hamiltonian Monte Carlo, its step size learned by dual averaging.

    trajectory from w with fresh v ~ N(0, I), `num_leapfrog_steps` times:
        v ← v − (h/2)·∇U(w);   w ← w + h·v;   v ← v − (h/2)·∇U(w)
    its end is accepted with probability min(1, exp(H at its start − H at its end)), H = U + ‖v‖²/2

at unit mass. Source: Duane et al. 1987; Neal 2011 ("MCMC using Hamiltonian dynamics"), from whom
also the step drawn anew for each trajectory, without which a trajectory may be just a period long.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.samplers import dual_averaging
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


class HMC(MetropolisKernel):
    """Hamiltonian Monte Carlo on the full batch: exact, and the reference for the others.

    **One step is one leapfrog step**, with one gradient; the trajectory on its way is part of the
    state. So it compiles as fast as SGLD, and may be interrupted in the midst of a trajectory. The
    chain's weights and the recorded loss are those last accepted, each kept for the whole next
    trajectory: all trajectories are equally long, so the mean over steps is the mean over
    trajectories, and unbiased. The very first step evaluates the start and moves nothing.

    During the first `num_warmup_trajectories`, the first `num_warmup_steps` steps, the step size
    of each chain is still changing and with it what the chain converges to: `estimate_llc` leaves
    these steps out, whatever burn-in it is asked for.

    It reports, besides the loss, `acceptance` (the probability with which the chain's last finished
    trajectory was accepted; NaN before there is one) and `divergent` (1 at the end of a trajectory
    whose energy was not finite or had grown by more than 1000, else 0).
    """

    info_names: ClassVar[tuple[str, ...]] = ("loss", "acceptance", "divergent")

    step_size: float = Field(gt=0, allow_inf_nan=False)
    """h, in parameter units (a time, at unit mass); the first guess, where there is a warm-up."""

    num_leapfrog_steps: int = Field(default=10, ge=1)
    """Leapfrog steps a trajectory."""

    num_warmup_trajectories: int = Field(default=50, ge=0)
    """Trajectories from whose acceptance each chain learns its step size; 0: it stays as given."""

    target_acceptance: float = Field(default=0.8, gt=0, lt=1)
    """The mean acceptance to be met after the warm-up; 0.65 costs least in many dimensions
    (Beskos et al. 2013), more is robust."""

    step_jitter: float = Field(default=0.2, ge=0, lt=1)
    """Each trajectory's step is h·(1 + u·step_jitter), u uniform on (−1, 1)."""

    @property
    def num_warmup_steps(self) -> int:
        """Steps until the step sizes are fixed."""
        return 1 + self.num_leapfrog_steps * self.num_warmup_trajectories

    def init(self, w: Tensor) -> State:
        """The weights, an unfinished trajectory of zero steps, and the first guess of h."""
        at_rest = torch.zeros_like(w)
        none = torch.zeros_like(w[:, 0])
        return {
            "w": w,
            **unevaluated(w),
            "path_w": w.clone(),
            "path_v": at_rest,
            "path_gradient": at_rest.clone(),
            "path_energy": none.double(),
            "path_step": none,
            "path_length": torch.zeros_like(none, dtype=torch.int32),
            "acceptance": torch.full_like(none, torch.nan),
            **dual_averaging.first_guess(self.step_size, w),
        }

    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One leapfrog step; at the end of a trajectory also the test, and learning.

        The momenta, the force and the path all lie in the subspace that the restrictions leave;
        there, this is HMC on the subspace.
        """
        begun = ~torch.isposinf(state["potential"])
        uniform = noise.uniform(2)
        path = self._set_out(state, target, noise, uniform[:, 1])
        h = path["path_step"][:, None]
        v = path["path_v"] - h / 2 * path["path_gradient"]
        w, v = drifted(target, path["path_w"], v, h, self.bounding_box)
        new = evaluated(target, torch.where(begun[:, None], w, state["w"]))
        v = v - h / 2 * new["gradient"]
        length = path["path_length"] + 1
        ended = begun & (length == self.num_leapfrog_steps)
        log_ratio = path["path_energy"] - new["potential"] - kinetic_energy(v)
        accepted, probability, divergent = judged(log_ratio, uniform[:, 0])
        info = {
            "loss": torch.where(begun, state["loss"], new["loss"]),
            "acceptance": state["acceptance"].clone(),
            "divergent": divergent * ended,
        }
        path |= {
            "path_w": new["w"].clone(),
            "path_v": v,
            "path_gradient": new["gradient"].clone(),
            "path_length": torch.where(ended | ~begun, 0, length),
            "acceptance": torch.where(ended, probability, state["acceptance"]),
        }
        return {
            **path,
            **chosen((accepted & ended) | ~begun, new, state),
            **self._learn(state, probability, ended),
        }, info

    def _set_out(self, state: State, target: Target, noise: Noise, uniform: Tensor) -> State:
        """The path so far; where it has no step yet, a fresh one from the chain's weights."""
        v = target.restrict(noise.normal(state["w"].shape[1]))
        log_step = torch.where(
            state["num_trajectories"] < self.num_warmup_trajectories,
            state["log_step"],
            state["log_step_mean"],
        )
        fresh = {
            "path_w": state["w"],
            "path_v": v,
            "path_gradient": state["gradient"],
            "path_energy": state["potential"] + kinetic_energy(v),
            "path_step": log_step.exp().to(v.dtype) * (1 + self.step_jitter * (2 * uniform - 1)),
        }
        setting_out = state["path_length"] == 0
        return {**chosen(setting_out, fresh, state), "path_length": state["path_length"]}

    def _learn(self, state: State, acceptance: Tensor, ended: Tensor) -> State:
        """The step sizes, changed where a trajectory of the warm-up has ended."""
        after = dual_averaging.learned(state, acceptance, self.target_acceptance, self.step_size)
        learning = ended & (state["num_trajectories"] < self.num_warmup_trajectories)
        return chosen(learning, after, state)
