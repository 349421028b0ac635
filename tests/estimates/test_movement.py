"""Where chains went, on made distances and on chains that are known not to have got there."""

import numpy as np
import pytest
import xarray as xr

import lambdascope as ls
from lambdascope.estimates import Status
from lambdascope.estimates.movement import Movement, movement
from lambdascope.toys import power_potential
from tests.problems import draw, quadratic_posterior

CHAINS = np.arange(4)


def trace_of(squares, localization=2.0, num_free=10, every=3):
    return xr.Dataset(
        {
            "distance": (("chain", "draw"), np.sqrt(squares)),
            "num_free": num_free,
            "localization": localization,
        },
        {"draw": every * np.arange(squares.shape[1])},
    )


def test_growth_spread_and_reach_are_those_of_the_squares():
    squares = np.tile(np.r_[np.full(50, 4.0), np.full(50, 6.0)], (4, 1))
    found = movement(trace_of(squares), CHAINS, num_burnin=0)
    assert found.growth == pytest.approx(0.5)
    assert found.reach == pytest.approx(2.0 * 5.0 / 10)
    # eight half chains, four at 4 and four at 6
    assert found.spread == pytest.approx(np.std([4.0] * 4 + [6.0] * 4, ddof=1) / 5.0)
    assert found.rhat > 2


def test_burnin_counts_steps_not_draws():
    squares = np.tile(np.r_[np.full(50, 1.0), np.full(50, 6.0)], (4, 1))
    found = movement(trace_of(squares, every=3), CHAINS, num_burnin=150)
    assert found.growth == 0
    assert found.reach == pytest.approx(2.0 * 6.0 / 10)


def test_chains_that_agree_are_told_from_chains_that_do_not():
    rng = np.random.default_rng(0)
    squares = 5 + rng.standard_normal((4, 400))
    assert movement(trace_of(squares), CHAINS, 0).rhat < 1.02
    squares[0] += 4
    assert movement(trace_of(squares), CHAINS, 0).rhat > 1.2
    assert movement(trace_of(squares), CHAINS[1:], 0).rhat < 1.02


def test_a_trace_without_distances_tells_nothing():
    found = movement(trace_of(np.ones((4, 10))).drop_vars("localization"), CHAINS, 0)
    assert np.isnan([found.growth, found.rhat, found.reach]).all()
    assert isinstance(found, Movement)


@pytest.mark.parametrize("k", [2, 3])
def test_powers_that_have_not_left_their_minimum_are_called_unconverged(k):
    """w^{2k} at n = 256, γ = 2, ε = 1e-4: after 600 steps λ̂ reads far too low."""
    toy = power_potential([2 * k])
    posterior = toy.posterior(nbeta=256 / np.log(256), localization=2.0)
    exact = toy.localized_llc(posterior)
    kernel = ls.SGLD(step_size=1e-4)
    trace = draw([posterior] * 20, kernel, num_chains=4, num_steps=600, seed=0)
    curve = ls.estimate_llc(trace)
    assert np.median(curve.llc) < 0.5 * exact
    assert Status.CONVERGED not in [one.status for one in curve]


def test_chains_ten_times_as_long_as_their_memory_are_not_called_unconverged():
    """1/(ε·γ) = 100 steps, and 4,000 are run; in few directions, where R-hat is hardest to meet."""
    posterior = quadratic_posterior([0.1, 0.3, 1.0, 3.0], localization=5.0)
    kernel = ls.SGLD(step_size=2e-3)
    curve = ls.estimate_llc(draw([posterior] * 20, kernel, num_chains=4, num_steps=4000))
    assert [one.status for one in curve].count(Status.CONVERGED) >= 19


def test_thinning_does_not_excuse_chains_that_have_hardly_moved():
    posterior = quadratic_posterior([1.0, 2.0, 4.0])
    statuses = {}
    for thinning in (1, 10, 40, 1000):
        trace = draw(posterior, ls.SGLD(step_size=1e-6), num_steps=400, thinning=thinning)
        statuses[thinning] = ls.estimate_llc(trace).status
    assert Status.CONVERGED not in statuses.values()


def test_few_steps_of_a_tiny_step_are_not_called_converged():
    posterior = quadratic_posterior([1.0, 2.0, 4.0])
    trace = draw(posterior, ls.SGLD(step_size=1e-6), num_chains=8, num_steps=90)
    assert ls.estimate_llc(trace).status is not Status.CONVERGED


def test_a_step_that_vanishes_beside_the_weights_is_told():
    rng = np.random.default_rng(0)
    trace = trace_of(np.zeros((4, 40)), every=10)
    trace["loss"] = (("chain", "step"), 1 + 0.1 * rng.standard_normal((4, 400)))
    trace = trace.assign(initial_loss=1.0, nbeta=10.0).assign_coords(checkpoint=0)
    one = ls.estimate_llc(trace)
    assert one.status is Status.NOT_CONVERGED
    assert "the step vanishes beside the weights" in one.advice


def test_distances_beyond_all_bounds_have_escaped():
    squares = np.ones((4, 40))
    squares[2, -1] = np.inf
    found = movement(trace_of(squares), CHAINS, 0)
    assert found.reach == np.inf
