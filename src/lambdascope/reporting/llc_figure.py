"""λ̂ over training beside train and test loss."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lambdascope.reporting import style
from lambdascope.reporting.llc_curve import draw_llc


def llc_figure(table: pd.DataFrame, training: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """λ̂ with its 95 % interval on the left axis, both losses on the right, over the training step.

    Args:
        table: One row an estimated checkpoint, in the order of training: `checkpoint`, its number
            in the run, `step`, `llc`, `llc_stderr` (dimensionless), `status`. NaN is left out.
        training: One row a checkpoint of the run, estimated or not: `step`, `train_loss`,
            `test_loss` (nats). NaN is left out.
        title: What the curve says.
        caption: How it was made, in small type below.

    Returns:
        A figure for `style.png_bytes`.
    """
    figure = style.new_figure()
    with style.styled():
        left = figure.add_subplot()
        right = left.twinx()
        entries = {**draw_llc(left, table), **_draw_losses(right, training)}
        left.set_xlabel("Training step")
        left.margins(x=0.02)
        style.whole_steps(left)
        right.spines["right"].set_visible(True)
        style.grid_below(left)
        # Above the data, below the title: never over a curve.
        left.legend(
            list(entries.values()),
            list(entries),
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=len(entries),
            columnspacing=1.2,
            handlelength=1.6,
        )
        style.title_and_caption(figure, title, caption)
    return figure


def _draw_losses(axes: Axes, table: pd.DataFrame) -> dict[str, Any]:
    """Draws both losses; returns what the legend shows, by label."""
    entries: dict[str, Any] = {}
    for column, colour, dash in (
        ("train_loss", style.TRAIN, "-"),
        ("test_loss", style.TEST, (0, (4, 2))),
    ):
        known = table[table[column].notna()]
        if not known.empty:
            (line,) = axes.plot(known["step"], known[column], color=colour, linestyle=dash)
            entries[column.replace("_", " ")] = line
    axes.set_ylabel("Cross-entropy loss (nats)", color=style.TEST)
    axes.tick_params(axis="y", colors=style.TEST)
    axes.set_ylim(bottom=0.0)
    return entries
