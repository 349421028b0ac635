"""λ̂ over training beside train and test loss."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from lambdascope.reporting import style
from lambdascope.reporting.finding import INTERVAL


def llc_figure(table: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """λ̂ with its 95 % band on the left axis, both losses on the right, over the training step.

    Args:
        table: One row a checkpoint, in the order of training: `step`, `llc`, `llc_stderr`
            (dimensionless), `train_loss`, `test_loss` (nats), `status`. NaN is left out.
        title: What the curve says.
        caption: How it was made, in small type below.

    Returns:
        A figure for `style.png_bytes`.
    """
    figure = style.new_figure()
    with style.styled():
        left = figure.add_subplot()
        right = left.twinx()
        handles = [*_draw_llc(left, table), *_draw_losses(right, table)]
        left.set_xlabel("Training step")
        left.margins(x=0.02)
        left.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        right.spines["right"].set_visible(True)
        style.grid_below(left)
        # Above the data, below the title: never over a curve.
        left.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=len(handles),
            columnspacing=1.2,
            handlelength=1.6,
        )
        figure.suptitle(title, fontsize=15, fontweight="bold")
        figure.supxlabel("\n".join(textwrap.wrap(caption, 110)), fontsize=9.5, color=style.GREY)
    return figure


def _draw_llc(axes: Axes, table: pd.DataFrame) -> list:
    known = table[table["llc"].notna()]
    half = INTERVAL * known["llc_stderr"].fillna(0.0)
    band = axes.fill_between(
        known["step"],
        known["llc"] - half,
        known["llc"] + half,
        color=style.LLC,
        alpha=0.25,
        linewidth=0,
        label="95 % interval",
    )
    (line,) = axes.plot(
        known["step"],
        known["llc"],
        color=style.LLC,
        marker="o",
        markersize=5,
        label="learning coefficient λ̂",
    )
    handles = [line, band]
    doubtful = known[known["status"] != "converged"]
    if not doubtful.empty:
        handles.append(
            axes.scatter(
                doubtful["step"],
                doubtful["llc"],
                s=50,
                zorder=3,
                facecolor="white",
                edgecolor=style.LLC,
                linewidth=1.6,
                label="doubtful (see llc.csv)",
            )
        )
    axes.set_ylabel("Learning coefficient λ̂", color=style.LLC)
    axes.tick_params(axis="y", colors=style.LLC)
    axes.set_ylim(bottom=min(0.0, float((known["llc"] - half).min())) if len(known) else 0.0)
    return handles


def _draw_losses(axes: Axes, table: pd.DataFrame) -> list:
    handles = []
    for column, colour, dash, label in (
        ("train_loss", style.TRAIN, "-", "train loss"),
        ("test_loss", style.TEST, (0, (4, 2)), "test loss"),
    ):
        known = table[table[column].notna()]
        if not known.empty:
            handles += axes.plot(
                known["step"], known[column], color=colour, linestyle=dash, label=label
            )
    axes.set_ylabel("Cross-entropy loss (nats)", color=style.TEST)
    axes.tick_params(axis="y", colors=style.TEST)
    axes.set_ylim(bottom=0.0)
    return handles
