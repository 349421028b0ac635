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


def test_data_sets_that_differ_are_sampled_by_minibatch():
    many = [classifier_posterior(data_seed=seed) for seed in (0, 1)]
    result = automatic_llc(many, SHORT, **QUIET)
    assert result.curve[0].method.startswith("SGLD, minibatch")
    assert all(np.isfinite(result.curve.llc))


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
    kernel = step_choice._kernel([posterior], torch.device("cpu"))
    assert kernel.batch_size is None
    of_all = int(posterior.bytes_per_sample * 40)
    monkeypatch.setattr(step_choice, "total_memory", lambda device: of_all)
    assert step_choice._kernel([posterior], torch.device("cpu")).batch_size == 256


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


def test_rounds_of_an_estimate_that_is_overwritten_go(tmp_path):
    posterior = quadratic_posterior([1.0, 2.0, 4.0])
    strict = AutomaticSettings(target_error=3e-3, target_absolute=1e-9, localizations=False)
    first = automatic_llc(posterior, strict, store=tmp_path, **QUIET)
    assert len(first.traces) > 1
    loose = AutomaticSettings(target_error=0.5, localizations=False, seed=1)
    automatic_llc(posterior, loose, store=tmp_path, overwrite=True, **QUIET)
    assert [path.name for path in tmp_path.glob("round_*")] == ["round_0.zarr"]
