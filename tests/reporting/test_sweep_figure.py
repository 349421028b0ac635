"""The sweep's figure: a mean, a band and faint runs for each family."""

import math

import pandas as pd

from lambdascope.reporting.style import png_bytes
from lambdascope.reporting.sweep_figure import sweep_figure

RUNS = pd.DataFrame(
    [
        {"family": family, "run": str(run), "x": x, "y": x * (1 + run) + offset}
        for offset, family in enumerate(["addition", "random"])
        for run in range(3)
        for x in (23, 29, 53)
    ]
)


def drawn(runs: pd.DataFrame, lines: pd.DataFrame | None = None, family: str = "train.task"):
    means = runs.groupby(["family", "x"], sort=False)["y"].agg(mean="mean", spread="std")
    columns = ["family", "x0", "y0", "x1", "y1", "label"]
    return sweep_figure(
        means.reset_index(),
        runs,
        x_label="train.p",
        y_label="Learning coefficient λ̂",
        family_label=family,
        lines=pd.DataFrame(columns=columns) if lines is None else lines,
        log=(False, False),
        title="a title",
        caption="a caption",
    )


def test_each_family_has_its_mean_its_band_and_its_runs() -> None:
    (axes,) = drawn(RUNS).axes
    assert len(axes.lines) == 2 * (3 + 1)
    assert len(axes.collections) == 2
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["train.task addition", "train.task random"]
    mean = next(line for line in axes.lines if line.get_label() == "train.task addition")
    assert mean.get_ydata().tolist() == [46, 58, 106]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("train.p", "Learning coefficient λ̂")


def test_one_family_without_a_line_needs_no_legend() -> None:
    one = RUNS[RUNS["family"] == "random"]
    assert drawn(one, family="").axes[0].get_legend() is None
    line = {"family": "random", "x0": 23, "y0": 1, "x1": 53, "y1": 2, "label": "slope 8.6 ± 1.2"}
    legend = drawn(one, pd.DataFrame([line]), family="").axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "mean of the runs",
        "slope 8.6 ± 1.2",
    ]


def test_names_stand_side_by_side() -> None:
    named = RUNS.assign(x=RUNS["x"].map({23: "relu", 29: "gelu", 53: "quadratic"}))
    (axes,) = drawn(named).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["relu", "gelu", "quadratic"]


def test_a_single_run_has_no_spread() -> None:
    figure = drawn(RUNS[RUNS["run"] == "0"])
    assert png_bytes(figure, dpi=40).startswith(b"\x89PNG")
    assert math.isclose(figure.get_size_inches()[0], 9.0)
