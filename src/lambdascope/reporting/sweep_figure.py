"""Quantities over an axis of a sweep: mean and spread over seeds, each run faint behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lambdascope.reporting import style

# Above this many points a curve needs no marker at each of them.
_MOST_MARKERS = 40


@dataclass(frozen=True)
class SweepPanel:
    """What one panel shows.

    Attributes:
        title: Above it; empty if there is one panel.
        y_label: With its unit.
        means: `family`, `x`, `mean`, `spread` (standard deviation over runs; where all points are
            single runs their standard errors; NaN where not known): a band, or a bar at a single x
            and where single runs lie among the others; `stderr` (of a single run among others its
            own standard error, else NaN): a thin bar.
        runs: `family`, `run`, `x`, `y`, `doubtful`: each run by itself; doubtful ones are hollow.
        lines: Straight lines, as points to join: `family`, `x`, `y`, `label`; may be empty.
        theory: Exact values: `family`, `x`, `exact`, `label`, which says what they are; may be
            empty.
    """

    title: str
    y_label: str
    means: pd.DataFrame
    runs: pd.DataFrame
    lines: pd.DataFrame
    theory: pd.DataFrame


def sweep_figure(
    panels: Sequence[SweepPanel],
    *,
    x_label: str,
    family_label: str | None,
    log: tuple[bool, bool],
    stacked: bool,
    title: str,
    caption: str,
) -> Figure:
    """Draw it.

    Args:
        panels: One or more; all have the same families.
        x_label: With its unit.
        family_label: What to write before a family's name; None if there is one family.
        log: Whether the horizontal and the vertical axis are logarithmic.
        stacked: Put the panels below each other, each with a vertical axis of its own, instead of
            side by side with one that they share.
        title: What it shows.
        caption: How it was made, in small type below.
    """
    count = len(panels)
    width, height = (9.0, 3.0 * count) if stacked else (4.6 * count, 5.4)
    figure = style.new_figure(max(width, 9.0), max(height, 5.4))
    with style.styled():
        grid = figure.subplots(
            count if stacked else 1, 1 if stacked else count,
            sharex=stacked, sharey=not stacked, squeeze=False,
        ).ravel()  # fmt: skip
        families = list(dict.fromkeys(one for panel in panels for one in panel.means["family"]))
        # Numbers keep their distances; names stand side by side.
        places = _places(pd.concat([panel.means["x"] for panel in panels]))
        for axes, panel in zip(grid, panels, strict=True):
            for number, family in enumerate(families):
                _draw_family(axes, panel, family, number, places, family_label)
            axes.set_xscale("log" if log[0] else "linear")
            axes.set_yscale("log" if log[1] else "linear")
            for axis, logarithmic in zip((axes.xaxis, axes.yaxis), log, strict=True):
                if logarithmic:
                    style.plain_numbers(axis)
            # After the scales, which bring ticks of their own.
            if any(x != place for x, place in places.items()):
                axes.set_xticks(list(places.values()), [str(x) for x in places])
            elif not log[0] and all(float(place).is_integer() for place in places.values()):
                axes.xaxis.get_major_locator().set_params(integer=True)  # counts have no halves
            if stacked or panel is panels[0]:
                axes.set_ylabel(panel.y_label)
            if not stacked or panel is panels[-1]:
                axes.set_xlabel(x_label)
            if panel.title:
                axes.set_title(panel.title, fontsize=13)
            style.grid_below(axes)
        keys = len(families) > 1 or any(len(panel.lines) + len(panel.theory) for panel in panels)
        for label in dict.fromkeys(one for panel in panels for one in panel.theory["label"]):
            grid[-1].plot([], [], color=style.GREY, linestyle=_theory_dash(label), label=label)
        if keys:
            for axes in grid if any(len(panel.lines) for panel in panels) else (grid[-1],):
                last = axes is grid[-1] and not stacked
                where = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if last else {}
                if stacked or last or len(panels) > 1:
                    axes.legend(**(where or {"loc": "best"}))
        style.title_and_caption(figure, title, caption)
    return figure


def _draw_family(
    axes: Axes,
    panel: SweepPanel,
    family: object,
    number: int,
    places: dict[object, float],
    family_label: str | None,
) -> None:
    colour, dash = style.series(number)
    own = panel.means[panel.means["family"] == family]
    many = len(own) > _MOST_MARKERS
    for _, run in panel.runs[panel.runs["family"] == family].groupby("run"):
        where = [places[x] for x in run["x"]]
        axes.plot(where, run["y"], color=colour, alpha=0.22, linewidth=0.9)
        if many:
            continue
        for doubtful, dots in run.groupby("doubtful"):
            axes.plot(
                [places[x] for x in dots["x"]],
                dots["y"],
                linestyle="none",
                marker="o",
                markersize=4,
                markerfacecolor="white" if doubtful else colour,
                markeredgecolor=colour,
                alpha=0.45,
            )
    where = [places[x] for x in own["x"]]
    spread = own["spread"].fillna(0.0)
    if own["stderr"].notna().any():  # a band through both would mean two things
        _bars(axes, where, own, "spread", {"ecolor": colour, "capsize": 4})
        _bars(axes, where, own, "stderr", {"ecolor": colour, "elinewidth": 0.8})
    elif len(own) > 1:
        axes.fill_between(
            where, own["mean"] - spread, own["mean"] + spread, color=colour, alpha=0.18, linewidth=0
        )
    elif spread.iloc[0] > 0:  # a band of one place has no width
        _bars(axes, where, own, "spread", {"ecolor": colour, "capsize": 4})
    name = str(family).replace("_", " ")
    label = "mean of the runs" if family_label is None else f"{family_label} {name}".strip()
    marker = None if many else "o"
    axes.plot(where, own["mean"], dash, color=colour, marker=marker, markersize=5.5, label=label)
    doubted = panel.runs[panel.runs["family"] == family].groupby("x")["doubtful"].all()
    hollow = own[own["x"].map(doubted).fillna(False).astype(bool)]
    if len(hollow) and not many:
        axes.plot(
            [places[x] for x in hollow["x"]],
            hollow["mean"],
            linestyle="none",
            marker="o",
            markersize=5.5,
            markerfacecolor="white",
            markeredgecolor=colour,
        )
    lines = panel.lines[panel.lines["family"] == family]
    for label, line in lines.groupby("label", sort=False):
        axes.plot(line["x"], line["y"], color=colour, linestyle=":", linewidth=1.8, label=label)
    theory = panel.theory[panel.theory["family"] == family]
    for label, exact in theory.groupby("label", sort=False):
        axes.plot(
            [places[x] for x in exact["x"]],
            exact["exact"],
            color=colour,
            linestyle=_theory_dash(str(label)),
            linewidth=1.4,
        )


def _bars(
    axes: Axes, where: Sequence[float], means: pd.DataFrame, name: str, look: dict[str, Any]
) -> None:
    """Bars of the length in a column, where it is known."""
    known = means[name].notna().to_numpy()
    if known.any():
        places, own = np.asarray(where)[known], means[known]
        axes.errorbar(places, own["mean"], yerr=own[name], fmt="none", **look)


def _theory_dash(label: str) -> tuple[int, tuple[int, ...]]:
    """The dashes of exact values; others for those that hold in a limit only."""
    return (0, (4, 2)) if label == "exact value" else (0, (4, 2, 1, 2))


def _places(values: pd.Series) -> dict[object, float]:
    distinct = list(dict.fromkeys(values))
    if all(isinstance(x, int | float) and not isinstance(x, bool) for x in distinct):
        return {x: x for x in distinct}
    return {x: float(position) for position, x in enumerate(distinct)}
