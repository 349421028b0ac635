"""The figures of the Hessian's spectrum."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from lambdascope.reporting.hessian_figures import density_figure


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
