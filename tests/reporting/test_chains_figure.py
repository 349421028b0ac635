"""The figures of chains show what the tables hold."""

import numpy as np
import pandas as pd

from lambdascope.reporting import style
from lambdascope.reporting.chains_figure import pca_figure, two_modes_figure


def table(num_chains: int = 2) -> pd.DataFrame:
    chain, step = np.indices((num_chains, 5)).reshape(2, -1)
    value = np.arange(len(chain), dtype=float)
    return pd.DataFrame({"chain": chain, "step": 10 * step, "loss": 1 + value / 10}).assign(
        pc1=value, pc2=-value, first=value + 1, second=2 * value
    )


def drawn(axes):
    """The points of each chain, without the star."""
    return [np.asarray(c.get_offsets()) for c in axes.collections[:-1]]


def test_each_chain_stands_where_the_table_says_in_both_colourings() -> None:
    figure = pca_figure(table(), (0.25, 0.126), title="T", caption="C")
    panels = figure.axes[:2]
    for axes, column in zip(panels, ("loss", "step"), strict=True):
        for chain, offsets in enumerate(drawn(axes)):
            rows = table()[table()["chain"] == chain]
            np.testing.assert_array_equal(offsets, rows[["pc1", "pc2"]])
            np.testing.assert_array_equal(axes.collections[chain].get_array(), rows[column])
        star = axes.collections[-1].get_offsets()
        np.testing.assert_array_equal(star, [[0.0, 0.0]])
        assert axes.get_xlabel() == "Principal component 1 (25 % of variance)"
    # One vertical axis serves both.
    assert panels[0].get_ylabel() == "Principal component 2 (13 % of variance)"
    assert panels[0].get_ylim() == panels[1].get_ylim()


def test_two_modes_stand_against_each_other() -> None:
    figure = two_modes_figure(table(), (5, 3), title="T", caption="C")
    axes = figure.axes[0]
    np.testing.assert_array_equal(
        np.concatenate(drawn(axes)), table()[["first", "second"]].to_numpy()
    )
    assert axes.get_xlabel() == "Magnitude of mode 5"
    assert axes.get_ylabel() == "Magnitude of mode 3"


def test_the_legend_covers_neither_data_nor_title() -> None:
    figure = pca_figure(table(3), (0.2, 0.1), title="A title of some length", caption="C")
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "w*, the start",
        "chain 0",
        "chain 1",
        "chain 2",
    ]


def test_losses_that_all_agree_and_many_chains_still_make_a_picture() -> None:
    same = table(20).assign(loss=1.0)
    assert style.png_bytes(pca_figure(same, (0.2, 0.1), title="T", caption="C"), dpi=40)
