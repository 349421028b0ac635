"""What a slope at w* does to the chains, against closed forms of quadratics."""

import math

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.sampling.sliding import sliding


class Bowl(torch.nn.Module):
    """½ wᵀHw + g·w, at w* = 0, turned so that no direction is a coordinate's."""

    def __init__(self, curvatures: np.ndarray, slope: np.ndarray) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        turn = np.linalg.qr(rng.standard_normal((len(curvatures), len(curvatures))))[0]
        self.w = torch.nn.Parameter(torch.zeros(len(curvatures), dtype=torch.float64))
        self.hessian = torch.tensor(turn @ np.diag(curvatures) @ turn.T)
        self.g = torch.tensor(turn @ slope)

    def forward(self) -> torch.Tensor:
        return 0.5 * self.w @ self.hessian @ self.w + self.g @ self.w


def posterior(curvatures, slope, **settings):
    model = Bowl(np.asarray(curvatures, float), np.asarray(slope, float))
    settings = {"nbeta": 1.0, "localization": 5.0} | settings
    return ls.LocalPosterior(model, None, **settings)


def exact(curvatures, slope, gamma):
    h, g = np.asarray(curvatures, float), np.asarray(slope, float)
    y = g / (h + gamma)
    return math.sqrt(g @ y), 0.5 * g @ y + 0.5 * gamma * y @ y


@pytest.mark.parametrize("slope", [[1.0] * 6, [0, 0, 0, 0, 2.0, 2.0], [30.0, 0, 0, 0, 0, 0]])
def test_shift_and_effect_are_those_of_the_quadratic(slope):
    curvatures = [1e4, 1e3, 100.0, 10.0, 1.0, 0.0]
    found = sliding([posterior(curvatures, slope)])
    shift, effect = exact(curvatures, slope, 5.0)
    assert found.shift[0] == pytest.approx(shift, rel=0.03)
    assert found.effect[0] == pytest.approx(effect, rel=0.06)


def test_many_directions_are_bounded_from_above():
    """Where fifty products do not solve the equations, the rest is counted as flat."""
    curvatures = np.geomspace(1e-2, 1e5, 400)
    slope = np.ones(400)
    found = sliding([posterior(curvatures, slope)])
    shift, effect = exact(curvatures, slope, 5.0)
    assert shift <= found.shift[0] * 1.01
    assert found.shift[0] <= 1.001 * math.sqrt(slope @ slope / 5.0)  # the tilt
    assert effect <= found.effect[0] * 1.01


def test_no_slope_no_shift_and_a_slight_one_is_taken_for_a_flat_direction():
    found = sliding([posterior([1.0, 1.0], [0.0, 0.0]), posterior([1.0, 1.0], [0.1, 0.0])])
    assert (found.shift[0], found.effect[0]) == (0, 0)
    assert found.shift[1] == pytest.approx(0.1 / math.sqrt(5))


def test_where_the_potential_falls_faster_than_the_localisation_rises_nothing_holds():
    found = sliding([posterior([100.0, -10.0], [1.0, 1.0])])
    assert found.shift[0] == math.inf
    assert found.effect[0] == math.inf


def test_without_localisation_the_curvature_alone_holds():
    found = sliding([posterior([100.0, 1.0], [5.0, 5.0], localization=0.0)])
    shift, effect = exact([100.0, 1.0], [5.0, 5.0], 0.0)
    assert found.shift[0] == pytest.approx(shift, rel=0.02)
    assert found.effect[0] == pytest.approx(effect, rel=0.02)


def test_across_the_gradient_there_is_no_slope():
    across = posterior([100.0, 1.0], [5.0, 5.0], restriction=ls.OrthogonalToGradient())
    assert sliding([across]).shift[0] == pytest.approx(0, abs=1e-6)
