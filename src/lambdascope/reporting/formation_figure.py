"""The learning coefficient over training, and the circuits that form under it."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import MaxNLocator

from lambdascope.reporting import style
from lambdascope.reporting.circuits_figure import circuit_label
from lambdascope.reporting.circuits_text import circuits_count, is_faint, logit_share
from lambdascope.reporting.finding import llc_shape
from lambdascope.reporting.llc_curve import draw_llc
from lambdascope.reporting.mode_colours import colours_of, keep_room, label_ends

_ROW, _PANEL, _SMALL = 0.46, 2.7, 1.35
"""Heights in inches: of a circuit's row, of λ̂, of the losses."""

_FOUND: dict[str, Any] = {
    "marker": "D",
    "markersize": 6.5,
    "markeredgecolor": "white",
    "markeredgewidth": 1.0,
    "clip_on": False,
    "zorder": 3,
}
"""Where the search first counts a circuit: full diamonds, since a hollow circle is a λ̂ in doubt."""

_RISE: dict[str, Any] = {"linewidth": 3.5, "alpha": 0.45, "solid_capstyle": "butt"}
_FORMED: dict[str, Any] = {"linewidth": 1.2, "zorder": 1}
"""From a tenth to nine tenths of a share's rise, below the ridge; and where it splits best."""

_FULL = 0.9
"""Part of a row's height that the largest share takes."""


def formation_figure(
    table: pd.DataFrame,
    over_training: pd.DataFrame,
    llc: pd.DataFrame | None,
    training: pd.DataFrame,
    *,
    caption: str,
) -> Figure:
    """λ̂ above, a ridge for each circuit's share in the order of formation, losses below.

    From the step at which a circuit has formed a line goes up to λ̂; a diamond stands where the
    search first counts it, and a bar below the ridge is as long as its share took to rise.

    Args:
        table: One row a circuit, the strongest first: `frequency`, `kind`, `formation_step`,
            `rise_begins_step`, `rise_ends_step` (NaN without a rise beyond chance),
            `first_found_step`, `logit_share`.
        over_training: One row a checkpoint and mode: `step`, `frequency`, `embedding_share`.
        llc: One row an estimated checkpoint: `checkpoint`, its number in the run, `step`, `llc`,
            `llc_stderr`, `status`; None leaves λ̂ out. Points that are not "converged" are hollow.
        training: One row a checkpoint: `step`, `train_loss`, `test_loss` (nats).
        caption: How to read it, in small type below.

    Returns:
        A figure for `style.png_bytes`.
    """
    heights = [*([] if llc is None else [_PANEL]), 0.2 + _ROW * len(table), _SMALL]
    figure = style.new_figure(9.0, sum(heights) + 1.9)
    with style.styled():
        panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
        rows, losses = panels[-2], panels[-1]
        colours = colours_of(table["frequency"].tolist())
        never = table["formation_step"].isna()
        ordered = table.assign(never=never).sort_values(["never", "formation_step"], kind="stable")
        ordered = ordered.assign(place=range(len(ordered)))
        end = float(training["step"].max())
        losses.set_xlim(-0.01 * end, end)
        if llc is not None:
            _draw_llc(panels[0], llc)
        _draw_ridges(rows, ordered, over_training, colours)
        loss_ends = _draw_losses(losses, training)
        _mark_formations(panels[0], rows, ordered, colours, has_llc=llc is not None)
        losses.set_xlabel("Training step")
        style.whole_steps(losses)
        style.title_and_caption(figure, _title(table, llc), caption)
        keep_room(rows, "of the logits")
        figure.draw_without_rendering()
        label_ends(losses, loss_ends)
    return figure


def _title(table: pd.DataFrame, llc: pd.DataFrame | None) -> str:
    """How many circuits there are, and when those were first found that the logits show.

    Not when they formed: that is known in hindsight only, and may move with the run's end.
    """
    faint = is_faint(table)
    found = (table if faint.all() else table[~faint])["first_found_step"]
    others = "; the other" + ("s" if len(found) > 1 else "") if len(found) < len(table) else ""
    said = circuits_count(table) + ("," if faint.all() else "")
    said += f"{others} first found {_when(found)}"
    shape = "" if llc is None else llc_shape(llc)
    return f"{said}; λ̂ {shape}" if shape else said


def _when(found: pd.Series) -> str:
    first, last = found.min(), found.max()
    if first < last:
        return f"between steps {first:,.0f} and {last:,.0f}"
    return f"at step {last:,.0f}"


def _draw_llc(axes: Axes, llc: pd.DataFrame) -> None:
    entries = draw_llc(axes, llc)
    axes.legend(
        list(entries.values()),
        list(entries),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(entries),
        columnspacing=1.2,
    )
    axes.tick_params(axis="x", length=0)
    _plain(axes)


def _draw_ridges(
    axes: Axes, ordered: pd.DataFrame, over_training: pd.DataFrame, colours: dict[int, str]
) -> None:
    """A row a circuit: its share as a filled line, pale until it has formed."""
    largest = max(
        over_training.loc[
            over_training["frequency"].isin(ordered["frequency"]), "embedding_share"
        ].max(),
        1e-12,
    )
    count = len(ordered)
    for row in ordered.itertuples(index=False):
        base = count - 1 - row.place
        colour = colours[row.frequency]
        own = over_training[over_training["frequency"] == row.frequency]
        height = base + _FULL * own["embedding_share"] / largest
        axes.fill_between(own["step"], base, height, color=colour, alpha=0.18, linewidth=0)
        axes.plot(own["step"], height, color=colour, linewidth=1.0, alpha=0.7)
        formed = own["step"] >= row.formation_step
        axes.fill_between(
            own["step"], base, height, where=formed, color=colour, alpha=0.5, linewidth=0
        )
        axes.plot(own["step"][formed], height[formed], color=colour, linewidth=2.2)
        found = own["step"] == row.first_found_step
        axes.plot(
            own["step"][found],
            height[found],
            **_FOUND,
            color=colour,
        )
        axes.plot(
            [row.rise_begins_step, row.rise_ends_step], [base - 0.07] * 2, **_RISE, color=colour
        )
        axes.annotate(
            circuit_label(row.frequency, row.kind),
            (0, base + 0.08),
            (-6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            color=colour,
            fontsize=11,
            annotation_clip=False,
        )
        axes.annotate(
            logit_share(row.logit_share),
            (1, base + 0.08),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=colour,
            fontsize=11,
            annotation_clip=False,
        )
    axes.annotate(
        "Share of each circuit in the embedding",
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=11,
        color=style.GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
    axes.legend(
        [
            Line2D([], [], linestyle="none", color=style.GREY, **_FOUND),
            Line2D([], [], color=style.GREY, **_RISE),
            Line2D([], [], color=style.GREY, **_FORMED),
        ],
        ["first found", "rises", "formed"],
        frameon=True,  # over the lines to λ̂
        framealpha=1.0,
        edgecolor="white",
        ncols=3,
        columnspacing=1.2,
        handlelength=1.3,
        loc="lower right",
        bbox_to_anchor=(0.97, 1.0),  # clear of what stands over the shares
        borderaxespad=0.0,
        borderpad=0.15,
        handletextpad=0.4,
        fontsize=11,
        labelcolor=style.GREY,
    )
    axes.annotate(
        "of the logits",
        (1, 1),
        (6, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9.5,
        color=style.GREY,
        annotation_clip=False,
    )
    axes.set_ylim(-0.14, count + 0.1)
    axes.set_yticks(range(count), labels=[""] * count)
    axes.tick_params(axis="both", length=0)
    axes.spines[["left", "right", "bottom"]].set_visible(False)
    style.grid_below(axes)


def _mark_formations(
    top: Axes, rows: Axes, ordered: pd.DataFrame, colours: dict[int, str], *, has_llc: bool
) -> None:
    """A line from where each circuit has formed up to λ̂; lines at one step take turns in dashes."""
    count = len(ordered)
    for step, formed in ordered.dropna(subset="formation_step").groupby("formation_step"):
        turns = len(formed)
        for turn, row in enumerate(formed.itertuples(index=False)):
            line: dict[str, Any] = {
                **_FORMED,
                "color": colours[row.frequency],
                "linestyle": (5.0 * turn, (5.0, 5.0 * (turns - 1))) if turns > 1 else "-",
            }
            base = count - 1 - row.place
            rows.plot([step, step], [base, count + 0.1], **line)
            if has_llc:
                top.axvline(float(step), **line)
                # Across the gap between the panels.
                bridge = ConnectionPatch(
                    (float(step), 0),
                    (float(step), 1),
                    coordsA=top.get_xaxis_transform(),
                    coordsB=rows.get_xaxis_transform(),
                    **{**line, "zorder": -1},
                )
                top.figure.add_artist(bridge)


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
    axes.set_ylabel("Loss (nats)")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(bottom=0)
    _plain(axes)
    return ends


def _plain(axes: Axes) -> None:
    axes.spines["right"].set_visible(False)
    style.grid_below(axes)
