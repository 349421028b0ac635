"""Functional variance and loss covariance against a linear regression's closed form."""

import numpy as np
import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from tests.problems import draw, quadratic_posterior

NUM_SAMPLES, NBETA, GAMMA = 30, 20.0, 2.0


def regression():
    """y = x·w + noise around the least-squares weights, two parameters."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(NUM_SAMPLES, 2, generator=generator, dtype=torch.float64)
    targets = inputs @ torch.tensor([1.0, -0.5], dtype=torch.float64)
    targets = targets + 0.5 * torch.randn(NUM_SAMPLES, generator=generator, dtype=torch.float64)
    best = torch.linalg.lstsq(inputs, targets[:, None]).solution
    model = nn.Linear(2, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(best.T)
    posterior = ls.LocalPosterior(
        model, (inputs, targets[:, None]), loss=ls.gaussian_nll, nbeta=NBETA, localization=GAMMA
    )
    return posterior, inputs.numpy(), (targets - (inputs @ best)[:, 0]).numpy()


def exact_covariance(inputs, residuals):
    """ℓ_i = (r_i − x_i·δ)²/2 with δ ~ N(0, Σ): r_i r_j x_iΣx_j + (x_iΣx_j)²/2."""
    hessian = NBETA * inputs.T @ inputs / NUM_SAMPLES + GAMMA * np.eye(2)
    overlap = inputs @ np.linalg.inv(hessian) @ inputs.T
    return np.outer(residuals, residuals) * overlap + overlap**2 / 2


@pytest.fixture(scope="module")
def drawn():
    posterior, inputs, residuals = regression()
    watch = {"sample_loss": ls.SampleLosses(posterior)}
    kernel = ls.BAOAB(step_size=0.1, friction=2.0)
    trace = draw(posterior, kernel, num_chains=100, num_steps=600, observables=watch, thinning=20)
    return trace, exact_covariance(inputs, residuals)


def test_the_functional_variance_is_the_closed_form(drawn):
    trace, exact = drawn
    (one,) = ls.functional_variance(trace)
    assert one.num_samples == NUM_SAMPLES
    assert one.stderr < 0.1 * one.singular_fluctuation
    truth = NBETA / NUM_SAMPLES / 2 * np.trace(exact)
    assert abs(one.singular_fluctuation - truth) < 3 * one.stderr
    assert one.functional_variance == pytest.approx(
        one.singular_fluctuation * 2 * NUM_SAMPLES / NBETA
    )


def test_the_covariance_is_the_closed_form(drawn):
    trace, exact = drawn
    found = ls.loss_covariance(trace)
    assert found.dims == ("checkpoint", "sample", "other")
    scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    # 100 chains with some ten independent draws each: a standard error near 1/√1000 of the scale
    assert np.abs(found.values[0] - exact).max() < 0.25 * scale.max()
    assert np.abs((found.values[0] - exact) / scale).mean() < 0.06
    ones = ls.loss_covariance(trace, correlation=True).values[0]
    assert np.diag(ones) == pytest.approx(np.ones(NUM_SAMPLES))


def test_some_samples_stand_for_all():
    posterior, _, _ = regression()
    watch = {"few": ls.SampleLosses(posterior, samples=[3, 7])}
    trace = draw(posterior, num_steps=40, observables=watch, thinning=4)
    assert trace["few"].values[0, 0, 0] == pytest.approx(
        [float(v) for v in ls.SampleLosses(posterior)({"weight": posterior.w_star[None]})[[3, 7]]]
    )
    (one,) = ls.functional_variance(trace, "few")
    assert one.num_samples == 2
    expected = trace["few"].values.astype(float)[0][:, trace["draw"].values >= 10]
    variance = expected.reshape(-1, 2).var(axis=0, ddof=1).sum()
    assert one.functional_variance == pytest.approx(variance * NUM_SAMPLES / 2)


def test_chains_with_nan_are_left_out_and_counted(drawn):
    trace = drawn[0].copy(deep=True)
    trace["sample_loss"][{"chain": 0, "draw": -1}] = np.nan
    (one,) = ls.functional_variance(trace)
    assert one.num_diverged_chains == 1
    assert np.isfinite(one.singular_fluctuation)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda t, p: ls.functional_variance(t, "losses"), r"trace has no losses \[chain, draw"),
        (lambda t, p: ls.functional_variance(t, burnin=599), r"burnin=599 leaves 0 draws"),
        (lambda t, p: ls.SampleLosses(p, [1, 30]), r"samples=30: .*from 0 to 29"),
        (lambda t, p: ls.SampleLosses(quadratic_posterior([1.0])), "a posterior with data"),
    ],
)
def test_what_can_not_be_read_is_refused(drawn, call, sentence):
    with pytest.raises(LambdascopeError, match=sentence):
        call(drawn[0], regression()[0])
