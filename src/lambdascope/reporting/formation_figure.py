"""The learning coefficient over training, and the circuits that form under it."""

import math
import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from lambdascope.reporting import style
from lambdascope.reporting.circuits_figure import circuit_label
from lambdascope.reporting.finding import INTERVAL, number
from lambdascope.reporting.mode_colours import colours_of, label_ends

_ROW, _PANEL, _SMALL = 0.27, 2.1, 1.35
"""Heights in inches: of a circuit's row, of a panel, of the losses."""


def formation_figure(
    table: pd.DataFrame,
    over_training: pd.DataFrame,
    llc: pd.DataFrame | None,
    training: pd.DataFrame,
    *,
    caption: str,
) -> Figure:
    """Circuits in the order of their formation, λ̂, their magnitudes, and the losses below.

    Args:
        table: One row a circuit, the strongest first: `frequency`, `kind`, `formation_step`,
            `step_before_formation` (NaN if its magnitude never rose), `loss`, `loss_removed`
            (nats).
        over_training: One row a checkpoint and mode: `step`, `frequency`, `magnitude_embedding`.
        llc: One row a checkpoint: `step`, `llc`, `llc_stderr`, `status`; None leaves λ̂ out. Points
            that are not "converged" are hollow.
        training: One row a checkpoint: `step`, `train_loss`, `test_loss` (nats).
        caption: How to read it, in small type below.

    Returns:
        A figure for `style.png_bytes`.
    """
    heights = [0.35 + _ROW * len(table), *([] if llc is None else [_PANEL]), _PANEL, _SMALL]
    figure = style.new_figure(9.0, sum(heights) + 1.7)
    with style.styled():
        panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
        rows, magnitudes, losses = panels[0], panels[-2], panels[-1]
        colours = colours_of(table["frequency"].tolist())
        _draw_rows(rows, table, colours, end=float(training["step"].max()))
        if llc is not None:
            _draw_llc(panels[1], llc)
        ends = _draw_magnitudes(magnitudes, table, over_training, colours)
        loss_ends = _draw_losses(losses, training)
        for axes in panels[1:]:
            _mark_formations(axes, table, colours)
        losses.set_xlabel("Training step")
        losses.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        losses.margins(x=0.01)
        title = textwrap.fill(_title(table, llc), 66)
        style.title_and_caption(figure, title, caption)
        magnitudes.annotate("k = 00", (1, 0.5), (5, 0), "axes fraction", "offset points", alpha=0)
        figure.align_ylabels()
        figure.draw_without_rendering()
        label_ends(magnitudes, ends)
        label_ends(losses, loss_ends)
    return figure


def _title(table: pd.DataFrame, llc: pd.DataFrame | None) -> str:
    formed = table["formation_step"].dropna()
    count = f"{len(table)} circuit{'s' if len(table) > 1 else ''}"
    when = ""
    if len(formed):
        first, last = formed.min(), formed.max()
        when = f" by step {last:,.0f}"
        if first < last:
            when = f" between steps {first:,.0f} and {last:,.0f}"
    if llc is None or llc["llc"].notna().sum() < 3:
        return f"{count} form{'s' if len(table) == 1 else ''}{when}"
    peak = llc.loc[llc["llc"].idxmax()]
    return f"{count} formed{when}; λ̂ is largest, {number(peak['llc'])}, at step {peak['step']:,.0f}"


def _draw_rows(axes: Axes, table: pd.DataFrame, colours: dict[int, str], end: float) -> None:
    """A line for each circuit from its formation on, the thicker the more its removal costs."""
    never = table["step_before_formation"].isna()
    ordered = table.assign(never=never).sort_values(["never", "formation_step"], kind="stable")
    costs = (table["loss_removed"] - table["loss"]).clip(lower=0)
    largest = max(float(costs.max()), 1e-9)
    labels = []
    for place, row in enumerate(ordered.itertuples(index=False)):
        colour = colours.get(row.frequency, style.GREY)
        labels.append(circuit_label(row.frequency, row.kind))
        if row.never:
            continue
        width = 1.2 + 8.0 * math.sqrt(max(row.loss_removed - row.loss, 0.0) / largest)
        axes.plot(
            [row.formation_step, end],
            [place, place],
            color=colour,
            linewidth=width,
            solid_capstyle="butt",
        )
        axes.plot(
            [row.step_before_formation, row.formation_step],
            [place, place],
            color=colour,
            linewidth=1.2,
            marker="|",
            markersize=9,
            markeredgewidth=1.2,
        )
    axes.set_yticks(range(len(labels)), labels, fontsize=10.5)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=0)
    axes.spines[["left", "right", "bottom"]].set_visible(False)
    axes.grid(axis="y", color=style.PALE_GREY, linewidth=0.7)
    axes.set_axisbelow(True)


def _mark_formations(axes: Axes, table: pd.DataFrame, colours: dict[int, str]) -> None:
    """A vertical line where each circuit formed; lines at one step take turns in dashes."""
    for step, formed in table.dropna(subset="formation_step").groupby("formation_step"):
        count = len(formed)
        for turn, frequency in enumerate(formed["frequency"]):
            dashes = (6.0 * turn, (6.0, 6.0 * (count - 1))) if count > 1 else "-"
            axes.axvline(
                float(step),
                color=colours.get(frequency, style.GREY),
                linewidth=1.1,
                linestyle=dashes,
                alpha=0.7,
                zorder=0,
            )


def _draw_llc(axes: Axes, llc: pd.DataFrame) -> None:
    known = llc[llc["llc"].notna()]
    half = INTERVAL * known["llc_stderr"].fillna(0.0)
    low, high = known["llc"] - half, known["llc"] + half
    axes.fill_between(known["step"], low, high, color=style.LLC, alpha=0.25, linewidth=0)
    axes.plot(known["step"], known["llc"], color=style.LLC, linewidth=2.6, marker="o", markersize=5)
    doubtful = known[known["status"] != "converged"]
    axes.scatter(
        doubtful["step"],
        doubtful["llc"],
        s=34,
        zorder=3,
        facecolor="white",
        edgecolor=style.LLC,
        linewidth=1.6,
    )
    axes.set_ylabel("Learning\ncoefficient λ̂")
    axes.set_ylim(bottom=min(0.0, float(low.min())))
    _plain(axes)


def _draw_magnitudes(
    axes: Axes, table: pd.DataFrame, over_training: pd.DataFrame, colours: dict[int, str]
) -> list[tuple[float, str, str]]:
    """The circuits' magnitudes; returns what is written at the ends of the coloured lines."""
    ends = []
    for frequency in reversed(table["frequency"].tolist()):
        own = over_training[over_training["frequency"] == frequency]
        colour = colours.get(frequency)
        axes.plot(
            own["step"],
            own["magnitude_embedding"],
            color=colour or style.GREY,
            linewidth=2.0 if colour else 1.0,
        )
        if colour:
            ends.append((float(own["magnitude_embedding"].iloc[-1]), f"k = {frequency}", colour))
    axes.set_ylabel("Magnitude in\nthe embedding")
    axes.set_ylim(bottom=0)
    _plain(axes)
    return ends


def _draw_losses(axes: Axes, training: pd.DataFrame) -> list[tuple[float, str, str]]:
    """Both losses; returns what is written at the ends of the lines."""
    ends = []
    for column, colour, dash in (
        ("train_loss", style.TRAIN, "-"),
        ("test_loss", style.TEST, (0, (4, 2))),
    ):
        known = training[training[column].notna()]
        axes.plot(known["step"], known[column], color=colour, linestyle=dash)
        if not known.empty:
            ends.append((float(known[column].iloc[-1]), column.removesuffix("_loss"), colour))
    axes.set_ylabel("Loss\n(nats)")
    axes.set_ylim(bottom=0)
    _plain(axes)
    return ends


def _plain(axes: Axes) -> None:
    axes.spines["right"].set_visible(False)
    style.grid_below(axes)
