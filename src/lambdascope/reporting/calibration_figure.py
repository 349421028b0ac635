"""Estimated against exact learning coefficients."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from lambdascope.reporting import style
from lambdascope.wording import NORMAL_95

_LOOKS = (
    (style.BLACK, "s"),
    (style.ORANGE, "D"),
    (style.VERMILION, "^"),
    (style.PURPLE, "P"),
    (style.BLUE, "o"),
    (style.GREEN, "v"),
    (style.SKY, "X"),
)


def calibration_figure(table: pd.DataFrame, *, title: str) -> Figure:
    """λ̂ against λ on logarithmic axes with the diagonal; below it, their ratio.

    Args:
        table: From `lambdascope.calibration.calibrate`; rows without an exact answer or an
            estimate > 0 are left out. A row's exact answer is that at finite n where it is known.
        title: What the figure says.
    """
    known = table.assign(reference=table["exact_finite_n"].fillna(table["exact"]))
    known = known[(known["reference"] > 0) & (known["llc"] > 0)]
    figure = style.new_figure(9.0, 7.4)
    with style.styled():
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.3))
        ends = known["reference"].min() / 1.5, known["reference"].max() * 1.5
        upper.plot(ends, ends, color=style.GREY, linewidth=1, zorder=1)
        lower.axhline(1, color=style.GREY, linewidth=1, zorder=1)
        for (group, rows), (colour, marker) in zip(
            known.groupby("group", sort=False), _LOOKS, strict=False
        ):
            for sampler, own in rows.groupby("sampler", sort=False):
                plain = sampler == "SGLD"
                for axes, scale in ((upper, 1.0), (lower, own["reference"])):
                    axes.errorbar(
                        own["reference"],
                        own["llc"] / scale,
                        yerr=NORMAL_95 * own["llc_stderr"].fillna(0) / scale,
                        fmt=marker,
                        color=colour,
                        markerfacecolor=colour if plain else "white",
                        markersize=6,
                        elinewidth=1,
                        linestyle="none",
                        label=f"{group}, {sampler}",
                    )
        upper.set_xscale("log")
        upper.set_yscale("log")
        upper.set_ylabel("Estimated λ\u0302, 95 % interval")
        lower.set_ylabel("λ\u0302 / exact")
        lower.set_xlabel("Exact λ (at finite n where that is known)")
        ratios = known["llc"] / known["reference"]
        lower.set_ylim(0, max(1.5, 1.1 * float(ratios.max())))
        for axes in (upper, lower):
            axes.spines["right"].set_visible(False)
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            style.grid_below(axes)
        upper.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        figure.legend(*upper.get_legend_handles_labels(), loc="outside right upper", fontsize=9.5)
        figure.suptitle(title, fontsize=15, fontweight="bold")
    return figure
