"""A quantity over an axis of a sweep: mean and spread over seeds, each run faint behind."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from lambdascope.reporting import style

_COLOURS = (
    style.BLUE,
    style.VERMILION,
    style.GREEN,
    style.PURPLE,
    style.ORANGE,
    style.SKY,
    style.BLACK,
    style.GREY,
)


def sweep_figure(
    means: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    x_label: str,
    y_label: str,
    family_label: str,
    lines: pd.DataFrame,
    log: tuple[bool, bool],
    title: str,
    caption: str,
) -> Figure:
    """Draw it.

    Args:
        means: `family`, `x`, `mean`, `spread` (standard deviation over runs, NaN for one run).
        runs: `family`, `run`, `x`, `y`: each run by itself.
        x_label: With its unit.
        y_label: With its unit.
        family_label: What the families differ in; empty if there is one.
        lines: Straight lines to draw: `family`, `x0`, `y0`, `x1`, `y1`, `label`; may be empty.
        log: Whether the horizontal and the vertical axis are logarithmic.
        title: What it shows.
        caption: How it was made, in small type below.
    """
    figure = style.new_figure()
    with style.styled():
        axes = figure.add_subplot()
        families = list(dict.fromkeys(means["family"]))
        # Numbers keep their distances; names stand side by side.
        places = _places(means["x"])
        for number, family in enumerate(families):
            colour = _COLOURS[number % len(_COLOURS)]
            for _, run in runs[runs["family"] == family].groupby("run"):
                where = [places[x] for x in run["x"]]
                axes.plot(
                    where, run["y"], color=colour, alpha=0.25, linewidth=1, marker=".", markersize=4
                )
            own = means[means["family"] == family]
            where = [places[x] for x in own["x"]]
            spread = own["spread"].fillna(0.0)
            axes.fill_between(
                where,
                own["mean"] - spread,
                own["mean"] + spread,
                color=colour,
                alpha=0.18,
                linewidth=0,
            )
            label = f"{family_label} {family}" if family_label else "mean of the runs"
            dash = "-" if number < len(_COLOURS) else "--"
            axes.plot(where, own["mean"], dash, color=colour, marker="o", markersize=5, label=label)
            for line in lines[lines["family"] == family].itertuples():
                axes.plot(
                    [line.x0, line.x1],
                    [line.y0, line.y1],
                    color=colour,
                    linestyle=":",
                    linewidth=1.5,
                    label=line.label,
                )
        axes.set_xscale("log" if log[0] else "linear")
        axes.set_yscale("log" if log[1] else "linear")
        # After the scales, which bring ticks of their own.
        if any(x != place for x, place in places.items()):
            axes.set_xticks(list(places.values()), [str(x) for x in places])
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        style.grid_below(axes)
        if len(families) > 1 or len(lines):
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.suptitle(title, fontsize=15, fontweight="bold")
        figure.supxlabel("\n".join(textwrap.wrap(caption, 110)), fontsize=9.5, color=style.GREY)
    return figure


def _places(values: pd.Series) -> dict[object, float]:
    distinct = list(dict.fromkeys(values))
    if all(isinstance(x, int | float) and not isinstance(x, bool) for x in distinct):
        return {x: x for x in distinct}
    return {x: float(position) for position, x in enumerate(distinct)}
