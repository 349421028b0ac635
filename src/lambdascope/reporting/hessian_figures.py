"""The Hessian's spectrum: by rank, as a density, and what it says of λ̂."""

import math
import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, StrMethodFormatter

from lambdascope.reporting import style
from lambdascope.reporting.llc_curve import HOLLOW, doubt
from lambdascope.wording import NORMAL_95, estimated, number, with_error

# More curves than this are told apart by a scale of colours instead of a legend entry each.
_MOST_ENTRIES = 8


def spectrum_figure(table: pd.DataFrame, *, ratio: float, title: str, caption: str) -> Figure:
    """The largest eigenvalues by rank on a logarithmic scale, a curve a checkpoint.

    Args:
        table: As hessian.csv: `checkpoint`, `step`, `end`, `rank`, `eigenvalue` (loss/parameter²).
        ratio: γ/nβ, drawn as a level, in loss/parameter².
        title: What it shows.
        caption: How it was made, in small type below.
    """
    figure = style.new_figure()
    with style.styled():
        axes = figure.add_subplot()
        largest = table[(table["end"] == "largest") & (table["eigenvalue"] > 0)]
        for colour, step, rows in _by_step(largest):
            axes.plot(rows["rank"], rows["eigenvalue"], color=colour, label=f"step {step:,d}")
        if largest.empty:  # a loss that is flat, or curves downwards alone
            axes.text(
                *(0.5, 0.6), "No eigenvalue is positive", ha="center", transform=axes.transAxes
            )
            axes.set_xticks([])
        axes.axhline(ratio, color=style.GREY, linestyle=":", linewidth=1.5)
        axes.set_yscale("log")
        axes.set_xlabel("Rank")
        axes.set_ylabel("Eigenvalue (loss / parameter²)")
        _finish(figure, axes, title, caption)
    return figure


def density_figure(table: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Numbers of eigenvalues in bins of equal ratio, both signs, a curve a checkpoint.

    Args:
        table: As hessian_density.csv: `checkpoint`, `step`, `low`, `high` (loss/parameter²),
            `eigenvalues`, `eigenvalues_stderr`, `eigenvalues_resolution` (counts); bars are the sum
            of the last two.
        title: What it shows.
        caption: How it was made, in small type below.
    """
    figure = style.new_figure()
    with style.styled():
        axes = figure.add_subplot()
        for colour, step, rows in _by_step(table):
            edges = np.append(rows["low"].to_numpy(), rows["high"].iloc[-1])
            axes.stairs(
                rows["eigenvalues"], edges, color=colour, linewidth=1.8, label=f"step {step:,d}"
            )
            doubt = rows["eigenvalues_stderr"] + rows["eigenvalues_resolution"]
            some = rows[doubt > 0]
            middle = np.sign(some["low"]) * np.sqrt(np.abs(some["low"] * some["high"]))
            middle = middle.where(some["low"] * some["high"] > 0, 0.0)
            axes.errorbar(
                middle,
                some["eigenvalues"],
                doubt[doubt > 0],
                fmt="none",
                color=colour,
                linewidth=1,
            )
        innermost = float(table.loc[table["high"] > 0, "high"].min())
        axes.set_xscale("symlog", linthresh=innermost, linscale=0.5)
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        held = table[table["eigenvalues"] > 0.1]
        axes.set_xlim(min(float(held["low"].min()), -innermost), float(held["high"].max()))
        axes.set_xlabel("Eigenvalue (loss / parameter²)")
        axes.set_ylabel("Eigenvalues in the bin (count)")
        _thin_ticks(axes, innermost)
        _finish(figure, axes, title, caption)
    return figure


def effective_dimension_figure(
    table: pd.DataFrame, estimate: pd.DataFrame | None, *, title: str, caption: str
) -> Figure:
    """The effective dimension over training, beside λ̂; of one checkpoint, bars with their values.

    Points and bars of λ̂ that has not converged are hollow.

    Args:
        table: As hessian_summary.csv: `step`, `effective_dimension`, `effective_dimension_stderr`
            (dimensionless).
        estimate: As llc.csv: `step`, `llc`, `llc_stderr`, `status`; None draws no λ̂.
        title: What it shows.
        caption: How it was made, in small type below.
    """
    steps = {*table["step"], *([] if estimate is None else estimate["step"])}
    if len(steps) == 1:
        return _one_checkpoint(table, estimate, title=title, caption=caption)
    figure = style.new_figure()
    with style.styled():
        axes = figure.add_subplot()
        axes.errorbar(
            table["step"],
            table["effective_dimension"],
            NORMAL_95 * table["effective_dimension_stderr"].fillna(0.0),
            color=style.GREEN,
            marker="s",
            clip_on=False,  # it may be next to nothing
            zorder=4,
            label="effective dimension",
        )
        if estimate is not None:
            axes.errorbar(
                estimate["step"],
                estimate["llc"],
                NORMAL_95 * estimate["llc_stderr"].fillna(0.0),
                color=style.LLC,
                marker="o",
                markersize=5,
                label="learning coefficient λ̂",
            )
            doubtful = estimate[estimate["llc"].notna() & (estimate["status"] != "converged")]
            if len(doubtful):
                axes.scatter(
                    doubtful["step"],
                    doubtful["llc"],
                    s=50,
                    zorder=5,
                    label=f"λ̂ {doubt(doubtful)}",
                    **HOLLOW,
                )
        if len(table) == 1:
            row = table.iloc[0]
            axes.annotate(
                estimated(
                    row["effective_dimension"], NORMAL_95 * row["effective_dimension_stderr"]
                ),
                (row["step"], row["effective_dimension"]),
                (-8, 8),
                textcoords="offset points",
                ha="right",
                color=style.GREEN,
                fontweight="bold",
            )
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("Training step")
        axes.set_ylabel("Dimensions (dimensionless)")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        _finish(figure, axes, title, caption)
    return figure


def _one_checkpoint(
    table: pd.DataFrame, estimate: pd.DataFrame | None, *, title: str, caption: str
) -> Figure:
    """A bar for each quantity, with 95 % intervals and the value written beside it."""
    row, sure = table.iloc[0], True
    bars = [
        (
            "effective\ndimension",
            style.GREEN,
            row["effective_dimension"],
            row["effective_dimension_stderr"],
        )
    ]
    if estimate is not None and estimate["llc"].notna().any():
        one = estimate.iloc[0]
        sure = one["status"] == "converged"
        name = "learning\ncoefficient λ̂" + ("" if sure else f"\n({doubt(estimate)})")
        bars.append((name, style.LLC, one["llc"], one["llc_stderr"]))
    figure = style.new_figure(height=1.9 + 0.9 * len(bars))
    with style.styled():
        axes = figure.add_subplot()
        names, colours, values, errors = zip(*bars, strict=True)
        halves = NORMAL_95 * np.nan_to_num(np.array(errors, dtype=float))
        places = np.arange(len(bars))
        drawn = axes.barh(
            places, values, xerr=halves, color=colours, height=0.6, ecolor=style.BLACK
        )
        if not sure:
            drawn[-1].set(**HOLLOW)
        for place, value, half in zip(places, values, halves, strict=True):
            axes.annotate(
                with_error(value, half) if half else number(value),
                (value + half, place),
                (8, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
            )
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0, labelcolor=style.BLACK)
        axes.invert_yaxis()
        axes.set_xlim(0.0, 1.3 * (float(np.max(values + halves)) or 1.0))
        axes.set_xlabel("Dimensions (dimensionless)")
        _finish(
            figure,
            axes,
            f"{title.removesuffix(' over training')}, step {row['step']:,.0f}",
            caption,
        )
        axes.grid(visible=False, axis="y")
    return figure


def _by_step(table: pd.DataFrame) -> list[tuple[Any, int, pd.DataFrame]]:
    """Colour, step and rows of each checkpoint, early ones dark and late ones light."""
    groups = list(table.groupby("step"))
    shades = np.linspace(0.0, 0.85, len(groups)) if len(groups) != 1 else [0.3]
    palette = colormaps["viridis"]
    return [
        (palette(shade), int(step), rows)
        for shade, (step, rows) in zip(shades, groups, strict=True)
    ]


def _thin_ticks(axes: Axes, innermost: float) -> None:
    """Powers of ten beyond the middle bin, so that the labels near zero stay apart."""
    low, high = axes.get_xlim()
    first = np.ceil(np.log10(innermost))
    powers = 10.0 ** np.arange(first, np.ceil(np.log10(max(high, -low))) + 1)
    slack = 1 + 1e-9  # powers come out rounded
    ticks = [-power for power in powers[::-1] if power <= -low * slack] + [0.0]
    ticks += [power for power in powers if power <= high * slack]
    if ticks[0] == 0.0:  # no power of ten on the negative side: its end is named instead
        ticks.insert(0, low)
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(_as_power))
    axes.minorticks_off()


def _as_power(value: float, _: int = 0) -> str:
    """0, −10⁻², or −4 · 10⁻³ where it is no power of ten."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    digits = abs(value) / 10.0**power
    lead = "" if abs(digits - 1) < 1e-6 else rf"{digits:.1g} \cdot "
    sign = "−" if value < 0 else ""
    return rf"${sign}{lead}10^{{{power}}}$"


def _finish(figure: Figure, axes: Axes, title: str, caption: str) -> None:
    style.grid_below(axes)
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > _MOST_ENTRIES:  # the first, some between, and the last
        kept = np.linspace(0, len(handles) - 1, _MOST_ENTRIES).round().astype(int)
        handles, labels = [handles[i] for i in kept], [labels[i] for i in kept]
    if len(handles) > 1:
        axes.legend(handles, labels, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle(title, fontsize=15, fontweight="bold")
    figure.supxlabel("\n".join(textwrap.wrap(caption, 110)), fontsize=9.5, color=style.GREY)
