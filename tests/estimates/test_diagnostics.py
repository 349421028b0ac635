import math

import numpy as np
import pytest

from lambdascope.estimates import diagnostics
from lambdascope.estimates.diagnostics import FEWEST_DRAWS, block_means


def autoregression(decay, shape, seed):
    """Stationary AR(1) of unit variance, [chain, draw]."""
    rng = np.random.default_rng(seed)
    pushes = rng.normal(size=shape) * np.sqrt(1 - decay**2)
    x = np.empty(shape)
    x[..., 0] = rng.normal(size=shape[:-1])
    for step in range(1, shape[-1]):
        x[..., step] = decay * x[..., step - 1] + pushes[..., step]
    return x


def variance_of_the_mean(decay, num_chains, num_draws):
    """Exact for AR(1) of unit variance: (1/n)(1 + 2 Σ (1 − k/n) φᵏ), chains independent."""
    k = np.arange(1, num_draws)
    return (1 + 2 * ((1 - k / num_draws) * decay**k).sum()) / num_draws / num_chains


# --- effective draws and the error of a mean -----------------------------------------------------


@pytest.mark.parametrize("decay", [-0.5, 0.0, 0.5, 0.9])
def test_the_standard_error_is_that_of_the_process(decay):
    replications = autoregression(decay, (200, 4, 2000), seed=0)
    truth = math.sqrt(variance_of_the_mean(decay, 4, 2000))
    found = np.array([diagnostics.standard_error(one) for one in replications])
    assert np.sqrt((found**2).mean()) == pytest.approx(truth, rel=0.08)
    assert found.std() < 0.35 * truth
    # And what it is for: intervals of nominal 95 % cover; 200 replications tell 3 % from that.
    covered = np.abs(replications.mean(axis=(1, 2))) < 1.96 * found
    assert 0.90 <= covered.mean() <= 0.985


@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_effective_draws_are_those_of_the_process(decay):
    found = np.array(
        [diagnostics.ess(one, "mean") for one in autoregression(decay, (50, 4, 2000), seed=1)]
    )
    assert found.mean() == pytest.approx(1 / variance_of_the_mean(decay, 4, 2000), rel=0.1)


def test_disagreement_between_chains_widens_the_error():
    # Chains stuck at levels of standard deviation 1: the mean of four of them is known to ½.
    stuck = np.random.default_rng(2).normal(size=(50, 4, 1))
    draws = stuck + 0.05 * np.random.default_rng(3).normal(size=(50, 4, 500))
    found = np.array([diagnostics.standard_error(one) for one in draws])
    within = 0.05 / math.sqrt(2000)
    assert np.median(found) > 0.2 > 100 * within
    assert min(diagnostics.rhat(one) for one in draws) > 1.05


def test_the_error_scales_with_the_unit():
    draws = autoregression(0.5, (4, 400), seed=4)
    assert diagnostics.standard_error(1000 * draws + 7) == pytest.approx(
        1000 * diagnostics.standard_error(draws)
    )


# --- R-hat ---------------------------------------------------------------------------------------


def test_rhat_of_chains_that_agree_and_of_chains_that_do_not():
    draws = autoregression(0.3, (4, 1000), seed=5)
    assert diagnostics.rhat(draws) == pytest.approx(1.0, abs=0.01)
    assert diagnostics.rhat(draws + np.array([[0], [0], [0], [3]])) > 1.2
    # Same mean, other spread: seen by the folded half of the rank-normalised R-hat.
    assert diagnostics.rhat(draws * np.array([[1], [1], [1], [5]])) > 1.1


def test_rhat_of_one_chain_compares_its_halves():
    draws = autoregression(0.3, (1, 1000), seed=6)
    assert diagnostics.rhat(draws) < 1.02
    assert diagnostics.rhat(draws + np.linspace(0, 5, 1000)) > 1.5
    assert math.isnan(diagnostics.rhat(draws[:, :15]))
    assert math.isfinite(diagnostics.rhat(draws[:, :17]))


# --- too little ----------------------------------------------------------------------------------


def test_too_few_draws_have_no_diagnostics():
    draws = autoregression(0.0, (4, FEWEST_DRAWS - 1), seed=7)
    for one in (diagnostics.rhat, diagnostics.ess, diagnostics.standard_error, diagnostics.drift):
        assert math.isnan(one(draws))
    enough = autoregression(0.0, (4, FEWEST_DRAWS), seed=7)
    for one in (diagnostics.rhat, diagnostics.ess, diagnostics.standard_error):
        assert math.isfinite(one(enough))
    assert math.isnan(diagnostics.drift(np.hstack([enough, enough])[:, :-1]))
    assert math.isfinite(diagnostics.drift(np.hstack([enough, enough])))


def test_draws_that_do_not_vary():
    constant = np.full((3, 40), 2.5)
    assert math.isnan(diagnostics.rhat(constant))
    assert math.isnan(diagnostics.ess(constant))
    assert diagnostics.standard_error(constant) == 0.0
    assert diagnostics.drift(constant) == 0.0
    jump = np.hstack([constant, constant + 1])
    assert diagnostics.drift(jump) == math.inf
    assert diagnostics.drift(-jump) == -math.inf


# --- drift ---------------------------------------------------------------------------------------


def test_drift_is_a_normal_score_where_there_is_none():
    found = np.array(
        [diagnostics.drift(one) for one in autoregression(0.5, (200, 4, 1000), seed=8)]
    )
    assert abs(found.mean()) < 4 / math.sqrt(200)
    assert found.std() == pytest.approx(1.0, abs=0.2)
    assert np.abs(found).max() < 4.5


@pytest.mark.parametrize("sign", [1, -1])
def test_drift_has_the_sign_of_the_change(sign):
    draws = autoregression(0.5, (4, 1000), seed=9) + sign * np.linspace(0, 2, 1000)
    assert sign * diagnostics.drift(draws) > 5


# --- means of blocks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("num_steps", "size"),
    [(1, 1), (89, 1), (179, 1), (180, 2), (2250, 25), (4499, 49), (10**4, 50)],
)
def test_blocks(num_steps, size):
    losses = np.random.default_rng(10).normal(size=(3, num_steps))
    means = block_means(losses)
    assert means.shape == (3, num_steps // size)
    kept = losses[:, num_steps % size :]  # the remainder is dropped at the beginning
    np.testing.assert_allclose(means.mean(axis=1), kept.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(means[:, -1], losses[:, -size:].mean(axis=1), rtol=1e-12)


def test_blocks_show_the_slow_part_that_noise_hides():
    slow = 0.15 * autoregression(0.99, (20, 4, 3000), seed=11)
    noisy = slow + np.random.default_rng(12).normal(size=slow.shape)
    truth = math.sqrt(
        0.15**2 * variance_of_the_mean(0.99, 4, 3000) + variance_of_the_mean(0.0, 4, 3000)
    )
    raw, blocked = (
        np.array([diagnostics.standard_error(form(one)) for one in noisy])
        for form in (np.asarray, block_means)
    )
    assert np.median(raw) < 0.8 * truth
    assert np.median(blocked) == pytest.approx(truth, rel=0.15)


def test_excess_kurtosis_of_a_gamma_is_6_over_its_shape():
    rng = np.random.default_rng(5)
    assert diagnostics.excess_kurtosis(rng.gamma(2.0, size=(8, 50_000))) == pytest.approx(
        3, rel=0.1
    )
    assert diagnostics.excess_kurtosis(rng.standard_normal((8, 50_000))) < 0.05
    assert diagnostics.excess_kurtosis(rng.random((8, 1000))) == 0  # lighter tails than a normal's
    assert diagnostics.excess_kurtosis(np.ones((2, 10))) == 0
