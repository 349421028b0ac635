import math

import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.samplers.base import Evaluation
from tests.samplers.test_baoab import Fixed, Given, mean_and_error


def test_one_step_by_hand():
    state = {
        "w": torch.tensor([[1.5, 2.5, 3.0]]),
        "v": torch.tensor([[0.2, 0.1, 0.0]]),
        "friction": torch.tensor([1.5]),
    }
    new, info = ls.SGNHT(step_size=0.1, diffusion=0.8).step(state, Fixed(), Given())
    kicked = [0.2 - 0.1 * 4, 0.1 + 0.1 * 2]
    before = (kicked[0] ** 2 + kicked[1] ** 2) / 2
    friction = 1.5 + 0.05 * (before - 1)
    kept, fresh = (
        math.exp(-0.1 * friction),
        math.sqrt(0.8 * (1 - math.exp(-0.2 * friction)) / friction),
    )
    v = [kept * kicked[0] + fresh * 0.5, kept * kicked[1] - fresh]
    moved = [1.5 + 0.05 * (kicked[0] + v[0]), 2.5 + 0.05 * (kicked[1] + v[1])]
    torch.testing.assert_close(new["w"], torch.tensor([[*moved, 3.0]]))
    torch.testing.assert_close(new["v"], torch.tensor([[*v, 0.0]]))
    after = (v[0] ** 2 + v[1] ** 2) / 2
    friction += 0.05 * (after - 1)
    torch.testing.assert_close(new["friction"], torch.tensor([friction]))
    assert info["loss"].tolist() == [7.0]
    assert info["kinetic_temperature"].item() == pytest.approx((before + after) / 2)
    assert info["friction"].tolist() == [1.5]


@pytest.mark.parametrize("friction", [-1.5, -1e-7, 0.0, 1e-7, 1e-3])
def test_the_noise_is_right_at_any_friction(friction):
    kernel = ls.SGNHT(step_size=0.1, diffusion=0.8)
    found = kernel._spread(torch.tensor([friction], dtype=torch.float64)).item()
    times = torch.linspace(0, 0.1, 20001, dtype=torch.float64)
    variance = torch.trapezoid(2 * 0.8 * torch.exp(-2 * friction * times), times).item()
    assert found == pytest.approx(math.sqrt(variance), rel=1e-6)


class Noisy:
    """U = w²/2 in several dimensions, with noise of one variance on all gradients."""

    chains, dimension, variance = 200, 30, 20.0

    def __init__(self):
        self.generator = torch.Generator().manual_seed(5)
        self.num_free = torch.tensor(float(self.dimension), dtype=torch.float64)
        self.step_factor = None
        self.w_star = torch.zeros(self.chains, self.dimension, dtype=torch.float64)

    def evaluate(self, w):
        gradient = w + math.sqrt(self.variance) * self.normal(self.dimension)
        return Evaluation((w**2).sum(dim=1) / 2, gradient, gradient)

    def restrict(self, displacement):
        return displacement

    def normal(self, size, purpose=0):
        return torch.randn(self.chains, size, dtype=torch.float64, generator=self.generator)


def measured(kernel, steps=3000, warm_up=1000):
    target = Noisy()
    state = kernel.init(target.w_star)
    squares, temperatures, frictions = 0.0, 0.0, 0.0
    for step in range(steps):
        state, info = kernel.step(state, target, target)
        if step >= warm_up:
            squares = squares + (state["w"] ** 2).mean(dim=1)
            temperatures = temperatures + info["kinetic_temperature"]
            frictions = frictions + info.get("friction", torch.zeros(target.chains))
    return [mean_and_error(x / (steps - warm_up)) for x in (squares, temperatures, frictions)]


def test_the_thermostat_takes_up_the_noise_of_the_gradients():
    h = 0.05
    (square, error), (temperature, _), (friction, spread) = measured(ls.SGNHT(step_size=h))
    assert temperature == pytest.approx(1, abs=2e-3)
    assert abs(square - 1) < 4 * error + h**2
    added = h * Noisy.variance / 2
    assert abs(friction - 2.0 - added) < 4 * spread + 0.1 * added
    # Without a thermostat the same noise heats: 1 + h·variance/(2c) = 1.25, less in higher order.
    heated, _, _ = measured(ls.BAOAB(step_size=h), steps=600, warm_up=200)
    assert heated[0] > 1.2


@pytest.mark.parametrize("name", ["step_size", "diffusion"])
@pytest.mark.parametrize("value", [0, -1e-3, math.nan, math.inf, None, "small"])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(LambdascopeError, match=rf"SGNHT: {name}=.*: input should be"):
        ls.SGNHT(**{"step_size": 0.1, name: value})
