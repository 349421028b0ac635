"""The step and friction that are chosen where the curvature is not what some of the data show."""

import math

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
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
    posterior = quadratic_posterior([1.0, 0.0], localization=gamma)
    check_friction(posterior, friction)


@pytest.mark.parametrize(("gamma", "friction"), [(4.0, 3.0), (1e-4, math.sqrt(5)), (0.0, 5**0.5)])
def test_few_directions_that_are_all_stiff_are_forgotten_as_fast(gamma, friction):
    """nβ = 10 times the least curvature, .5, and γ."""
    check_friction(quadratic_posterior([1.0, 0.5], localization=gamma), friction)


def test_among_many_directions_one_is_taken_to_be_soft():
    check_friction(quadratic_posterior([1.0] * 51, localization=1.0), 1.0)


def check_friction(posterior, friction):
    choice = choose_step([posterior], [0], COMMON)
    assert isinstance(choice.kernel, BAOAB)
    assert choice.kernel.friction == pytest.approx(friction, rel=0.03)
    assert choice.forgetting[0] == pytest.approx(1 / (choice.kernel.friction * choice.steps[0]))


def test_few_parameters_have_many_chains_however_many_samples():
    model = torch.nn.Linear(3, 1, bias=False)
    inputs = torch.randn(30_000, 3, generator=torch.Generator().manual_seed(0))
    posterior = ls.LocalPosterior(
        model, (inputs, model(inputs).detach()), loss=ls.gaussian_nll, localization=5.0
    )
    assert choose_step([posterior], [0], COMMON).num_chains == 16


def test_a_potential_that_is_flat_everywhere_has_no_step():
    posterior = quadratic_posterior([0.0, 0.0], localization=0.0)
    with pytest.raises(LambdascopeError, match="checkpoint 7: the potential is flat at w"):
        choose_step([posterior], [7], COMMON)
