"""From a sweep's table to what its figures show."""

import math

import numpy as np
import pandas as pd
import pytest

from lambdascope.commands.sweep_figures import draw, lines_of, means_of, runs_of, slopes_of
from lambdascope.sweeps import FigureWish

AXES = ("train.task", "train.p", "llc.n_multiplier", "train.seed")
TABLE = pd.DataFrame(
    [
        {
            "cell": 100 * seed + 10 * p + factor,
            "step": 50,
            "train.task": task,
            "train.p": p,
            "llc.n_multiplier": float(factor),
            "train.seed": seed,
            # A slope of 3 in p for each unit of the factor, and seeds one to either side.
            "llc": 3.0 * factor * p + (1.0 if seed else -1.0) + (100.0 if task == "random" else 0),
            "llc_stderr": 0.5,
            "status": "escaped" if p == 7 else "converged",
            "num_circuits": 1 + seed,
        }
        for task in ("addition", "random")
        for p in (5, 7, 9)
        for factor in (1, 2)
        for seed in (0, 1)
    ]
)


def test_runs_are_what_agrees_in_all_axes_without_a_place() -> None:
    wish = FigureWish(x="train.p", family="train.task")
    addition = runs_of(TABLE, "llc", wish, AXES).query("family == 'addition'")
    assert addition.groupby("run").size().to_dict() == {
        "1.0, 0": 3,
        "1.0, 1": 3,
        "2.0, 0": 3,
        "2.0, 1": 3,
    }
    assert addition["x"].is_monotonic_increasing
    assert addition.groupby("x")["doubtful"].all().to_dict() == {5: False, 7: True, 9: False}


def test_what_is_measured_makes_each_cell_a_run() -> None:
    wish = FigureWish(x="num_circuits", family="train.task")
    runs = runs_of(TABLE, "llc", wish, AXES)
    assert runs.groupby(["family", "run"]).size().max() == 1


def test_a_mean_has_the_spread_of_its_runs_or_the_error_of_the_one() -> None:
    wish = FigureWish(x="train.p", family="train.task")
    one = TABLE[TABLE["llc.n_multiplier"] == 1.0]
    means = means_of(runs_of(one, "llc", wish, AXES))
    assert means["mean"].tolist()[:2] == [15.0, 115.0]
    np.testing.assert_allclose(means["spread"], math.sqrt(2))
    single = means_of(runs_of(one[one["train.seed"] == 0], "llc", wish, AXES))
    assert set(single["spread"]) == {0.5}


def test_slopes_are_those_of_the_lines() -> None:
    wish = FigureWish(x="llc.n_multiplier", slope_over="train.p", family="train.task")
    means, runs = slopes_of(runs_of(TABLE, "llc", wish, AXES))
    assert means["x"].tolist() == [1.0, 1.0, 2.0, 2.0]
    np.testing.assert_allclose(means["mean"], [3.0, 3.0, 6.0, 6.0])
    # Six points, residuals of 1: s² = 6/4, Σ(p − p̄)² = 2·(4 + 0 + 4).
    np.testing.assert_allclose(means["spread"], math.sqrt(6 / 4 / 16))
    np.testing.assert_allclose(runs["y"], 3.0 * runs["x"])
    assert len(runs) == 8


def test_a_line_needs_two_places_that_are_numbers() -> None:
    wish = FigureWish(x="train.p")
    (line,) = lines_of(runs_of(TABLE, "llc", wish, AXES)).itertuples()
    assert line.label.startswith("slope 4.5 ± ")
    assert lines_of(runs_of(TABLE[TABLE["train.p"] == 5], "llc", wish, AXES)).empty
    assert lines_of(runs_of(TABLE, "llc", FigureWish(x="train.task"), AXES)).empty


@pytest.mark.parametrize(
    "settings",
    [
        {"x": "train.p", "family": "train.task", "panel": "llc.n_multiplier", "line": True},
        {"x": "train.p", "y": ["llc", "num_circuits"]},
        {"x": "train.p", "map_over": "llc.n_multiplier", "panel": "train.task"},
        {"x": "llc.n_multiplier", "slope_over": "train.p", "log_x": True},
        {"x": "step", "family": "status"},
    ],
)
def test_every_kind_can_be_drawn(settings: dict) -> None:
    figure = draw(TABLE, pd.DataFrame(), FigureWish(**settings), AXES, "a note")
    assert figure is not None
    assert "a note" in figure._supxlabel.get_text().replace("\n", " ")


def test_what_is_not_measured_yet_is_not_drawn() -> None:
    wish = FigureWish(x="train.p", y="hessian_trace")
    assert draw(TABLE, pd.DataFrame(), wish, AXES, "") is None
    spectra = FigureWish(x="rank", y="eigenvalue")
    assert draw(TABLE, pd.DataFrame(), spectra, AXES, "") is None
