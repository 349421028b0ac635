import math

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from tests.problems import classifier_posterior, draw
from tests.samplers.cases import CHAINS, gaussian, noise_at


def test_one_step_by_hand():
    """Against the textbook's form, with the densities of the proposal there and back."""
    step_size, target = 0.7, gaussian()
    kernel = ls.MALA(step_size=step_size)
    state, _ = kernel.step(kernel.init(target.w_star.clone()), target, noise_at(0))
    moved = 0
    for step in range(1, 15):
        noise, w = noise_at(step), state["w"]
        here = target.evaluate(w)
        there_w = (
            w
            - step_size / 2 * here.potential_gradient
            + math.sqrt(step_size) * noise.normal(w.shape[1])
        )
        there = target.evaluate(there_w)

        def log_proposal(end, start, gradient):
            return -((end - start + step_size / 2 * gradient) ** 2).sum(dim=1) / (2 * step_size)

        log_ratio = (
            here.loss
            - there.loss
            + log_proposal(w, there_w, there.potential_gradient)
            - log_proposal(there_w, w, here.potential_gradient)
        )
        probability = log_ratio.exp().clamp(max=1)
        accepted = noise.uniform(1)[:, 0] < probability
        state, info = kernel.step(state, target, noise)
        torch.testing.assert_close(state["w"], torch.where(accepted[:, None], there_w, w))
        torch.testing.assert_close(info["acceptance"], probability)
        assert torch.equal(info["loss"], here.loss)
        moved += int(accepted.sum())
    assert 5 < moved < 14 * CHAINS  # both outcomes came


def test_the_first_step_evaluates_the_start():
    target, kernel = gaussian(), ls.MALA(step_size=0.5)
    state, info = kernel.step(kernel.init(target.w_star.clone()), target, noise_at(0))
    assert torch.equal(state["w"], target.w_star)
    assert torch.equal(info["loss"], target.evaluate(target.w_star).loss)
    assert torch.equal(state["loss"], info["loss"])


def test_the_acceptance_falls_with_the_step():
    means = [
        draw(
            classifier_posterior(), ls.MALA(step_size=step_size), num_steps=100
        ).acceptance.values.mean()
        for step_size in (1e-5, 1e-2, 1.0)
    ]
    assert means[0] > 0.99
    assert means[0] > means[1] > means[2]
    assert means[2] < 0.05


def test_a_step_far_too_large_is_reported_and_does_no_harm():
    trace = draw(classifier_posterior(), ls.MALA(step_size=50.0), num_steps=50)
    assert np.isfinite(trace.loss).all()
    assert trace.divergent.values[0, :, 1:].mean() > 0.9
    assert set(np.unique(trace.divergent)) <= {0.0, 1.0}


@pytest.mark.parametrize("kernel", [ls.MALA, ls.HMC])
def test_minibatches_are_refused(kernel):
    with pytest.raises(
        LambdascopeError,
        match=rf"{kernel.__name__}: batch_size=64: input should be None, all data: a minibatch",
    ):
        kernel(step_size=0.1, batch_size=64)


@pytest.mark.parametrize("step_size", [0, -1e-3, math.nan, math.inf, None, "small"])
def test_impossible_step_sizes_are_refused(step_size):
    with pytest.raises(LambdascopeError, match=r"MALA: step_size=.*: input should be"):
        ls.MALA(step_size=step_size)
