"""How long chains are to be, and whose error may be small by luck."""

import dataclasses
import math

import numpy as np
import pytest

from lambdascope.estimates import lengths
from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc
from tests.problems import classifier_posterior, quadratic_posterior

QUIET = {"compile": False, "progress": False}


@pytest.fixture(scope="module")
def one():
    settings = AutomaticSettings(target_error=0.5, localizations=False)
    return automatic_llc(classifier_posterior(), settings, **QUIET).curve[0]


def test_few_draws_are_doubled_before_their_error_is_believed(one):
    large = dataclasses.replace(one, llc=500.0)
    few, many = (dataclasses.replace(large, ess=ess) for ess in (6.0, 60.0))
    unknown = dataclasses.replace(large, ess=math.nan)
    assert [lengths.longer(each, 4.0, 0) for each in (few, unknown)] == [2.0, 2.0]
    assert lengths.longer(many, 4.0, 0) == lengths.longer(few, 4.0, 1) == 16 * 1.3
    assert lengths.longer(many, 1.1, 0) == 2.0
    assert lengths.longer(many, math.inf, 0) == 64.0


def test_alike_lengths_go_together_and_the_longest_first():
    steps = np.array([100, 250, 300, 90, 700])
    assert lengths.alike(range(5), steps, together=False) == [[4], [1, 2], [0, 3]]
    assert lengths.alike([3, 4], steps, together=True) == [[3, 4]]


@pytest.mark.parametrize("shape", [0.5, 5.0, 300.0])
def test_luck_is_how_far_an_error_falls_with_the_mean(one, shape):
    """Regress the standard error of Gamma draws on their mean, in a Monte Carlo."""
    count = 200
    draws = np.random.default_rng(0).gamma(shape, size=(20_000, count))
    means, errors = draws.mean(axis=1), draws.std(axis=1, ddof=1) / math.sqrt(count)
    slope = np.cov(means, errors)[0, 1] / means.var()
    explained = slope * means.std() / errors.mean()  # of one standard deviation
    estimate = dataclasses.replace(
        one, llc=shape, mc_stderr=math.sqrt(shape / count), ess=float(count)
    )
    assert lengths.luck(estimate) == pytest.approx(3 * explained, rel=0.12)


def test_an_error_that_is_not_known_is_no_luck(one):
    for change in ({"ess": math.nan}, {"mc_stderr": 0.0}, {"llc": math.nan}):
        assert lengths.luck(dataclasses.replace(one, **change)) == 0.0


def test_first_chains_of_a_small_coefficient_are_a_pilot(one):
    settings = AutomaticSettings(target_error=1e-9, target_absolute=0.05)
    near = dataclasses.replace(one, llc=0.5, mc_stderr=0.045, stderr=0.045, ess=120.0)
    assert lengths.is_pilot(near)
    assert not settings.reached(near, 0)
    assert settings.reached(near, 1)
    assert 1.0 < lengths.longer(near, 0.9, 0) < 2.0
    assert lengths.longer(near, 0.2, 0) == 1.0
    assert lengths.longer(near, 1.1, 1) == 2.0


def test_those_of_a_large_one_are_not(one):
    settings = AutomaticSettings(target_error=0.02)
    large = dataclasses.replace(one, llc=500.0, mc_stderr=5.0, stderr=5.0, ess=20.0)
    assert not lengths.is_pilot(large)
    assert settings.reached(large, 0)


def test_a_further_attempt_has_random_numbers_of_its_own():
    seeds = [lengths.seed_of(seed, attempt) for seed in range(3) for attempt in range(3)]
    assert len(set(seeds)) == 9
    assert seeds[::3] == [0, 1, 2]


@pytest.mark.slow
def test_estimates_that_stop_early_are_no_worse_than_others():
    """½w²: stopped by their own error, those that stopped first read .443 for .495, held 77 %."""
    posterior = quadratic_posterior([1.0], nbeta=100.0, localization=1.0)
    count, exact = 300, 0.5 * 100 / 101
    settings = AutomaticSettings(localizations=False)
    curve = automatic_llc([posterior] * count, settings, checkpoints=range(count), **QUIET).curve
    steps = np.array([each.num_steps for each in curve])
    inside = np.abs(curve.llc - exact) <= 1.96 * curve.stderr
    early = steps <= np.median(steps)
    assert early.sum() >= 20
    assert inside[early].mean() >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / early.sum())
    assert inside.mean() >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / count)
    assert abs(curve.llc.mean() - exact) < 3 * curve.llc.std() / math.sqrt(count)
