"""Spectra of several runs in one figure, with effective dimension and λ̂ beside them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lambdascope.reporting import style
from lambdascope.reporting.llc_curve import HOLLOW, doubt
from lambdascope.wording import NORMAL_95

# Weights of line by checkpoint: the last is the one that people look for.
_FAINTEST = 0.3


def comparison_figure(
    spectra: pd.DataFrame, summary: pd.DataFrame, *, title: str, caption: str
) -> Figure:
    """Left: the largest eigenvalues by rank, a colour a run. Right: what they say of λ̂.

    Points of λ̂ that has not converged are hollow.

    Args:
        spectra: `run`, `step`, `rank`, `eigenvalue` (loss/parameter²), of the largest eigenvalues.
        summary: `run`, `step`, `ratio` (γ/nβ, loss/parameter²), `effective_dimension`,
            `effective_dimension_stderr`, `llc`, `llc_stderr`, `llc_status` (NaN where there is
            none).
        title: What it shows.
        caption: How it was made, in small type below.
    """
    figure = style.new_figure(width=11.5)
    with style.styled():
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        runs = list(dict.fromkeys(summary["run"]))
        for number, run in enumerate(runs):
            colour, dash = style.series(number)
            own = spectra[(spectra["run"] == run) & (spectra["eigenvalue"] > 0)]
            steps = sorted(own["step"].unique())
            for place, step in enumerate(steps, start=1):
                rows = own[own["step"] == step]
                alpha = _FAINTEST + (1 - _FAINTEST) * place / len(steps)
                label = run if place == len(steps) else None
                left.plot(
                    rows["rank"], rows["eigenvalue"], dash, color=colour, alpha=alpha, label=label
                )
        ratios = summary.groupby("run", sort=False)["ratio"].first()
        for number, run in enumerate(runs):
            colour = style.series(number)[0] if ratios.nunique() > 1 else style.GREY
            left.axhline(ratios[run], color=colour, linestyle=":", linewidth=1.3)
        left.annotate(
            "γ/nβ", (1.0, ratios.max()), xycoords=("axes fraction", "data"), ha="right",
            va="bottom", color=style.GREY,
        )  # fmt: skip
        left.set_yscale("log")
        style.plain_numbers(left.yaxis)
        left.set_xlabel("Rank")
        left.set_ylabel("Eigenvalue (loss / parameter²)")
        left.legend(loc="upper right")
        style.grid_below(left)

        last = summary.sort_values("step").groupby("run", sort=False).tail(1).set_index("run")
        last = last.loc[runs[::-1]]  # the first run at the top, as in the legend
        places = range(len(last))
        for offset, name, colour, marker, label in (
            (0.1, "effective_dimension", style.GREEN, "s", "effective dimension"),
            (-0.1, "llc", style.LLC, "o", "learning coefficient λ̂"),
        ):
            right.errorbar(
                last[name],
                [place + offset for place in places],
                xerr=NORMAL_95 * last[f"{name}_stderr"].fillna(0.0),
                fmt=marker,
                color=colour,
                label=label if last[name].notna().any() else None,
            )
        known = last["llc"].notna().to_numpy()
        doubtful = np.flatnonzero(known & (last["llc_status"] != "converged").to_numpy())
        if len(doubtful):
            label = f"λ̂ {doubt(last.iloc[doubtful].rename(columns={'llc_status': 'status'}))}"
            right.scatter(
                last["llc"].iloc[doubtful], doubtful - 0.1, s=50, zorder=5, label=label, **HOLLOW
            )
        right.set_yticks(list(places), list(last.index))
        right.set_ylim(-0.6, len(last) - 0.4)
        right.set_xlim(0.0, 1.08 * right.get_xlim()[1])
        right.set_xlabel("Dimensions (dimensionless)")
        right.set_title("At the last checkpoint shown", fontsize=13)
        right.grid(axis="x", color=style.PALE_GREY, linewidth=0.7)
        right.set_axisbelow(True)
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)
        style.title_and_caption(figure, title, caption)
    return figure
