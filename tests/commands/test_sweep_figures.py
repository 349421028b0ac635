"""From a sweep's table to what its figures show."""

import math

import numpy as np
import pandas as pd
import pytest

from lambdascope.commands import sweep_figures
from lambdascope.commands.sweep_config import matters_to
from lambdascope.commands.sweep_curves import lines_of, means_of, runs_of, slopes_of
from lambdascope.commands.sweep_figures import panels_of
from lambdascope.commands.sweep_pooling import pooled_over
from lambdascope.sweeps import FigureWish

AXES = ("train.task", "train.p", "llc.n_multiplier", "train.seed")
TABLE = pd.DataFrame(
    [
        {
            "cell": 1000 * (task == "random") + 100 * seed + 10 * p + factor,
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


def draw(table, spectra, wish, axes, note, cells=None):
    """As a sweep does; without cells those of the table are all that there are."""
    if cells is None:
        known = [axis for axis in axes if axis in table]
        cells = table[["cell", *known]].drop_duplicates("cell").assign(state="finished")
    return sweep_figures.draw(table, spectra, wish, axes, note, cells)


def caption_of(figure) -> str:
    """A figure's caption as one line."""
    return figure._supxlabel.get_text().replace("\n", " · ")


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
    assert single["spread"].isna().all()
    assert set(single["stderr"]) == {0.5}
    assert means["stderr"].isna().all()


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
    line = lines_of(runs_of(TABLE, "llc", wish, AXES))
    assert line["label"].str.startswith("slope 4.5 ± ").all()
    assert line["x"].tolist() == [5, 9]
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
    assert not isinstance(figure, str)
    assert "a note" in figure._supxlabel.get_text().replace("\n", " ")


def test_what_is_not_measured_yet_is_not_drawn() -> None:
    wish = FigureWish(x="train.p", y="hessian_trace")
    said = "no finished cell has hessian_trace at its last checkpoint"
    assert draw(TABLE, pd.DataFrame(), wish, AXES, "") == said
    spectra = FigureWish(x="rank", y="eigenvalue")
    assert "no finished cell has eigenvalue" in draw(TABLE, pd.DataFrame(), spectra, AXES, "")
    assert panels_of(TABLE, pd.DataFrame(), wish, AXES) == []


EARLY = pd.concat([TABLE.assign(step=0), TABLE.assign(llc=math.nan, status=None)])


@pytest.mark.parametrize(
    "settings",
    [
        {"x": "train.p"},
        {"x": "train.p", "panel": "train.task"},
        {"x": "train.p", "map_over": "llc.n_multiplier"},
        {"x": "llc.n_multiplier", "slope_over": "train.p"},
    ],
)
def test_what_was_measured_before_the_last_checkpoint_only_is_no_point(settings: dict) -> None:
    wish = FigureWish(**settings)
    assert "no finished cell has llc at" in draw(EARLY, pd.DataFrame(), wish, AXES, "")
    along = FigureWish(x="step")
    (panel,) = panels_of(EARLY, pd.DataFrame(), along, AXES)
    assert set(panel.runs["x"]) == {0}


def test_a_slope_of_which_one_place_is_finished_is_not_drawn() -> None:
    wish = FigureWish(x="llc.n_multiplier", slope_over="train.p", panel="train.task")
    started = TABLE[(TABLE["train.p"] == 5) | (TABLE["train.task"] == "random")]
    (panel,) = panels_of(started, pd.DataFrame(), wish, AXES)
    assert panel.title == "random"
    assert not isinstance(draw(started, pd.DataFrame(), wish, AXES, ""), str)
    one = TABLE[TABLE["train.p"] == 5]
    said = "a slope needs finished cells at two values of train.p"
    assert draw(one, pd.DataFrame(), wish, AXES, "") == said


def test_of_several_quantities_those_that_are_measured_are_drawn() -> None:
    wish = FigureWish(x="train.p", y=["llc", "hessian_trace"])
    figure = draw(TABLE, pd.DataFrame(), wish, AXES, "")
    assert [axes.get_ylabel() for axes in figure.axes] == ["Learning coefficient λ̂"]
    caption = figure._supxlabel.get_text().replace("\n", " ")
    assert "not measured yet: trace of the Hessian" in caption


def test_a_map_hatches_doubtful_estimates_and_nothing_else() -> None:
    some = TABLE.assign(status=TABLE["status"].where(TABLE["train.p"] != 9))
    wish = FigureWish(x="train.p", map_over="llc.n_multiplier")
    figure = draw(some, pd.DataFrame(), wish, AXES, "")
    assert len(figure.axes[0].patches) == 2  # p = 7; at p = 9 there is no status
    assert "hatched" in figure._supxlabel.get_text()
    counts = draw(some, pd.DataFrame(), wish.model_copy(update={"y": ("num_circuits",)}), AXES, "")
    assert len(counts.axes[0].patches) == 0
    assert "hatched" not in counts._supxlabel.get_text()


def test_failed_and_missing_fields_of_the_plan_stand_in_the_map() -> None:
    axes = ("llc.step_size", "llc.localization", "train.seed")
    cells = pd.DataFrame(
        [
            {"cell": 4 * i + 2 * j + seed, axes[0]: step, axes[1]: gamma, axes[2]: seed}
            for i, step in enumerate([1e-4, 1e-2])
            for j, gamma in enumerate([5.0, 50.0])
            for seed in (0, 1)
        ]
    )
    states = ["finished", "failed", "failed", "failed", "failed", "missing", "missing", "missing"]
    cells = cells.assign(state=states)
    table = cells[cells["state"] == "finished"].assign(step=50, llc=7.0, status="converged")
    wish = FigureWish(x=axes[0], map_over=axes[1])
    figure = draw(table, pd.DataFrame(), wish, axes, "", cells)
    drawn = figure.axes[0]
    assert [text.get_text() for text in drawn.get_xticklabels()] == ["0.0001", "0.01"]
    assert [text.get_text() for text in drawn.get_yticklabels()] == ["5", "50"]
    assert {text.get_position(): text.get_text() for text in drawn.texts} == {
        (0, 0): "7.00",
        (0, -0.28): "1 of 2 failed",
        (0, 1): "×",
        (1, 0): "×",
        (1, 1): "–",
    }
    caption = figure._supxlabel.get_text().replace("\n", " ")
    assert "×: failed · –: nothing measured yet" in caption


def test_a_cell_that_failed_is_failed_at_every_step_of_a_map() -> None:
    cells = pd.DataFrame({"cell": [0, 1], "train.p": [5, 7], "state": ["finished", "failed"]})
    table = pd.DataFrame({"cell": 0, "train.p": 5, "step": [0, 10], "test_loss": [2.0, 1.0]})
    wish = FigureWish(x="step", y="test_loss", map_over="train.p")
    figure = draw(table, pd.DataFrame(), wish, ("train.p",), "", cells)
    assert [text.get_text() for text in figure.axes[0].texts] == ["2.00", "1.00", "×", "×"]


def test_a_panel_of_which_every_cell_failed_stands_beside_the_others() -> None:
    cells = TABLE[["cell", *AXES]].assign(state="finished")
    cells.loc[cells["train.task"] == "random", "state"] = "failed"
    wish = FigureWish(x="train.p", map_over="llc.n_multiplier", panel="train.task")
    finished = TABLE[TABLE["train.task"] == "addition"]
    figure = draw(finished, pd.DataFrame(), wish, AXES, "", cells)
    addition, random, _ = figure.axes
    assert random.get_title() == "random"
    assert {text.get_text() for text in random.texts} == {"×"}
    assert "×" not in {text.get_text() for text in addition.texts}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"x": "train.p"},
            "standard deviation over train.task (2) × llc.n_multiplier (2) × train.seed (2), up to "
            "8 runs",
        ),
        (
            {"x": "step", "family": "train.p", "panel": "llc.n_multiplier"},
            "standard deviation over train.task (2) × train.seed (2), up to 4 runs",
        ),
        (
            {"x": "train.p", "family": "train.task", "panel": "llc.n_multiplier"},
            "standard deviation over up to 2 runs",
        ),
        (
            {"x": "train.p", "map_over": "llc.n_multiplier"},
            "means over train.task (2) × train.seed (2), up to 4 runs",
        ),
        (
            {"x": "train.p", "map_over": "llc.n_multiplier", "panel": "train.task"},
            "means over up to 2 runs",
        ),
        (
            {"x": "llc.n_multiplier", "slope_over": "train.p"},
            "standard error over train.task (2) × train.seed (2), up to 4 runs",
        ),
    ],
)
def test_a_caption_says_over_what_it_averages(settings: dict, said: str) -> None:
    figure = draw(TABLE, pd.DataFrame(), FigureWish(**settings), AXES, "")
    assert said in figure._supxlabel.get_text().replace("\n", " ")


def test_axes_side_by_side_are_no_product_and_one_that_x_decides_is_not_averaged() -> None:
    sizes = TABLE[TABLE["train.task"] == "addition"].assign(
        width=TABLE["train.p"], depth=TABLE["train.p"] + 1
    )
    axes = ("width", "depth", "train.seed")
    over = pooled_over(sizes, FigureWish(x="llc.n_multiplier"), axes)
    assert over == "6 combinations of width, depth and train.seed"
    assert pooled_over(sizes, FigureWish(x="width"), axes) == ""


@pytest.mark.parametrize("log", [(True, False), (False, True), (True, True)])
def test_a_straight_line_is_bent_by_a_logarithmic_axis(log: tuple[bool, bool]) -> None:
    wish = FigureWish(x="train.p", log_x=log[0], log_y=log[1], line=True)
    (panel,) = panels_of(TABLE, pd.DataFrame(), wish, AXES)
    line = panel.lines
    assert len(line) == 200
    np.testing.assert_allclose(line["x"].iloc[[0, -1]], [5, 9])
    slope = (line["y"].iloc[-1] - line["y"].iloc[0]) / 4
    np.testing.assert_allclose(line["y"], line["y"].iloc[0] + slope * (line["x"] - 5))
    ratios = line["x"].to_numpy()[1:] / line["x"].to_numpy()[:-1]
    assert np.allclose(ratios, ratios[0]) == log[0]
    figure = draw(TABLE, pd.DataFrame(), wish, AXES, "")
    (drawn,) = [one for one in figure.axes[0].lines if str(one.get_label()).startswith("slope")]
    assert len(drawn.get_xdata()) == 200


def test_one_place_has_a_bar_and_one_run_no_more_than_its_own_error() -> None:
    one = TABLE[TABLE["train.p"] == 5]
    wish = FigureWish(x="train.p", panel="train.task", family="llc.n_multiplier")
    said = "dot and bar: mean ± standard deviation over up to 2 runs"
    assert said in caption_of(draw(one, pd.DataFrame(), wish, AXES, ""))
    single = TABLE[TABLE["train.seed"] == 0]
    for y, error in (("llc", ", band: its standard error"), ("num_circuits", "")):
        shown = wish.model_copy(update={"y": (y,)})
        caption = caption_of(draw(single, pd.DataFrame(), shown, AXES, "a note"))
        assert caption.split(" · ")[0] == f"one run a point{error}"


def test_a_slope_of_two_points_has_no_error() -> None:
    two = TABLE[(TABLE["train.p"] != 9) & (TABLE["train.seed"] == 0)]
    two = two[two["train.task"] == "addition"]
    line = lines_of(
        runs_of(two[two["llc.n_multiplier"] == 1.0], "llc", FigureWish(x="train.p"), AXES)
    )
    assert line["label"].tolist() == ["slope 3.00 (two points: no error)"] * 2
    wish = FigureWish(x="llc.n_multiplier", slope_over="train.p")
    caption = caption_of(draw(two, pd.DataFrame(), wish, AXES, ""))
    said = "one run a point · 2 of 2 slopes are of two points, and have no error · hollow: 2 of 2"
    assert caption.startswith(said)
    some = TABLE[(TABLE["train.p"] != 9) | (TABLE["llc.n_multiplier"] == 2.0)]
    some = some[(some["train.seed"] == 0) & (some["train.task"] == "addition")]
    caption = caption_of(draw(some, pd.DataFrame(), wish, AXES, ""))
    assert caption.startswith("one run a point, band: the slope's standard error · 1 of 2 slopes")


def test_values_without_a_place_on_a_logarithmic_axis_are_counted() -> None:
    for count, said in ((1, "1 value ≤ 0 has no place"), (2, "2 values ≤ 0 have no place")):
        some = TABLE.assign(llc=np.where(TABLE.index < count, -1.0, TABLE["llc"]))
        figure = draw(some, pd.DataFrame(), FigureWish(x="train.p", log_y=True), AXES, "")
        assert said in caption_of(figure)


def test_step_0_has_no_place_on_a_logarithmic_axis() -> None:
    both = pd.concat([TABLE, TABLE.assign(step=0)])
    figure = draw(both, pd.DataFrame(), FigureWish(x="step", log_x=True), AXES, "")
    assert "training step 0 has no place on a log" in figure._supxlabel.get_text()
    assert all(min(line.get_xdata()) > 0 for line in figure.axes[0].lines)


def test_exact_values_stand_beside_estimates_of_them_only_and_say_what_they_are() -> None:
    known = TABLE.assign(exact=20.0, loss=1.0).assign(
        exact_holds=np.where(TABLE["train.task"] == "random", "as nβ → ∞", "at this nβ and γ")
    )
    known.loc[known["train.p"] == 9, "exact"] = math.nan
    wish = FigureWish(x="train.p", y=["llc", "loss"], family="train.task", theory=True)
    llc, loss = panels_of(known, pd.DataFrame(), wish, AXES)
    assert loss.theory.empty
    labels = llc.theory.groupby("family")["label"].unique().str.join(", ").to_dict()
    assert labels == {"addition": "exact value", "random": "exact value as nβ → ∞"}
    assert set(llc.theory["x"]) == {5, 7}
    figure = draw(known, pd.DataFrame(), wish, AXES, "")
    keys = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert keys[-2:] == ["exact value", "exact value as nβ → ∞"]
    nothing = panels_of(known.assign(exact=math.nan), pd.DataFrame(), wish, AXES)
    assert all(panel.theory.empty for panel in nothing)


def test_where_some_points_are_single_runs_the_caption_tells_the_two_errors_apart() -> None:
    one = TABLE[(TABLE["llc.n_multiplier"] == 1.0) & (TABLE["train.task"] == "addition")]
    some = one[(one["train.seed"] == 0) | (one["train.p"] == 5)]
    caption = caption_of(draw(some, pd.DataFrame(), FigureWish(x="train.p"), AXES, ""))
    assert caption.startswith("line and band, or bar beside single runs: mean ± standard deviation")
    assert "thin bar: standard error of a single run" in caption
    assert "thin bar" not in caption_of(
        draw(one, pd.DataFrame(), FigureWish(x="train.p"), AXES, "")
    )


def test_a_network_counts_once_in_what_does_not_depend_on_the_axis_between() -> None:
    """Estimated at two temperatures it has one number of circuits, and one loss."""
    wish = FigureWish(x="train.p", y=("num_circuits",), family="train.task", line=True)
    (panel,) = panels_of(TABLE, pd.DataFrame(), wish, AXES)
    assert panel.runs.groupby(["family", "x"]).size().eq(2).all()  # the seeds
    assert len(panels_of(TABLE, pd.DataFrame(), FigureWish(x="train.p"), AXES)[0].runs) == 24
    note = caption_of(draw(TABLE, pd.DataFrame(), wish, AXES, ""))
    assert "over up to 2 runs" in note
    both = wish.model_copy(update={"y": ("llc", "num_circuits")})
    assert "llc.n_multiplier (2) × train.seed (2)" in pooled_over(TABLE, both, AXES)
    # On an axis of their own they all stand, and so they do where they are families.
    by_factor = FigureWish(x="llc.n_multiplier", y=("num_circuits",))
    (panel,) = panels_of(TABLE, pd.DataFrame(), by_factor, AXES)
    assert panel.runs.groupby("x").size().tolist() == [12, 12]


@pytest.mark.parametrize(
    ("quantity", "axis", "matters"),
    [
        ("test_loss", "train.p", True),
        ("test_loss", "llc.localization", False),
        ("num_circuits", "circuits.error_rate", True),
        ("num_circuits", "hessian.top", False),
        ("hessian_trace", "llc.localization", False),
        ("effective_dimension", "llc.localization", True),
        ("effective_dimension", "llc.num_chains", False),
        ("llc", "llc.num_chains", True),
        ("exact", "potential.kind", True),
    ],
)
def test_what_matters_to_what(quantity: str, axis: str, matters: bool) -> None:
    assert matters_to(quantity, axis) == matters
