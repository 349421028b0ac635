"""The sweep's figure: a mean, a band and faint runs for each family."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from lambdascope.reporting.style import png_bytes
from lambdascope.reporting.sweep_figure import SweepPanel, sweep_figure
from lambdascope.reporting.sweep_map import sweep_map

RUNS = pd.DataFrame(
    [
        {"family": family, "run": str(run), "x": x, "y": x * (1 + run) + offset}
        for offset, family in enumerate(["addition", "random"])
        for run in range(3)
        for x in (23, 29, 53)
    ]
).assign(doubtful=False)


def panel(
    runs: pd.DataFrame,
    lines: pd.DataFrame | None = None,
    theory: pd.DataFrame | None = None,
    title: str = "",
) -> SweepPanel:
    means = runs.groupby(["family", "x"], sort=False)["y"].agg(mean="mean", spread="std")
    columns = ["family", "x", "y", "label"]
    return SweepPanel(
        title,
        "Learning coefficient λ̂",
        means.assign(stderr=math.nan).reset_index(),
        runs,
        pd.DataFrame(columns=columns) if lines is None else lines,
        pd.DataFrame(columns=["family", "x", "exact", "label"]) if theory is None else theory,
    )


def drawn(*panels: SweepPanel, family: str | None = "train.task", stacked: bool = False):
    return sweep_figure(
        panels,
        x_label="train.p",
        family_label=family,
        log=(False, False),
        stacked=stacked,
        title="a title",
        caption="a caption",
    )


def test_each_family_has_its_mean_its_band_and_its_runs() -> None:
    (axes,) = drawn(panel(RUNS)).axes
    # Of each run a line and its dots.
    assert len(axes.lines) == 2 * (3 * 2 + 1)
    assert len(axes.collections) == 2
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["train.task addition", "train.task random"]
    mean = next(line for line in axes.lines if line.get_label() == "train.task addition")
    assert mean.get_ydata().tolist() == [46, 58, 106]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("train.p", "Learning coefficient λ̂")


def test_one_family_without_a_line_needs_no_legend() -> None:
    one = RUNS[RUNS["family"] == "random"]
    assert drawn(panel(one), family=None).axes[0].get_legend() is None
    line = pd.DataFrame({"x": [23, 53], "y": [1, 2]}).assign(
        family="random", label="slope 8.6 ± 1.2"
    )
    legend = drawn(panel(one, line), family=None).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "mean of the runs",
        "slope 8.6 ± 1.2",
    ]


def test_a_name_of_two_words_is_two_words() -> None:
    two = RUNS.replace({"family": {"random": "commutative_random"}})
    legend = drawn(panel(two), family="").axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["addition", "commutative random"]


def test_names_stand_side_by_side() -> None:
    named = RUNS.assign(x=RUNS["x"].map({23: "relu", 29: "gelu", 53: "quadratic"}))
    (axes,) = drawn(panel(named)).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["relu", "gelu", "quadratic"]


def test_whole_numbers_have_whole_ticks() -> None:
    counts = RUNS.assign(x=RUNS["x"].map({23: 2, 29: 3, 53: 4}))
    (axes,) = drawn(panel(counts)).axes
    assert all(tick == round(tick) for tick in axes.get_xticks())
    (axes,) = drawn(panel(counts.assign(x=counts["x"] + 0.5))).axes
    assert any(tick != round(tick) for tick in axes.get_xticks())


def test_a_single_run_has_no_spread() -> None:
    figure = drawn(panel(RUNS[RUNS["run"] == "0"]))
    assert png_bytes(figure, dpi=40).startswith(b"\x89PNG")
    assert math.isclose(figure.get_size_inches()[0], 9.0)


def test_at_a_single_place_the_spread_is_a_bar() -> None:
    (axes,) = drawn(panel(RUNS[RUNS["x"] == 29])).axes
    bars = [one for one in axes.collections if isinstance(one, LineCollection)]
    (low, high), (other_low, _) = (one.get_segments()[0][:, 1] for one in bars)
    # 29, 58 and 87: mean 58, standard deviation 29; the other family stands one higher.
    assert (low, high, other_low) == pytest.approx((29, 87, 30))
    (axes,) = drawn(panel(RUNS[(RUNS["x"] == 29) & (RUNS["run"] == "0")])).axes
    assert len(axes.collections) == 0  # a single run without an error


def test_doubtful_runs_are_hollow() -> None:
    (axes,) = drawn(panel(RUNS.assign(doubtful=RUNS["x"] == 29))).axes
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    # Three runs of each family, and the mean of which all runs are doubtful.
    assert len(hollow) == 8
    assert all(line.get_xdata() == [29] for line in hollow)


def test_exact_values_are_dashed_with_one_key_for_all() -> None:
    theory = pd.DataFrame({"family": ["addition"] * 2, "x": [23, 53], "exact": [40.0, 100.0]})
    theory["label"] = "exact value"
    (axes,) = drawn(panel(RUNS, theory=theory)).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels.count("exact value") == 1
    assert any(list(line.get_ydata()) == [40.0, 100.0] for line in axes.lines)


def test_panels_share_an_axis_side_by_side_and_have_their_own_below_each_other() -> None:
    beside = drawn(panel(RUNS, title="small"), panel(RUNS, title="large"))
    assert [axes.get_title() for axes in beside.axes] == ["small", "large"]
    assert [axes.get_ylabel() for axes in beside.axes] == ["Learning coefficient λ̂", ""]
    below = drawn(panel(RUNS), panel(RUNS.assign(y=1.0)), stacked=True)
    assert [axes.get_xlabel() for axes in below.axes] == ["", "train.p"]
    assert below.axes[0].get_ylim() != below.axes[1].get_ylim()


FIELDS = pd.DataFrame(
    [
        {"panel": name, "x": x, "y": y, "value": 10 * x + y, "doubtful": x == 2}
        for name in ("addition", "random")
        for x in (1, 2)
        for y in (5, 7)
    ]
).assign(finished=1, failed=0)


def mapped(table: pd.DataFrame, panels: tuple[str, ...] = ("addition",)):
    return sweep_map(
        table,
        columns=[1, 2],
        rows=[5, 7],
        x_label="step size",
        y_label="localisation",
        value_label="λ̂",
        panels=panels,
        title="a title",
        caption="a caption",
    )


def test_a_map_writes_its_values_and_hatches_the_doubtful() -> None:
    figure = mapped(FIELDS, ("addition", "random"))
    first, second, _ = figure.axes
    assert [first.get_title(), second.get_title()] == ["addition", "random"]
    assert {text.get_text() for text in first.texts} == {"15.0", "17.0", "25.0", "27.0"}
    assert len(first.patches) == 2
    assert png_bytes(figure, dpi=40).startswith(b"\x89PNG")


def test_a_map_tells_failed_fields_from_empty_ones() -> None:
    one = FIELDS[FIELDS["panel"] == "addition"].reset_index(drop=True)
    one = one.assign(
        value=[15.0, math.nan, math.nan, math.inf], failed=[1, 3, 0, 0], finished=[2, 0, 0, 1],
        doubtful=False,
    )  # fmt: skip
    axes = mapped(one).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (0, 0): "15.0",
        (0, -0.28): "1 of 3 failed",
        (0, 1): "×",
        (1, 0): "–",
        (1, 1): "∞",
    }
    assert [text.get_text() for text in axes.get_yticklabels()] == ["5", "7"]


def test_a_single_run_among_others_has_a_thin_bar_and_no_band_runs_through() -> None:
    one = RUNS[(RUNS["family"] == "random") & ((RUNS["run"] == "0") | (RUNS["x"] != 53))]
    drawn_panel = panel(one)
    means = drawn_panel.means.assign(stderr=[math.nan, math.nan, 2.5])
    (axes,) = drawn(replace(drawn_panel, means=means), family=None).axes
    bars = [item for item in axes.collections if isinstance(item, LineCollection)]
    assert len(axes.collections) == len(bars) == 2
    (thin,) = [bar.get_segments() for bar in bars if bar.get_linewidth()[0] == 0.8]
    (segment,) = thin
    assert segment[1, 1] - segment[0, 1] == pytest.approx(5.0)
