import numpy as np
import pandas as pd
import pytest

import lambdascope as ls
from lambdascope import calibration
from lambdascope.calibration.case import Case, run_case
from lambdascope.calibration.summary import share_ordered
from lambdascope.toys import (
    complex_multiplication,
    crossing_potential,
    padded_networks,
    quadratic_potential,
)


def row_of(toy, **settings):
    settings = {
        "kernel": ls.SGLD(step_size=1e-3),
        "num_chains": 100,
        "num_steps": 600,
        "localization": 10.0,
        "nbeta": 100.0,
        "compile": False,
        **settings,
    }
    (row,) = run_case(Case("group", [toy], **settings))
    return row


def test_a_row_holds_the_exact_answers_beside_the_estimate():
    row = row_of(quadratic_potential([1.0, 2.0, 0.5]))
    assert row["exact"] == 1.5
    assert row["exact_finite_n"] == pytest.approx(0.5 * (100 / 110 + 200 / 210 + 50 / 60), rel=1e-9)
    assert row["ratio"] == row["llc"] / 1.5
    assert row["ratio_finite_n"] == row["llc"] / row["exact_finite_n"]
    assert row["verdict"] == "agrees"
    assert row["num_parameters"] == 3
    assert row["sampler"] == "SGLD"
    # γ takes a tenth of λ at this nβ, and the table says so.
    assert "finite n: nβ and γ" in row["reason"]


def test_a_crossing_is_known_to_read_low():
    row = row_of(crossing_potential([2, 2]), num_chains=300, num_steps=1500)
    assert row["ratio"] < 0.7
    assert row["verdict"] in ("agrees", "within 5 %")
    assert "multiplicity 2" in row["reason"]


def test_a_chain_that_has_not_settled_is_called_low():
    row = row_of(quadratic_potential([1.0]), kernel=ls.SGLD(step_size=1e-6), num_steps=400)
    assert row["verdict"] == "low"


def test_chains_that_diverge_are_called_so():
    row = row_of(quadratic_potential([1.0]), kernel=ls.SGLD(step_size=0.2), num_steps=600)
    assert row["verdict"] == "diverged"
    assert np.isnan(row["llc"])


def test_a_reason_fits_the_side_of_the_miss():
    # Rank 0 between full layers: singular, and at so few steps hardly a direction is filled.
    (toy,) = padded_networks([((6, 6, 6), 0)], num_samples=50)
    low = row_of(
        toy, kernel=ls.SGLD(step_size=1e-6, batch_size=20), num_chains=4, nbeta=1e4, num_steps=400
    )
    assert low["verdict"] == "low"
    assert "singular" in low["reason"]
    # A step near the limit of stability reads high, and no singularity explains that.
    high = row_of(quadratic_potential([1.0]), kernel=ls.SGLD(step_size=0.03), nbeta=100.0)
    assert high["verdict"] == "high"
    assert "singular" not in high["reason"]


def test_an_unknown_answer_is_not_judged():
    toy = complex_multiplication("silu", num_samples=50, num_steps=20)
    row = row_of(toy, kernel=ls.SGLD(step_size=1e-5, batch_size=20), num_chains=2, num_steps=50)
    assert row["verdict"] == "no exact answer"
    assert np.isnan(row["exact"])


def test_pairs_in_order():
    assert share_ordered(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.6, 0.7])) == 1
    assert share_ordered(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.7, 0.6])) == pytest.approx(
        2 / 3
    )
    assert share_ordered(np.array([1.0, 1.0, 3.0]), np.array([0.5, np.nan, 0.6])) == 0.5
    assert np.isnan(share_ordered(np.array([1.0, 1.0]), np.array([0.5, 0.7])))


def test_summary_is_by_group_and_sampler():
    table = pd.DataFrame(
        {
            "group": ["potential", "linear, class 1K", "linear, class 1K", "linear, class 1K"],
            "sampler": ["SGLD", "SGLD", "SGLD", "RMSpropSGLD"],
            "exact": [1.0, 10.0, 20.0, 10.0],
            "model_llc": [np.nan, 8.0, 20.0, 8.0],
            "llc": [1.0, 11.0, 20.0, 9.0],
        }
    )
    plain, other = calibration.ranking_summary(table)
    assert (plain.sampler, plain.num_systems, plain.share_ordered) == ("SGLD", 2, 1.0)
    assert plain.median_error == pytest.approx(0.05)
    assert plain.model_median_error == pytest.approx((3 / 8 + 0) / 2)
    assert other.median_ratio == pytest.approx(0.9)


def test_unknown_suites_are_refused():
    with pytest.raises(ls.LambdascopeError, match="suite='big': quick, full are accepted"):
        calibration.calibrate("big")
    with pytest.raises(ls.LambdascopeError, match="num_workers=0: an integer ≥ 1"):
        calibration.calibrate("quick", num_workers=0)


def test_rows_come_in_the_order_of_the_suite(monkeypatch):
    def case(curvature):
        toy = quadratic_potential([curvature])
        kernel = ls.SGLD(step_size=1e-3)
        return Case("potential", [toy], kernel, 2, 40, 10.0, nbeta=100.0, compile=False)

    monkeypatch.setitem(calibration.SUITES, "short", [lambda: case(1.0), lambda: case(2.0)])
    done = []
    table = calibration.calibrate("short", num_workers=1, report=lambda *now: done.append(now))
    assert done == [(1, 2), (2, 2)]
    assert table["exact_finite_n"].tolist() == pytest.approx([0.5 * 100 / 110, 0.5 * 200 / 210])


@pytest.mark.slow
def test_the_quick_suite_meets_its_ask():
    table = calibration.calibrate("quick")
    assert not (table["verdict"] == "diverged").any()
    for one in calibration.ranking_summary(table):
        assert one.median_error < 0.04, one
        assert one.share_ordered > 0.95, one
    finite = table[table["exact_finite_n"].notna()]
    assert len(finite) == 8
    # The step costs up to 4 % in the stiffest direction.
    miss = (finite["llc"] - finite["exact_finite_n"]).abs()
    assert (miss < 3.5 * finite["llc_stderr"] + 0.04 * finite["exact_finite_n"]).all()
