"""The step and friction that are chosen where the curvature is not what some of the data show."""

import math

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.estimates.step_choice import choose_step
from lambdascope.samplers import BAOAB
from tests.problems import quadratic_posterior

COMMON = {"seed": 0, "device": "cpu", "compile": False}


def test_one_sample_that_outweighs_the_others_shortens_the_step():
    """5,000 samples, of which one has inputs a thousand times as large; 4,096 are looked at."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((5000, 3))
    inputs[7] *= 1000
    model = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        model.weight.zero_()
    data = torch.tensor(inputs), torch.zeros(5000, 1, dtype=torch.float64)
    posterior = ls.LocalPosterior(model, data, loss=ls.gaussian_nll, localization=5.0)
    choice = choose_step([posterior], [0], COMMON)
    curvature = posterior.nbeta * np.linalg.eigvalsh(inputs.T @ inputs / 5000).max()
    # BAOAB is stable below 2, the coarse chains' step is twice this one.
    assert 2 * choice.steps[0] * math.sqrt(curvature) < 2


@pytest.mark.parametrize(("gamma", "friction"), [(4.0, 2.0), (1e-4, 0.01), (0.0, 0.1)])
def test_friction_is_that_of_the_softest_direction_however_soft(gamma, friction):
    """More than 2ω would be overdamped, and forget at 2ω²/friction instead."""
    posterior = quadratic_posterior([1.0, 0.5], localization=gamma)
    choice = choose_step([posterior], [0], COMMON)
    assert isinstance(choice.kernel, BAOAB)
    assert choice.kernel.friction == pytest.approx(friction)
    assert choice.forgetting[0] == pytest.approx(1 / (friction * choice.steps[0]))
