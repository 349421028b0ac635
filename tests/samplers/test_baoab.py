import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.samplers.base import Evaluation
from tests.problems import classifier_posterior, draw


class Fixed:
    """A target with a constant gradient, the third element held."""

    w_star = torch.tensor([[1.0, 2.0, 3.0]])
    num_free = torch.tensor([2.0])
    step_factor = None

    def evaluate(self, w):
        gradient = torch.tensor([[4.0, -2.0, 0.5]])
        return Evaluation(torch.tensor([7.0]), gradient / 10, gradient)

    def restrict(self, displacement):
        return displacement * torch.tensor([1.0, 1.0, 0.0])


class Given:
    def normal(self, size, purpose=0):
        assert (size, purpose) == (3, 0)
        return torch.tensor([[0.5, -1.0, 2.0]])


@dataclass
class Line:
    """U(w) in one dimension, with Gaussian noise of the given variance on its gradient."""

    gradient: object
    chains: int
    variance: float = 0.0
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(3))
    num_free: float = 1.0
    step_factor: object = None

    @property
    def w_star(self):
        return torch.zeros(self.chains, 1, dtype=torch.float64)

    def evaluate(self, w):
        gradient = self.gradient(w) + math.sqrt(self.variance) * self.normal(1)
        return Evaluation(w[:, 0], gradient, gradient)

    def restrict(self, displacement):
        return displacement

    def normal(self, size, purpose=0):
        return torch.randn(self.chains, size, dtype=torch.float64, generator=self.generator)


def run(kernel, line, steps, warm_up):
    state = kernel.init(line.w_star)
    for step in range(steps):
        state, info = kernel.step(state, line, line)
        if step >= warm_up:
            yield state["w"][:, 0], info["kinetic_temperature"]


def mean_and_error(per_chain):
    """Of [chain]; chains are independent."""
    return per_chain.mean().item(), per_chain.std().item() / math.sqrt(len(per_chain))


def test_one_step_by_hand():
    state = {"w": torch.tensor([[1.5, 2.5, 3.0]]), "v": torch.tensor([[0.2, 0.1, 0.0]])}
    new, info = ls.BAOAB(step_size=0.1, friction=3.0).step(state, Fixed(), Given())
    kicked = [0.2 - 0.1 * 4, 0.1 + 0.1 * 2]
    kept, fresh = math.exp(-0.3), math.sqrt(1 - math.exp(-0.6))
    refreshed = [kept * kicked[0] + fresh * 0.5, kept * kicked[1] - fresh]
    moved = [1.5 + 0.05 * (kicked[0] + refreshed[0]), 2.5 + 0.05 * (kicked[1] + refreshed[1])]
    torch.testing.assert_close(new["w"], torch.tensor([[*moved, 3.0]]))
    torch.testing.assert_close(new["v"], torch.tensor([[*refreshed, 0.0]]))
    assert info["loss"].tolist() == [7.0]
    expected = (kicked[0] ** 2 + kicked[1] ** 2) / 2
    assert info["kinetic_temperature"].item() == pytest.approx(expected)


def test_a_quadratic_is_exact_at_a_large_step():
    # h·ω = 1.8, near the limit of 2; Leimkuhler & Matthews: ⟨w²⟩ = 1/ω² at any h.
    line = Line(lambda w: 3.24 * w, chains=4000)
    squares, temperatures = zip(
        *((w**2, t) for w, t in run(ls.BAOAB(step_size=1.0), line, 150, 50)), strict=True
    )
    for values, exact in ((squares, 1 / 3.24), (temperatures, 1.0)):
        mean, error = mean_and_error(torch.stack(values).mean(dim=0))
        assert abs(mean - exact) < 4 * error
        assert error < 0.01 * exact


def test_noisy_gradients_heat_it_as_the_linear_theory_says():
    h, c, curvature, variance = 0.5, 2.0, 1.5, 3.0
    line = Line(lambda w: curvature * w, chains=4000, variance=variance)
    kernel = ls.BAOAB(step_size=h, friction=c)
    squares, temperatures = zip(*((w**2, t) for w, t in run(kernel, line, 150, 50)), strict=True)
    # The step is linear in (w, v): kick, drift, refresh, drift as matrices, two sources of noise.
    drift, kept = np.array([[1, h / 2], [0, 1]]), math.exp(-c * h)
    kick, refresh = np.array([[1, 0], [-h * curvature, 1]]), np.diag([1, kept])
    whole = drift @ refresh @ drift @ kick
    sources = [drift @ refresh @ drift @ [0, -h * math.sqrt(variance)]]
    sources.append(drift @ [0, math.sqrt(1 - kept**2)])
    covariance = np.zeros((2, 2))
    for _ in range(500):
        covariance = whole @ covariance @ whole.T + sum(np.outer(s, s) for s in sources)
    kicked = kick @ covariance @ kick.T + np.diag([0, h**2 * variance])
    for values, exact in ((squares, covariance[0, 0]), (temperatures, kicked[1, 1])):
        mean, error = mean_and_error(torch.stack(values).mean(dim=0))
        assert abs(mean - exact) < 4 * error
        assert error < 0.02 * exact
    # For small h that is 1 + h·variance/(2c), the rule in the docstring.
    assert 1.2 < kicked[1, 1] < 2 * (1 + h * variance / (2 * c))


@pytest.mark.slow
def test_the_error_falls_as_the_square_of_the_step():
    # U = w²/2 − cos 2w: the mean of w² by quadrature, against the sampler at two steps.
    grid = np.linspace(-9, 9, 20001)
    density = np.exp(-(grid**2 / 2 - np.cos(2 * grid)))
    exact = (grid**2 * density).sum() / density.sum()
    biases, errors = [], []
    for h in (0.5, 0.25):
        line = Line(lambda w: w + 2 * torch.sin(2 * w), chains=20000)
        kernel = ls.BAOAB(step_size=h, friction=1.0)
        total = sum(w**2 for w, _ in run(kernel, line, 1200, 100)) / 1100
        mean, error = mean_and_error(total)
        biases.append(mean - exact)
        errors.append(error)
    assert abs(biases[0]) > 20 * errors[0]
    # A factor of 4 between them, give or take h⁴ and three standard errors: 2 would not pass.
    reach = 3 * errors[1] + 0.25 * abs(biases[0]) / 4
    assert abs(biases[1] - biases[0] / 4) < reach < abs(biases[0]) / 4


def test_the_temperature_of_a_restricted_chain_counts_the_free_directions():
    posterior = classifier_posterior(
        restriction=[ls.Parameters("unembedding"), ls.OrthogonalToGradient()], dtype=torch.float64
    )
    assert posterior.num_free == posterior.num_parameters - 1
    trace = draw(
        posterior,
        ls.BAOAB(step_size=0.05, friction=10.0),
        num_chains=8,
        num_steps=400,
        chunk_size=8,
    )
    temperature = trace.kinetic_temperature.values[0, :, 100:].mean(axis=1)
    error = temperature.std(ddof=1) / math.sqrt(8)
    assert abs(temperature.mean() - 1) < 4 * error
    assert error < 1 / posterior.num_parameters


@pytest.mark.parametrize("field_name", ["step_size", "friction"])
@pytest.mark.parametrize("value", [0, -1e-3, math.nan, math.inf, None, "small"])
def test_impossible_settings_are_refused(field_name, value):
    with pytest.raises(LambdascopeError, match=rf"BAOAB: {field_name}=.*: input should be"):
        ls.BAOAB(**{"step_size": 0.1, field_name: value})
