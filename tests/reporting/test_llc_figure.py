"""The figure of λ̂ over training."""

import math

import numpy as np
import pandas as pd
from matplotlib.image import imread

from lambdascope.reporting import style
from lambdascope.reporting.llc_curve import stretches
from lambdascope.reporting.llc_figure import llc_figure
from lambdascope.wording import NORMAL_95


def table() -> pd.DataFrame:
    steps = np.linspace(0, 1500, 7)
    return pd.DataFrame(
        {
            "checkpoint": range(7),
            "step": steps,
            "llc": [88.0, 268, 710, 650, math.nan, 600, 592],
            "llc_stderr": [2.0, 3, 5, 5, math.nan, 4, 4],
            "train_loss": np.linspace(4, 0.03, 7),
            "test_loss": np.linspace(4.1, 0.07, 7),
            "status": ["converged"] * 6 + ["not converged"],
        }
    )


def test_curves_hold_what_the_table_holds() -> None:
    left, right = llc_figure(table(), table(), title="T", caption="C").axes
    known = table().dropna()
    (line,) = left.lines
    np.testing.assert_array_equal(line.get_xydata(), known[["step", "llc"]])
    train, test = right.lines
    np.testing.assert_array_equal(train.get_xydata(), table()[["step", "train_loss"]])
    np.testing.assert_array_equal(test.get_xydata(), table()[["step", "test_loss"]])


def test_the_band_is_a_95_percent_interval() -> None:
    left, _ = llc_figure(table(), table(), title="T", caption="C").axes
    band, doubtful = left.collections
    corners = band.get_paths()[0].vertices
    at_peak = corners[corners[:, 0] == 500][:, 1]
    np.testing.assert_allclose(
        [at_peak.min(), at_peak.max()], [710 - NORMAL_95 * 5, 710 + NORMAL_95 * 5]
    )
    np.testing.assert_array_equal(doubtful.get_offsets(), [[1500, 592]])


def test_only_neighbours_are_joined_and_losses_are_those_of_every_checkpoint() -> None:
    some = table().iloc[[0, 1, 3, 6]]
    left, right = llc_figure(some, table(), title="T", caption="C").axes
    joined, third, last = left.lines[0], left.containers[0], left.containers[1]
    np.testing.assert_array_equal(joined.get_xydata(), some[["step", "llc"]].head(2))
    for container, row in ((third, 2), (last, 3)):
        points, _, (bars,) = container
        value, error = some["llc"].iloc[row], NORMAL_95 * some["llc_stderr"].iloc[row]
        np.testing.assert_array_equal(points.get_xydata(), some[["step", "llc"]].iloc[[row]])
        assert points.get_linestyle() == "None"
        (ends,) = bars.get_segments()
        np.testing.assert_allclose(ends[:, 1], [value - error, value + error])
    for line, name in zip(right.lines, ("train_loss", "test_loss"), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), table()[["step", name]])
    said = [text.get_text() for text in left.get_legend().get_texts()]
    assert said[:2] == ["λ̂, 95 % band", "λ̂, 95 % interval"]
    # None estimated at a checkpoint: it was not left out, and the line goes on over it.
    assert stretches([0, 1, 3, 6]) == [(0, 2), (2, 3), (3, 4)]
    assert stretches([]) == []


def test_points_that_have_not_converged_are_hollow_and_in_the_legend() -> None:
    left, _ = llc_figure(table(), table(), title="T", caption="C").axes
    said = [text.get_text() for text in left.get_legend().get_texts()]
    assert "not converged" in said
    (hollow,) = left.collections[1:]
    np.testing.assert_array_equal(hollow.get_facecolor(), [[1, 1, 1, 1]])
    mixed = table().assign(status=["escaped", *table()["status"][1:]])
    left, _ = llc_figure(mixed, mixed, title="T", caption="C").axes
    said = [text.get_text() for text in left.get_legend().get_texts()]
    assert "doubtful (see llc.csv)" in said
    sure = table().assign(status="converged")
    left, _ = llc_figure(sure, sure, title="T", caption="C").axes
    assert len(left.get_legend().get_texts()) == 3


def test_an_escape_does_not_flatten_the_rest() -> None:
    escaped = table().assign(llc=[88.0, 268, 710, 650, math.nan, 600, 9000])
    left, _ = llc_figure(escaped, escaped, title="T", caption="C").axes
    edge = 1.15 * (710 + NORMAL_95 * 5)
    assert left.get_ylim() == (0, edge)
    assert left.lines[0].get_ydata()[-1] == edge
    triangle = left.collections[-1]
    np.testing.assert_array_equal(triangle.get_offsets(), [[1500, edge]])
    said = [text.get_text() for text in left.get_legend().get_texts()]
    assert "not converged, up to 9,000" in said
    # Where nothing has converged there is nothing to measure by.
    left, _ = llc_figure(escaped.assign(status="escaped"), escaped, title="T", caption="C").axes
    assert left.get_ylim()[1] > 9000


def test_axes_name_their_quantity_and_the_legend_stands_off_the_data() -> None:
    figure = llc_figure(table(), table(), title="A title", caption="A caption")
    left, right = figure.axes
    assert left.get_xlabel() == "Training step"
    assert "λ̂" in left.get_ylabel()
    assert "nats" in right.get_ylabel()
    figure.draw_without_rendering()
    legend = left.get_legend().get_window_extent()
    assert legend.y0 >= left.get_window_extent().y1
    assert figure.get_suptitle() == "A title"


def test_a_run_without_test_set_or_estimates_still_makes_a_picture(tmp_path) -> None:
    empty = table().assign(llc=math.nan, llc_stderr=math.nan, test_loss=math.nan)
    data = style.png_bytes(llc_figure(empty, empty, title="T", caption="C" * 300), dpi=50)
    (tmp_path / "figure.png").write_bytes(data)
    assert imread(tmp_path / "figure.png").shape == (270, 450, 4)


def test_the_same_table_gives_the_same_bytes() -> None:
    first, second = (
        style.png_bytes(llc_figure(table(), table(), title="T", caption="C"), dpi=50)
        for _ in range(2)
    )
    assert first == second
