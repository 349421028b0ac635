"""Estimates as a reader sees them in a terminal and in a notebook."""

import math
from dataclasses import replace

import numpy as np

from lambdascope.estimates import LLCCurve, LLCEstimate
from lambdascope.estimates.verdict import Status

ONE = LLCEstimate(
    checkpoint=3,
    llc=88.04,
    stderr=2.7,
    per_chain=np.array([87.0, 89.0]),
    rhat=1.0123,
    ess=812.3,
    drift=0.1,
    initial_loss=0.026,
    mean_loss=0.62,
    nbeta=338.0,
    num_chains=2,
    num_diverged_chains=0,
    num_burnin_steps=10,
    num_steps=400,
    status=Status.CONVERGED,
    advice="the chains agree.",
)
LOST = replace(
    ONE, checkpoint=12, llc=math.nan, stderr=math.nan, status=Status.ALL_DIVERGED, advice="ε < 1"
)


def test_a_curve_prints_as_a_table() -> None:
    lines = str(LLCCurve([ONE, LOST])).splitlines()
    assert lines[0].split() == [
        *("checkpoint", "λ̂", "±", "95", "%", "R-hat", "ESS"),
        *("loss", "at", "w*", "mean", "loss", "status"),
    ]
    assert lines[1].split() == [
        "3",
        "88.0",
        "±",
        "5.3",
        "1.012",
        "812",
        "0.026",
        "0.62",
        "converged",
    ]
    assert lines[2].endswith("all chains diverged")
    assert lines[1].index("converged") == lines[2].index("all")
    assert lines[3].startswith("checkpoint 12: ε < 1")
    assert len(lines) == 4


def test_a_notebook_shows_tables_and_what_to_try() -> None:
    page = LLCCurve([ONE, LOST])._repr_html_()
    assert page.count("<tr>") == 3
    assert "<td>88.0 ± 5.3</td>" in page
    assert page.endswith("<p>checkpoint 12: ε &lt; 1</p>")
    alone = ONE._repr_html_()
    assert alone.count("<tr>") == 2
    assert "<p>" not in alone


def test_other_localizations_have_a_column_where_they_were_asked_for() -> None:
    beside = replace(ONE, llc_half_localization=90.0, llc_double_localization=83.0)
    lines = str(LLCCurve([beside, LOST])).splitlines()
    assert "λ̂ at γ/2 … 2γ" in lines[0]
    assert "88.0 ± 5.3    90.0 … 83.0  1.012" in lines[1]
    assert "– … –" in lines[2]
    assert "<td>90.0 … 83.0</td>" in LLCCurve([beside, LOST])._repr_html_()


def test_a_scan_has_the_column_that_tells_its_rows_apart() -> None:
    scan = LLCCurve([replace(ONE, localization=1.0), replace(ONE, localization=25.0)])
    lines = str(scan).splitlines()
    assert lines[0].split()[:2] == ["checkpoint", "γ"]
    assert [line.split()[1] for line in lines[1:]] == ["1.00", "25.0"]
    hot = LLCCurve([ONE, replace(ONE, nbeta=12.0)])
    assert str(hot).splitlines()[0].split()[:2] == ["checkpoint", "nβ"]
