"""λ̂ with nothing to choose."""

import dataclasses
import math
import re

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import Status, automatic, step_choice
from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc
from lambdascope.sampling import plan
from tests.problems import classifier_posterior, quadratic_posterior

QUIET = {"progress": False, "compile": False, "device": "cpu"}
SHORT = AutomaticSettings(max_steps=400, localizations=False)


def test_a_quadratic_is_met_within_its_error():
    """Curvatures over four decades; γ and nβ as in the problems."""
    curvature = np.geomspace(1e-2, 1e2, 50)
    posterior = quadratic_posterior(curvature.tolist(), dtype=torch.float64)
    settings = AutomaticSettings(target_error=0.02)
    (one,) = automatic_llc(posterior, settings, **QUIET).curve
    stiff = 10.0 * curvature
    exact = float((0.5 * stiff / (stiff + 1.0)).sum())
    assert one.status is Status.CONVERGED
    assert one.stderr <= 0.02 * one.llc
    assert abs(one.llc - exact) < 3 * one.stderr
    # −dlog λ̂/dlog γ by the closed form between γ/2 and 2γ
    half, double = ((0.5 * stiff / (stiff + gamma)).sum() for gamma in (0.5, 2.0))
    assert one.localization_slope == pytest.approx(math.log(half / double) / math.log(4), abs=0.06)


def test_it_says_what_it_chose():
    result = automatic_llc(classifier_posterior(), SHORT, **QUIET)
    text = " | ".join(result.choices)
    assert "full-batch BAOAB" in text
    assert "40 samples" in text
    assert "largest curvature" in text
    assert f"{result.traces[0].sizes['step']:,} steps" in text
    assert result.curve[0].method == "full-batch BAOAB, steps h and 2h"


def test_data_sets_that_differ_are_sampled_one_after_the_other(tmp_path):
    seeds = (0, 1, 0)
    many = [classifier_posterior(seed=place, data_seed=seed) for place, seed in enumerate(seeds)]
    result = automatic_llc(many, SHORT, store=tmp_path, **QUIET)
    assert [one.checkpoint for one in result.curve] == [0, 1, 2]
    assert all(one.method.startswith("full-batch BAOAB") for one in result.curve)
    for place, (posterior, one) in enumerate(zip(many, result.curve, strict=True)):
        assert one.initial_loss == posterior.initial_loss
        alone = automatic_llc([posterior], SHORT, checkpoints=[place], **QUIET).curve[0]
        assert one.llc == pytest.approx(alone.llc, rel=1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {"data_0", "data_1"}


def test_a_stiff_checkpoint_has_long_enough_chains_at_other_localizations():
    """Exact by closed form: soft directions of 1e-3, forgotten five times later at nβ = 8,000."""
    curvature = np.array([1.0] * 2 + [1e-3] * 10)
    scales = (300.0, 300.0, 8000.0)
    many = [
        quadratic_posterior(curvature.tolist(), nbeta=nbeta, localization=4.0) for nbeta in scales
    ]
    curve = automatic_llc(many, AutomaticSettings(target_error=0.05), **QUIET).curve

    def exact(nbeta, gamma):
        return float((0.5 * nbeta * curvature / (nbeta * curvature + gamma)).sum())

    for one, nbeta in zip(curve, scales, strict=True):
        assert one.llc_half_localization == pytest.approx(exact(nbeta, 2.0), rel=0.15)
        assert one.llc_double_localization == pytest.approx(exact(nbeta, 8.0), rel=0.15)
        slope = math.log(exact(nbeta, 2.0) / exact(nbeta, 8.0)) / math.log(4)
        assert abs(one.localization_slope - slope) < 4 * one.localization_slope_stderr < 0.3


@pytest.mark.slow
def test_the_slope_in_the_localisation_has_the_error_that_it_states():
    """Forty estimates of one quadratic; both sides share their random numbers."""
    curvature = np.geomspace(0.01, 30.0, 10)
    posterior = quadratic_posterior(curvature.tolist(), nbeta=100.0, localization=5.0)
    curve = automatic_llc([posterior] * 40, AutomaticSettings(), **QUIET).curve
    stiff = 100.0 * curvature
    half, double = ((0.5 * stiff / (stiff + gamma)).sum() for gamma in (2.5, 10.0))
    slopes = np.array([one.localization_slope for one in curve])
    stated = np.array([one.localization_slope_stderr for one in curve])
    # Forty draws know their own spread to 11 %.
    assert slopes.std(ddof=1) == pytest.approx(np.median(stated), rel=0.4)
    assert abs(slopes.mean() - math.log(half / double) / math.log(4)) < 4 * stated.mean() / 6
    assert np.mean(np.abs(slopes - math.log(half / double) / math.log(4)) < 1.96 * stated) > 0.8
    apart = [
        math.hypot(
            one.llc_half_localization_stderr / one.llc_half_localization,
            one.llc_double_localization_stderr / one.llc_double_localization,
        )
        / math.log(4)
        for one in curve
    ]
    assert np.median(stated) < 0.5 * np.median(apart)


def test_chains_at_other_localizations_that_are_too_short_are_left_out():
    many = [quadratic_posterior([1.0, 1e-3], nbeta=nbeta) for nbeta in (300.0, 3e6)]
    result = automatic_llc(many, AutomaticSettings(max_steps=1500), **QUIET)
    assert math.isfinite(result.curve[0].llc_half_localization)
    assert math.isnan(result.curve[1].llc_half_localization)
    assert any("λ̂ at γ/2 is left out at checkpoint 1: its chains need" in c for c in result.choices)


def kernel_of(posterior):
    softest = np.array([posterior.localization])
    return step_choice._kernel([posterior], softest, torch.device("cpu"))


def test_many_samples_are_read_in_parts():
    posterior = classifier_posterior(n=25_000, nbeta=None)
    kernel = kernel_of(posterior)
    assert kernel.batch_size is None
    assert kernel.microbatch_size == 8334


def test_more_samples_than_can_be_read_at_every_step_come_in_minibatches(monkeypatch):
    """Of a small network more of them can; then no compiled step has more than twenty parts."""
    posterior = classifier_posterior(n=250_000, nbeta=None)
    kernel = kernel_of(posterior)
    assert (kernel.batch_size, kernel.microbatch_size) == (None, 12_500)
    work = 250_000 * max(posterior.num_parameters, posterior.bytes_per_sample / 4)
    monkeypatch.setattr(step_choice, "_LARGEST_WORK", work)
    assert kernel_of(posterior).batch_size is None
    monkeypatch.setattr(step_choice, "_LARGEST_WORK", 0.99 * work)
    assert kernel_of(posterior).batch_size == 256
    few = classifier_posterior(n=100_000, nbeta=None)
    assert kernel_of(few).batch_size is None


def test_an_unknown_argument_is_named_with_what_is_accepted():
    with pytest.raises(LambdascopeError, match=r"num_chains with posteriors: .*target_error"):
        ls.estimate_llc(quadratic_posterior([1.0]), num_chains=4)
    with pytest.raises(LambdascopeError, match="localizations"):
        AutomaticSettings(localizations="no")


def test_a_target_out_of_reach_gives_the_best_estimate_and_says_so():
    settings = AutomaticSettings(target_error=1e-6, target_absolute=1e-6, max_steps=600)
    (one,) = automatic_llc(quadratic_posterior([1.0, 2.0, 4.0]), settings, **QUIET).curve
    assert one.status is Status.TARGET_NOT_REACHED
    assert "above the target, after the 600 steps allowed" in one.advice
    assert one.llc == pytest.approx(1.4, abs=6 * one.stderr)


def test_a_call_given_again_reads_its_traces(tmp_path):
    posterior = classifier_posterior()
    first = automatic_llc(posterior, SHORT, store=tmp_path, **QUIET)
    changed = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("zarr.json")}
    again = automatic_llc(posterior, SHORT, store=tmp_path, **QUIET)
    assert first.curve.llc.tolist() == again.curve.llc.tolist()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("zarr.json")} == changed


def test_estimate_llc_takes_posteriors():
    one = ls.estimate_llc(quadratic_posterior([1.0, 2.0]), target_error=0.1, max_steps=400, **QUIET)
    assert isinstance(one, ls.LLCEstimate)
    curve = ls.estimate_llc(
        [quadratic_posterior([1.0])] * 2, target_error=0.1, max_steps=400, **QUIET
    )
    assert [one.checkpoint for one in curve] == [0, 1]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"target_error": 0}, r"target_error=0: a positive finite number"),
        ({"max_steps": 10}, r"max_steps=10: an integer ≥ 300"),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(LambdascopeError, match=sentence):
        AutomaticSettings(**settings)


def test_burnin_belongs_to_a_trace():
    with pytest.raises(LambdascopeError, match=r"burnin=0\.5 with posteriors: .*chosen"):
        ls.estimate_llc(quadratic_posterior([1.0]), burnin=0.5)


def test_a_step_that_ran_away_is_not_taken_again():
    """The first pilot ran away; the second, shorter, stays near w* and meets nothing new."""
    search = step_choice._Search(np.array([10.0, 10.0]))
    search.hear(np.array([np.inf, 12.0]))
    assert search.settled.tolist() == [False, True]
    assert search.found.tolist() == [160.0, 12.0]
    search.hear(np.array([11.0, 1e9]))  # the second is settled, and hears no more
    assert search.settled.all()
    assert search.found.tolist() == [40.0, 12.0]


def test_pilots_that_always_run_away_leave_no_step():
    search = step_choice._Search(np.array([1.0]))
    for _ in range(20):
        search.hear(np.array([np.inf]))
    assert not search.settled.any()


def test_full_batches_beyond_memory_are_not_chosen(monkeypatch):
    posterior = classifier_posterior()
    kernel = kernel_of(posterior)
    assert kernel.batch_size is None
    of_all = int(posterior.bytes_per_sample * 40)
    monkeypatch.setattr(step_choice, "available_cores", lambda: 1)
    monkeypatch.setattr(step_choice, "total_memory", lambda device: of_all)
    # A quarter of the memory holds ten of the forty samples at once.
    assert kernel_of(posterior).microbatch_size == 10
    monkeypatch.setattr(step_choice, "total_memory", lambda device: of_all / 20)
    assert kernel_of(posterior).batch_size == 256


def test_chunks_do_not_depend_on_the_cores(monkeypatch):
    many, kernel = [classifier_posterior()], ls.SGLD(step_size=1.0, batch_size=8)
    sizes = set()
    for cores in (1, 2, 64):
        monkeypatch.setattr(plan, "usable_cores", lambda cores=cores: cores)
        sizes.add(step_choice._chunk_size(many, kernel, torch.device("cpu"), cheap=True))
    assert sizes == {8}


def test_a_chain_too_short_for_its_burnin_is_not_converged():
    one = automatic_llc(classifier_posterior(), SHORT, **QUIET).curve[0]
    one = dataclasses.replace(one, status=Status.CONVERGED)
    assert automatic._settled(one, one.num_burnin_steps) is one
    short = automatic._settled(one, 300)
    assert short.status is Status.NOT_CONVERGED
    assert re.search(r"needs 300 steps of burn-in, and \d+ of 400 were to be had", short.advice)
    escaped = dataclasses.replace(one, status=Status.ESCAPED)
    assert automatic._settled(escaped, 300) is escaped


def test_rounds_of_an_estimate_that_is_overwritten_go(tmp_path, monkeypatch):
    posterior = quadratic_posterior([1.0, 2.0, 4.0])
    strict = AutomaticSettings(target_error=3e-3, target_absolute=1e-9, localizations=False)
    # Nothing is ever good enough, and every attempt is only twice as long.
    monkeypatch.setattr(automatic, "longer", lambda *_: 2.0)
    first = automatic_llc(posterior, strict, store=tmp_path, **QUIET)
    loose = AutomaticSettings(target_error=0.5, localizations=False, seed=1)
    second = automatic_llc(posterior, loose, store=tmp_path, overwrite=True, **QUIET)
    assert len(second.traces) < len(first.traces) == 4
    kept = sorted(path.name for path in tmp_path.glob("round_*"))
    assert kept == [f"round_{number}.zarr" for number in range(len(second.traces))]
    assert second.curve[0].status is Status.CONVERGED
    assert second.curve[0].llc != first.curve[0].llc


def test_each_posterior_of_many_weights_has_a_length_of_its_own(tmp_path):
    """h follows the curvature, and with it how many steps the softest direction takes."""
    curvatures = [np.full(4200, 0.1 * factor) for factor in (1.0, 1000.0, 1.2)]
    many = [quadratic_posterior(one.tolist()) for one in curvatures]
    settings = AutomaticSettings(target_error=0.2, localizations=False)
    result = automatic_llc(many, settings, checkpoints=[5, 6, 7], store=tmp_path, **QUIET)
    first = [trace["checkpoint"].values.tolist() for trace in result.traces[:2]]
    assert first == [[6], [5, 7]]
    assert [one.checkpoint for one in result.curve] == [5, 6, 7]
    slow, quick = (trace.sizes["step"] for trace in result.traces[:2])
    assert slow > 2 * quick
    assert f"{quick:,} … {slow:,} steps" in " | ".join(result.choices)
    for one, curvature in zip(result.curve, curvatures, strict=True):
        stiff = 10.0 * curvature
        exact = float((0.5 * stiff / (stiff + 1.0)).sum())
        assert abs(one.llc - exact) < 4 * one.stderr
