"""What `estimate_llc` takes and gives, beside the numbers."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import Status
from tests.problems import classifier_posterior, draw

NBETA, START = np.array([10.0, 20.0, 5.0]), np.array([1.0, 0.5, 0.1])


def made_trace(num_chains=4, num_steps=2000, seed=0):
    """Three checkpoints whose losses lie 0.3, 0.6, 0.9 above L(w*), with noise."""
    noise = np.random.default_rng(seed).normal(size=(3, num_chains, num_steps))
    excess = np.array([0.3, 0.6, 0.9])
    return xr.Dataset(
        {
            "loss": (
                ("checkpoint", "chain", "step"),
                (START + excess)[:, None, None] + 0.1 * noise,
            ),
            "initial_loss": ("checkpoint", START),
            "nbeta": ("checkpoint", NBETA),
        },
        {
            "checkpoint": [0, 5, 24],
            "chain": np.arange(num_chains),
            "step": np.arange(num_steps),
        },
        {"single": 0},
    )


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        if name not in ("status", "advice", "method", "demands")
        else getattr(one, name) == getattr(other, name)
        for name in vars(one)
    )


def test_the_definition():
    trace = made_trace()
    curve = ls.estimate_llc(trace, burnin=500)
    kept = trace.loss.values[:, :, 500:]
    np.testing.assert_allclose(curve.llc, NBETA * (kept.mean(axis=(1, 2)) - START), rtol=1e-12)
    for one, losses, nbeta, start in zip(curve, kept, NBETA, START, strict=True):
        np.testing.assert_allclose(one.per_chain, nbeta * (losses.mean(axis=1) - start), rtol=1e-12)
        # White noise of 0.1 on 6,000 losses.
        assert one.stderr == pytest.approx(nbeta * 0.1 / math.sqrt(6000), rel=0.25)
        assert one.interval == pytest.approx(
            (one.llc - 1.96 * one.stderr, one.llc + 1.96 * one.stderr)
        )
        assert one.num_burnin_steps == 500
        assert one.status is Status.CONVERGED
        assert (one.initial_loss, one.nbeta) == (start, nbeta)
        assert one.mean_loss == pytest.approx(losses.mean())


def test_a_checkpoint_a_chain_and_steps_may_be_picked_out():
    trace = made_trace()
    curve = ls.estimate_llc(trace, burnin=0)
    assert same(ls.estimate_llc(trace.sel(checkpoint=5), burnin=0), curve[1])
    assert [one.checkpoint for one in ls.estimate_llc(trace.isel(checkpoint=[2, 0]))] == [24, 0]
    alone = ls.estimate_llc(trace.isel(chain=2), burnin=0)
    assert alone[1].num_chains == 1
    assert alone[1].llc == pytest.approx(curve[1].per_chain[2])
    half = ls.estimate_llc(trace.isel(step=slice(500, None)), burnin=0)
    np.testing.assert_allclose(half.llc, ls.estimate_llc(trace, burnin=500).llc, rtol=1e-12)
    one_loss = ls.estimate_llc(trace.isel(checkpoint=0, chain=0, step=7), burnin=0)
    assert one_loss.status is Status.TOO_FEW_SAMPLES


def test_the_order_of_dimensions_does_not_matter():
    trace = made_trace()
    for one, other in zip(
        ls.estimate_llc(trace), ls.estimate_llc(trace.transpose("step", ...)), strict=True
    ):
        assert same(one, other)


def test_the_trace_is_not_changed():
    trace = made_trace()
    before = trace.copy(deep=True)
    ls.estimate_llc(trace)
    xr.testing.assert_identical(trace, before)


def test_a_curve_is_a_sequence_and_a_table():
    curve = ls.estimate_llc(made_trace())
    assert len(curve) == 3
    assert isinstance(curve[1:], ls.LLCCurve)
    assert [one.checkpoint for one in curve[1:]] == [5, 24]
    assert curve[-1].checkpoint == 24
    table = curve.to_dataframe()
    assert isinstance(table, pd.DataFrame)
    assert table.columns.tolist()[:5] == ["checkpoint", "llc", "llc_stderr", "rhat", "ess"]
    np.testing.assert_array_equal(table["llc"], curve.llc)
    np.testing.assert_array_equal(table["llc_stderr"], curve.stderr)
    assert table["status"].tolist() == ["converged"] * 3
    assert all(type(status) is str for status in table["status"])
    assert len(set(table["num_burnin_steps"])) == 1
    assert repr(curve).startswith("LLCCurve(λ̂ = 3.003 ± 0.029 (95 %")
    assert "(95 %, converged)" in str(curve[0])


def test_float32_losses_are_averaged_in_float64():
    trace = made_trace(num_steps=20_000)
    trace["loss"] = (trace.loss + 1000).astype(np.float32)
    trace["initial_loss"] = trace.initial_loss + 1000
    exact = trace.loss.astype(np.float64).mean(dim=("chain", "step")) - trace.initial_loss
    np.testing.assert_allclose(
        ls.estimate_llc(trace, burnin=0).llc, NBETA * exact.values, rtol=1e-9
    )


def test_one_chain_is_compared_with_itself():
    calm = ls.estimate_llc(made_trace(num_chains=1, num_steps=12_000), burnin=0)[0]
    assert calm.status is Status.CONVERGED
    assert calm.rhat < 1.05
    trace = made_trace(num_chains=1, num_steps=12_000)
    trace["loss"] = trace.loss + np.linspace(0, 0.3, 12_000)
    assert ls.estimate_llc(trace, burnin=0)[0].status is Status.NOT_CONVERGED


# --- burn-in -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("burnin", "dropped"),
    [
        (0, 0), (0.0, 0), (1, 1), (0.25, 500), (1999, 1999), (0.9999, 1999),
        (np.int64(10), 10), (np.float32(0.5), 1000), (np.float64(0.1), 200),
    ],
)  # fmt: skip
def test_burnin_is_a_fraction_or_a_number_of_steps(burnin, dropped):
    assert ls.estimate_llc(made_trace(), burnin=burnin)[0].num_burnin_steps == dropped


@pytest.mark.parametrize("burnin", [1.0, 1.5, 2000, 10**9, math.inf, np.float32(1.0)])
def test_burnin_that_leaves_nothing_is_refused(burnin):
    with pytest.raises(
        LambdascopeError, match=r"burnin=.* leaves nothing of 2000 steps; a fraction"
    ):
        ls.estimate_llc(made_trace(), burnin=burnin)


@pytest.mark.parametrize("burnin", [-1, -0.1, math.nan, -math.inf, True, "0.25", [0.25]])
def test_burnin_that_is_none_is_refused(burnin):
    with pytest.raises(LambdascopeError, match=r"burnin=.*: a fraction in \[0, 1\) or a number of"):
        ls.estimate_llc(made_trace(), burnin=burnin)


# --- what is no trace ----------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "trace.zarr", np.zeros((2, 3)), xr.DataArray([1.0])])
def test_what_is_no_dataset_is_refused(given):
    with pytest.raises(
        LambdascopeError, match=r"trace is a .*; the Dataset that lambdascope\.sample"
    ):
        ls.estimate_llc(given)


@pytest.mark.parametrize("name", ["loss", "initial_loss", "nbeta", "checkpoint"])
def test_what_a_trace_lacks_is_named(name):
    with pytest.raises(LambdascopeError, match=rf"trace lacks {name}; a trace from"):
        ls.estimate_llc(made_trace().drop_vars(name))


@pytest.mark.parametrize("dimension", ["checkpoint", "chain", "step"])
def test_an_empty_trace_is_refused(dimension):
    with pytest.raises(LambdascopeError, match=rf"trace is empty .*'{dimension}': 0"):
        ls.estimate_llc(made_trace().isel({dimension: slice(0)}))


# --- from sample to estimate ---------------------------------------------------------------------


def test_one_posterior_gives_one_estimate_and_a_list_gives_a_curve():
    posterior = classifier_posterior()
    assert isinstance(ls.estimate_llc(draw(posterior)), ls.LLCEstimate)
    assert isinstance(ls.estimate_llc(draw([posterior])), ls.LLCCurve)


@pytest.mark.parametrize("num_steps", [4, 7, 10, 20])
def test_the_shortest_runs_say_that_they_are_too_short(num_steps):
    estimate = ls.estimate_llc(draw(classifier_posterior(), num_steps=num_steps))
    assert math.isfinite(estimate.llc)
    assert estimate.status is Status.TOO_FEW_SAMPLES


def test_a_chain_that_is_lost_leaves_the_estimate_of_the_others():
    trace = made_trace()
    whole = ls.estimate_llc(trace.isel(chain=[0, 2, 3]))
    for lost in (np.nan, np.inf, -np.inf):
        trace.loss[1, 1, 1900:] = lost
        torn = ls.estimate_llc(trace)
        assert torn[1].status is Status.DIVERGED_CHAINS
        assert torn[1].num_diverged_chains == 1
        assert (torn[1].llc, torn[1].stderr, torn[1].ess) == (
            whole[1].llc, whole[1].stderr, whole[1].ess
        )  # fmt: skip
        assert torn[0].status is torn[2].status is Status.CONVERGED


# --- warm-up -------------------------------------------------------------------------------------


def adapting_trace():
    trace = made_trace()
    trace["loss"][:, :, :600] = 100.0  # of a sampler that is still on its way
    return trace.assign_attrs(num_warmup_steps=600)


@pytest.mark.parametrize("burnin", [None, 0, 0.1, 600, 900, 0.5])
def test_steps_in_which_the_sampler_adapts_are_never_averaged(burnin):
    asked = {None: 500, 0: 0, 0.1: 200, 600: 600, 900: 900, 0.5: 1000}[burnin]
    curve = ls.estimate_llc(adapting_trace(), burnin=burnin)
    assert curve[0].num_burnin_steps == max(asked, 600)
    assert same(curve[0], ls.estimate_llc(made_trace(), burnin=max(asked, 600))[0])


def test_of_a_trace_that_was_cut_the_steps_that_are_left_count():
    cut = adapting_trace().isel(step=slice(500, None))
    assert ls.estimate_llc(cut, burnin=0)[0].num_burnin_steps == 100
    assert ls.estimate_llc(cut.isel(step=slice(100, None)), burnin=0)[0].num_burnin_steps == 0


def test_a_trace_of_nothing_but_warm_up_is_refused():
    short = adapting_trace().isel(step=slice(0, 600))
    with pytest.raises(
        LambdascopeError, match=r"adapts in all 600 steps of the trace \(its warm-up takes 600\)"
    ):
        ls.estimate_llc(short)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (ls.HMC(step_size=0.1, num_leapfrog_steps=4, num_warmup_trajectories=6), 25),
        (ls.RMSpropSGLD(step_size=1e-3, num_adaptation_steps=13), 13),
        (ls.AdamSGLD(step_size=1e-3), 0),
        (ls.SGLD(step_size=1e-3), 0),
    ],
)
def test_a_trace_says_how_long_its_sampler_adapted(kernel, expected, tmp_path):
    for store in (None, tmp_path / "trace.zarr"):
        trace = draw(classifier_posterior(), kernel, num_steps=40, store=store)
        assert trace.attrs["num_warmup_steps"] == expected
        assert ls.estimate_llc(trace, burnin=0).num_burnin_steps == expected


def test_a_chain_that_runs_away_in_its_last_step_has_diverged():
    trace = made_trace().isel(checkpoint=0)
    temperature = np.ones(trace["loss"].shape)
    temperature[1, -1] = np.inf
    trace["kinetic_temperature"] = (trace["loss"].dims, temperature)
    one = ls.estimate_llc(trace)
    assert one.num_diverged_chains == 1
    assert np.isnan(one.per_chain).tolist() == [False, True, *[False] * (one.num_chains - 2)]


def test_minibatches_that_heat_are_told():
    trace = made_trace().isel(checkpoint=0)
    rng = np.random.default_rng(0)
    shape, dims = trace["loss"].shape, trace["loss"].dims
    trace["kinetic_temperature"] = (dims, 1 + 0.1 * rng.standard_normal(shape))
    assert ls.estimate_llc(trace).status == "converged"
    trace["kinetic_temperature"] += 0.3
    assert ls.estimate_llc(trace).status == "heated"


def test_chains_of_two_steps_are_not_pooled():
    trace = made_trace()
    factors = np.ones((trace.sizes["checkpoint"], trace.sizes["chain"]))
    same_step = trace.assign(step_factor=(("checkpoint", "chain"), factors))
    assert ls.estimate_llc(same_step).llc == pytest.approx(ls.estimate_llc(trace).llc)
    factors[1, 0] = 2.0
    two = trace.assign(step_factor=(("checkpoint", "chain"), factors))
    with pytest.raises(LambdascopeError, match="different step sizes"):
        ls.estimate_llc(two)
    ls.estimate_llc(two.isel(chain=[1, 2]))
