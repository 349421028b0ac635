"""The page of a run from tables that were made up: its size, and what its tables say."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lambdascope.reporting.page.record import LossTraceRecord, ModeRecord, RunRecord, StepRecord
from lambdascope.reporting.page.run_page import run_page
from lambdascope.reporting.page.run_payload import run_payload
from lambdascope.reporting.page.run_tables import run_tables

COMMANDS = ("train", "llc", "fourier", "circuits", "chains", "hessian")


def estimates(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "checkpoint": range(count),
            "step": [60 * index for index in range(count)],
            "llc": 500.0,
            "llc_stderr": 4.0,
            "rhat": 1.01,
            "ess": 812.0,
            "drift": -0.4,
            "num_chains": 8,
            "num_diverged_chains": 0,
            "num_burnin_steps": 100,
            "status": "converged",
            "advice": "the chains agree.",
            "llc_uncorrected": 512.0,
            "bias": 12.0,
            "bias_stderr": 2.0,
            "llc_half_localization": 620.0,
            "llc_double_localization": 463.0,
            "localization_slope": 0.21,
            "train_loss": 0.02,
            "test_loss": math.nan,
            "mean_loss": 1.5,
            "sampler": "automatic",
        }
    )


def record(**changes: Any) -> RunRecord:
    """A large run: 25 checkpoints, p = 113, twelve pictures, eight chains."""
    random, p = np.random.default_rng(0), 113
    llc = estimates(25)
    training = llc[["checkpoint", "step", "train_loss", "test_loss"]].assign(
        train_accuracy=1.0, test_accuracy=math.nan, weight_norm=30.0
    )
    trace = LossTraceRecord(
        steps=np.arange(200.0),
        loss=random.uniform(1, 2, (8, 200)),
        step_factors=[2.0, 2.0, *[1.0] * 6],
        num_steps=3000,
        block=15,
        initial_loss=0.02,
        nbeta=338.0,
    )
    modes = ModeRecord(
        p=p,
        magnitudes=random.uniform(1, 90, (25, p // 2)),
        shown=range(1, 13),
        key_modes=[3, 5],
        are_circuits=False,
        positions=random.normal(size=(25, 12, p, 2)),
    )
    tables = {"llc.csv": llc, "training.csv": training}
    fields: dict[str, Any] = {
        "name": "large",
        "settings": {"p": p, "task": "addition", "num_steps": 1440},
        "versions": "lambdascope 0",
        "steps": llc["step"].tolist(),
        "tables": tables,
        "files": {name: table.to_csv() for name, table in tables.items()},
        "modes": modes,
        "traces": dict.fromkeys(range(25), trace),
        "made_by": [StepRecord("train", "lambdascope train --out large", "lambdascope 0")],
        "suggestions": {name: f"lambdascope {name} large" for name in COMMANDS},
        "diverged_before": None,
        "thresholds": {
            "rhat": 1.1,
            "ess": 50,
            "drift": 4.0,
            "growth": 0.15,
            "distance_rhat": 1.2,
            "reach": 1.22,
        },
    }
    return RunRecord(**{**fields, **changes})


def texts(name: str, of: RunRecord) -> dict[str, str]:
    """Header → text of the first row."""
    table = next(one for one in run_tables(of) if one.name == name)
    pairs = zip(table.columns, table.rows[0], strict=True)
    return {column.header: cell.text for column, cell in pairs}


CIRCUITS = pd.DataFrame(
    {
        "frequency": [3],
        "kind": "clock",
        "formation_step": 120.0,
        "step_before_formation": 60.0,
        "first_found_step": 60,
        "magnitude_embedding": 9.0,
        "logit_share": 0.98,
        "loss": 0.1,
        "loss_removed": 2.0,
        "loss_alone": 0.2,
        "num_neurons": 7,
    }
)


def with_circuits(**changes: Any) -> RunRecord:
    one = record(**changes)
    return record(
        **changes,
        tables={**one.tables, "circuits.csv": CIRCUITS},
        files={**one.files, "circuits.csv": ""},
    )


def test_the_rule_that_dates_circuits_is_the_one_that_is_used() -> None:
    page = run_page(with_circuits())
    assert "share of the power of all the embedding’s modes splits best into a lower" in page
    assert "jumps" not in page.split('id="chart-circuits"')[0]


def test_a_large_run_stays_small() -> None:
    assert len(run_page(record()).encode()) < 6e6


def test_a_corrected_estimate_shows_both_and_the_bias() -> None:
    row = texts("estimates", record())
    assert row["λ̂ ± 95 %"] == "500.0 ± 7.8"
    assert row["Uncorrected"] == "512"
    assert row["Bias ± s.e."] == "12.0 ± 2.0"
    assert row["Test loss (nats)"] == "–"
    page = run_page(record())
    assert "± is the total error; the bias of the step is measured: subtracted where" in page
    assert "(25 of 25), part of ± elsewhere" in page
    assert "dashed: uncorrected" in page
    assert run_payload(record())["curve"]["uncorrected"] == [512.0] * 25
    assert "all 25 estimates of λ̂ converged" in page


def test_a_bias_that_does_not_stand_out_is_not_drawn_as_subtracted() -> None:
    within = estimates(25).assign(llc_uncorrected=500.0, bias=3.0)
    of = record(tables={"llc.csv": within}, files={"llc.csv": ""})
    page = run_page(of)
    assert "(0 of 25), part of ± elsewhere" in page
    assert "dashed: uncorrected" not in page
    assert run_payload(of)["curve"]["uncorrected"] is None


def test_a_plain_estimate_warns_of_its_bias() -> None:
    plain = estimates(25).assign(bias=math.nan, bias_stderr=math.nan, sampler="SGLD")
    of = record(tables={"llc.csv": plain}, files={"llc.csv": ""})
    assert "Uncorrected" not in texts("estimates", of)
    page = run_page(of)
    said = "± is the sampling error alone; the bias of step and minibatch not measured"
    assert re.search(rf'class="warn">.*\n?{said}', page)
    assert "25 rows: scroll." in page


def test_cautions_stand_at_the_top_and_gaps_in_the_curve_are_told_to_the_chart() -> None:
    some = estimates(25).iloc[[0, 1, 5]].assign(cautions=["a slope (tilt), so", "", ""])
    of = record(tables={"llc.csv": some}, files={"llc.csv": ""})
    assert "a slope at step 0" in run_page(of).split("<main>")[0]
    assert run_payload(of)["curve"]["stretches"] == [(0, 2), (2, 3)]


def test_what_makes_an_estimate_doubtful_is_named_with_its_limits() -> None:
    page = run_page(record())
    for said in (
        "doubtful above 1.1.",
        "50 are needed.",
        "doubtful beyond ±4.",
        "by more than 15 % from half to half",
        "(R-hat of its square above 1.2)",
        "more than 1.2 times what localisation alone allows",
    ):
        assert said in page


def test_doubt_is_told_with_what_to_try() -> None:
    doubtful = estimates(3)
    doubtful.loc[1, ["status", "advice"]] = ["escaped", "the chains went too far."]
    of = record(tables={"llc.csv": doubtful}, files={"llc.csv": ""}, traces={})
    table = next(one for one in run_tables(of) if one.name == "diagnostics")
    assert [row[2].mark for row in table.rows] == ["good", "warn", "good"]
    assert table.rows[1][3].text == "The chains went too far."
    assert texts("diagnostics", of)["Fall with γ"] == "0.21"
    page = run_page(of)
    assert f"2 of 3 estimates of λ̂ converged (escaped at step {table.rows[1][1].text})" in page
    assert "rows: scroll" not in page


@pytest.mark.parametrize(("weighed", "said"), [(True, "yes"), (False, "")])
def test_measures_beside_the_published_ones(weighed: bool, said: str) -> None:
    measures = pd.DataFrame(
        {
            "measure": ["symmetricity", "accuracy", "accuracy_kept"],
            "value": [0.99, 0.8, 0.6],
            "published_clock": [0.334, math.nan, math.nan],
            "published_pizza": [0.994, math.nan, math.nan],
            "weighed": [weighed, False, False],
            "verdict": "pizza",
        }
    )
    of = record(tables={"clock_or_pizza.csv": measures}, files={"clock_or_pizza.csv": ""})
    row = texts("measures", of)
    assert row == {
        "Measure": "Gradient symmetricity",
        "This network": "0.990",
        "Published clock": "0.334",
        "Published pizza": "0.994",
        "Weighed": said,
    }
