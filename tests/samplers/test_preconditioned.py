"""RMSprop- and Adam-preconditioned SGLD: the formulas, and what the neglected Γ costs."""

import math

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.samplers.base import Evaluation
from tests.samplers.cases import gaussian, noise_at
from tests.samplers.test_baoab import Line, mean_and_error


class Fixed:
    """A target whose gradients are given; the third element is held."""

    w_star = torch.zeros(1, 3)

    def __init__(self):
        self.gradients = [torch.tensor([[0.4, -0.2, 0.1]]), torch.tensor([[-0.1, 0.3, 0.2]])]

    def evaluate(self, w):
        gradient = self.gradients.pop(0)
        return Evaluation(torch.tensor([7.0]), gradient, 10 * gradient + 1)

    def restrict(self, displacement):
        return displacement * torch.tensor([1.0, 1.0, 0.0])


class Given:
    def normal(self, size, purpose=0):
        assert (size, purpose) == (3, 0)
        return torch.tensor([[0.5, -1.0, 2.0]])


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_two_steps_by_hand(momentum):
    settings = {"step_size": 0.02, "decay": 0.75, "damping": 0.3}
    kernel = ls.AdamSGLD(momentum=momentum, **settings)
    kernels = [kernel] if momentum else [kernel, ls.RMSpropSGLD(**settings)]
    w, squares, means = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for number, gradient in enumerate(([0.4, -0.2], [-0.1, 0.3]), start=1):
        for i, xi in enumerate([0.5, -1.0]):
            squares[i] = 0.75 * squares[i] + 0.25 * gradient[i] ** 2
            scale = 1 / (0.3 + math.sqrt(squares[i] / (1 - 0.75**number)))
            means[i] = momentum * means[i] + (1 - momentum) * (10 * gradient[i] + 1)
            drift = means[i] / (1 - momentum**number)
            w[i] += -0.01 * scale * drift + math.sqrt(0.02 * scale) * xi
    for one in kernels:
        target, state = Fixed(), one.init(torch.zeros(1, 3))
        for _ in range(2):
            state, info = one.step(state, target, Given())
        torch.testing.assert_close(state["w"], torch.tensor([[*w, 0.0]]))
        assert info["loss"].tolist() == [7.0]


def variance(decay, step_size=0.02, **settings):
    """Of w under U = w²/2 with 2000 chains, and its error; exactly 1 for constant G, to O(ε)."""
    kernel = ls.RMSpropSGLD(step_size=step_size, decay=decay, damping=0.1, **settings)
    line, steps, total = Line(lambda w: w, chains=2000), 3000, 0.0
    state = kernel.init(line.w_star)
    for step in range(steps):
        state, _ = kernel.step(state, line, line)
        if step >= steps // 3:
            total = total + state["w"][:, 0] ** 2
    return mean_and_error(total / (steps - steps // 3))


@pytest.mark.slow
def test_what_the_neglected_term_costs():
    # V without memory: the stationary density is exp(−U)/G = (λ + |w|)·exp(−w²/2), not exp(−w²/2).
    grid = np.linspace(-8, 8, 20001)
    density = (0.1 + np.abs(grid)) * np.exp(-(grid**2) / 2)
    without_memory = (grid**2 * density).sum() / density.sum()
    assert without_memory == pytest.approx(1.889, abs=1e-3)
    mean, error = variance(decay=0.0)
    # Here G is up to 10, so the step's own error, εG/4 of the variance, is up to 5 %.
    assert abs(mean - without_memory) < 4 * error + 0.05 * without_memory
    means = {decay: variance(decay)[0] for decay in (0.9, 0.99, 0.999)}
    assert without_memory > means[0.9] > means[0.99] > means[0.999] > 1.0
    # The gradient of a chain of correlation time 2/(εG) ≈ 100 steps: V remembers 10, 100, 1000.
    assert means[0.9] > 1.5
    assert means[0.999] < 1.15
    # At fixed memory a smaller step makes it worse, which no error of discretisation does.
    assert variance(0.99, step_size=0.005)[0] > means[0.99] + 4 * error


def test_a_preconditioner_that_stops_costs_nothing():
    mean, error = variance(0.9, num_adaptation_steps=20)
    assert abs(mean - 1) < 4 * error + 0.01  # εG/4 on average
    assert error < 0.02


def test_the_lag_of_the_mean_multiplies_the_error_of_a_step():
    # G constant and 1: the variance is 1 + (ε/4)·(1 + β)/(1 − β), to first order in ε.
    for momentum in (0.0, 0.5):
        kernel = ls.AdamSGLD(
            step_size=100 * 0.2, momentum=momentum, damping=100.0, num_adaptation_steps=1
        )
        line, total = Line(lambda w: w, chains=8000), 0.0
        state = kernel.init(line.w_star)
        for step in range(400):
            state, _ = kernel.step(state, line, line)
            if step >= 100:
                total = total + state["w"][:, 0] ** 2
        mean, error = mean_and_error(total / 300)
        expected = 1 + 0.05 * (1 + momentum) / (1 - momentum)
        assert abs(mean - expected) < 4 * error + 0.05**2 * 2
        assert error < 0.005


def test_adaptation_stops_when_it_is_told_to():
    target, kernel = gaussian(), ls.RMSpropSGLD(step_size=0.1, num_adaptation_steps=3)
    state, squares = kernel.init(target.w_star.clone()), []
    for step in range(6):
        state, _ = kernel.step(state, target, noise_at(step))
        squares.append(state["square"])
    assert not torch.equal(squares[1], squares[2])
    assert all(torch.equal(squares[2], later) for later in squares[3:])


@pytest.mark.parametrize("kernel", [ls.RMSpropSGLD, ls.AdamSGLD])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_size", 0),
        ("step_size", math.nan),
        ("decay", 1.0),
        ("decay", -0.1),
        ("damping", 0.0),
        ("num_adaptation_steps", 0),
    ],
)
def test_impossible_settings_are_refused(kernel, name, value):
    with pytest.raises(LambdascopeError, match=rf"SGLD: {name}=.*: input should be"):
        kernel(**{"step_size": 0.1, name: value})


@pytest.mark.parametrize("momentum", [-0.1, 1.0, "much"])
def test_impossible_momenta_are_refused(momentum):
    with pytest.raises(LambdascopeError, match=r"AdamSGLD: momentum=.*: input should be"):
        ls.AdamSGLD(step_size=0.1, momentum=momentum)
