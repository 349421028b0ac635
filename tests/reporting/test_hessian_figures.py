"""The figures of the Hessian's spectrum."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from lambdascope.reporting.hessian_figures import density_figure, effective_dimension_figure


def bins(lowest: float) -> pd.DataFrame:
    edges = np.array([-1.0, -0.1, -0.01, -0.001, 0.001, 0.01, 0.1, 1.0])
    counts = np.where(edges[1:] > lowest, 10.0, 0.0)
    return pd.DataFrame(
        {
            "checkpoint": 0,
            "step": 0,
            "low": edges[:-1],
            "high": edges[1:],
            "eigenvalues": counts,
            "eigenvalues_stderr": 0.0,
            "eigenvalues_resolution": 0.0,
        }
    )


def tick_labels(axes: Axes) -> list[str]:
    axes.figure.draw_without_rendering()
    return [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.parametrize(
    ("lowest", "first"), [(-1.0, "$−10^{0}$"), (-0.01, "$−10^{-2}$"), (0.0001, "$−10^{-3}$")]
)
def test_negative_eigenvalues_have_a_tick_label(lowest: float, first: str) -> None:
    (axes,) = density_figure(bins(lowest), title="T", caption="C").axes
    assert tick_labels(axes)[0] == first
    assert "0" in tick_labels(axes)


def test_an_end_that_is_no_power_of_ten_is_named_where_there_is_none() -> None:
    table = bins(-0.01)
    table[["low", "high"]] *= 4.2
    table = table[table["low"] > -0.005].assign(eigenvalues=10.0)
    (axes,) = density_figure(table, title="T", caption="C").axes
    assert tick_labels(axes)[:2] == [r"$−4 \cdot 10^{-3}$", "0"]


def test_the_bars_of_the_density_hold_the_resolution_too() -> None:
    table = bins(-1.0).assign(eigenvalues_stderr=0.5, eigenvalues_resolution=[0.0] * 3 + [4.0] * 4)
    (axes,) = density_figure(table, title="T", caption="C").axes
    (bars,) = axes.containers[-1][2]
    lengths = [float(np.diff(segment[:, 1])[0]) / 2 for segment in bars.get_segments()]
    assert lengths == pytest.approx([0.5] * 3 + [4.5] * 4)


def summary(steps: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {"step": steps, "effective_dimension": 763.2, "effective_dimension_stderr": 6.9}
    )


def estimates(steps: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"step": steps, "llc": 744.0, "llc_stderr": 8.0, "status": "converged"})


def test_one_checkpoint_makes_bars_with_their_values() -> None:
    title = "Effective dimension over training"
    figure = effective_dimension_figure(summary([600]), estimates([600]), title=title, caption="C")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [763.2, 744.0]
    assert [text.get_text() for text in axes.texts] == ["763 ± 14", "744 ± 16"]
    assert figure.get_suptitle() == "Effective dimension, step 600"
    alone = effective_dimension_figure(summary([600]), None, title=title, caption="C").axes[0]
    assert [text.get_text() for text in alone.texts] == ["763 ± 14"]
    unknown = estimates([600]).assign(llc=np.nan)
    alone = effective_dimension_figure(summary([600]), unknown, title=title, caption="C").axes[0]
    assert len(alone.patches) == 1


def test_one_checkpoint_beside_a_curve_of_estimates_stays_on_the_axis_of_steps() -> None:
    figure = effective_dimension_figure(summary([600]), estimates([0, 600]), title="T", caption="C")
    assert figure.axes[0].get_xlabel() == "Training step"
    assert figure.get_suptitle() == "T"


def test_an_estimate_that_has_not_converged_is_a_hollow_bar_that_says_so() -> None:
    sure = effective_dimension_figure(summary([600]), estimates([600]), title="T", caption="C")
    doubtful = estimates([600]).assign(status="not converged")
    found = effective_dimension_figure(summary([600]), doubtful, title="T", caption="C")
    white = (1.0, 1.0, 1.0, 1.0)
    assert [bar.get_facecolor() == white for bar in sure.axes[0].patches] == [False, False]
    assert [bar.get_facecolor() == white for bar in found.axes[0].patches] == [False, True]
    names = [label.get_text() for label in found.axes[0].get_yticklabels()]
    assert "(not converged)" in names[1]


def test_estimates_that_have_not_converged_are_hollow_points() -> None:
    table = estimates([0, 300, 600]).assign(status=["drifting", "converged", "drifting"])
    table["llc"] = [5.0, 6.0, 7.0]
    figure = effective_dimension_figure(summary([0, 600]), table, title="T", caption="C")
    (axes,) = figure.axes
    (hollow,) = [one for one in axes.collections if one.get_label() == "λ̂ drifting"]
    np.testing.assert_array_equal(hollow.get_offsets(), [[0, 5.0], [600, 7.0]])
    assert hollow.get_facecolor().tolist() == [[1.0, 1.0, 1.0, 1.0]]
    assert "λ̂ drifting" in [text.get_text() for text in axes.get_legend().get_texts()]
    sure = table.assign(status="converged")
    figure = effective_dimension_figure(summary([0, 600]), sure, title="T", caption="C")
    assert "λ̂ drifting" not in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
