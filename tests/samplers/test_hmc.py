import math

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from tests.problems import draw, quadratic_posterior
from tests.samplers.cases import CHAINS, gaussian, noise_at


def test_one_trajectory_by_hand():
    target, length = gaussian(), 3
    kernel = ls.HMC(
        step_size=0.5, num_leapfrog_steps=length, num_warmup_trajectories=0, step_jitter=0.3
    )
    state, _ = kernel.step(kernel.init(target.w_star.clone()), target, noise_at(0))
    moved = 0
    for trajectory in range(8):
        start = state["w"]
        first = 1 + trajectory * length
        w, v = start, noise_at(first).normal(4)
        h = 0.5 * (1 + 0.3 * (2 * noise_at(first).uniform(2)[:, 1:] - 1))
        before = target.evaluate(w).loss + (v**2).sum(dim=1) / 2
        for step in range(first, first + length):
            assert torch.equal(state["w"], start)  # until the trajectory ends
            v = v - h / 2 * target.evaluate(w).potential_gradient
            w = w + h * v
            v = v - h / 2 * target.evaluate(w).potential_gradient
            state, info = kernel.step(state, target, noise_at(step))
            assert torch.equal(info["loss"], target.evaluate(start).loss)
        probability = (before - target.evaluate(w).loss - (v**2).sum(dim=1) / 2).exp().clamp(max=1)
        accepted = noise_at(step).uniform(2)[:, 0] < probability
        torch.testing.assert_close(state["w"], torch.where(accepted[:, None], w, start))
        torch.testing.assert_close(state["acceptance"], probability)
        moved += int(accepted.sum())
    assert 5 < moved < 8 * CHAINS


def test_every_chain_learns_a_step_that_meets_the_wanted_acceptance():
    curvature = torch.logspace(-1, 1, 30, dtype=torch.float64)
    for wanted, first_guess in ((0.65, 1e-3), (0.9, 3.0)):
        kernel = ls.HMC(
            step_size=first_guess,
            num_leapfrog_steps=4,
            num_warmup_trajectories=200,
            target_acceptance=wanted,
        )
        trace = draw(
            quadratic_posterior(curvature, dtype=torch.float64, nbeta=1.0, localization=0.0),
            kernel,
            num_chains=6,
            chunk_size=6,
            num_steps=kernel.num_warmup_steps + 600,
        )
        acceptance = trace.acceptance.values[0]
        learning = acceptance[:, 400 : kernel.num_warmup_steps].mean(axis=1)
        assert np.abs(learning - wanted).max() < 0.03
        # The step it ends with is a mean of logarithms: it errs on the side of small steps.
        learned = acceptance[:, kernel.num_warmup_steps :].mean(axis=1)
        assert ((wanted - 0.05 < learned) & (learned < wanted + 0.17)).all()
        assert len(np.unique(learned)) == 6


def test_the_step_stays_once_the_warm_up_is_over():
    kernel = ls.HMC(step_size=0.4, num_leapfrog_steps=2, num_warmup_trajectories=5)
    target, steps = gaussian(), []
    state = kernel.init(target.w_star.clone())
    for step in range(30):
        state, _ = kernel.step(state, target, noise_at(step))
        steps.append(state["log_step_mean"])
    assert kernel.num_warmup_steps == 11
    for before, after in zip(steps[:10:2], steps[2:12:2], strict=True):
        assert (before != after).all()
    assert all(torch.equal(steps[10], later) for later in steps[11:])


def test_without_warm_up_the_step_is_the_one_given():
    kernel = ls.HMC(step_size=0.4, num_warmup_trajectories=0, step_jitter=0.0)
    target = gaussian()
    state = kernel.init(target.w_star.clone())
    for step in range(30):
        state, _ = kernel.step(state, target, noise_at(step))
        torch.testing.assert_close(state["path_step"], torch.full((CHAINS,), 0.4).double())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_size", 0),
        ("step_size", math.inf),
        ("num_leapfrog_steps", 0),
        ("num_leapfrog_steps", 2.5),
        ("num_warmup_trajectories", -1),
        ("target_acceptance", 1.0),
        ("target_acceptance", 0.0),
        ("step_jitter", 1.0),
        ("step_jitter", -0.1),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(LambdascopeError, match=rf"HMC: {name}=.*: input should be"):
        ls.HMC(**{"step_size": 0.1, name: value})
