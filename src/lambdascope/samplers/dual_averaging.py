"""Dual averaging: a step size of each chain's own that meets a wanted acceptance.

    H̄ ← (1 − 1/(m + t₀))·H̄ + (δ − α)/(m + t₀)
    log h ← μ − (√m/c)·H̄
    log h̄ ← m^{−κ}·log h + (1 − m^{−κ})·log h̄

in the m-th trajectory, with α its acceptance, δ the wanted one, c = 0.05, t₀ = 10, κ = 0.75 and
μ = log(10·h₀). Source: Hoffman & Gelman 2014, "The No-U-Turn Sampler", §3.2 (Algorithm 5).

A chain learns from its own acceptance alone, so chains stay independent.
"""

import math

import torch
from torch import Tensor

from lambdascope.samplers.base import State

_SHRINKAGE, _DELAY, _FORGETTING = 0.05, 10.0, 0.75


def first_guess(step_size: float, w: Tensor) -> State:
    """The state before the first trajectory of chains at `w`; each [chain], float64."""
    log_step = torch.full_like(w[:, 0], math.log(step_size), dtype=torch.float64)
    return {
        "log_step": log_step,
        "log_step_mean": log_step.clone(),
        "acceptance_gap": torch.zeros_like(log_step),
        "num_trajectories": torch.zeros_like(log_step),
    }


def learned(state: State, acceptance: Tensor, wanted: float, step_size: float) -> State:
    """`state` after one more trajectory of `acceptance` [chain]."""
    m = state["num_trajectories"] + 1
    weight = 1 / (m + _DELAY)
    gap = (1 - weight) * state["acceptance_gap"] + weight * (wanted - acceptance.double())
    log_step = math.log(10 * step_size) - m.sqrt() / _SHRINKAGE * gap
    share = m**-_FORGETTING
    return {
        "log_step": log_step,
        "log_step_mean": share * log_step + (1 - share) * state["log_step_mean"],
        "acceptance_gap": gap,
        "num_trajectories": m,
    }
