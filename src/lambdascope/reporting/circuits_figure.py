"""What each circuit contributes: its share of the logits, its worth in loss, its neurons."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lambdascope.reporting import style
from lambdascope.reporting.circuits_text import logit_share
from lambdascope.reporting.mode_colours import HATCHES, colours_of, rounds_of


def contributions_figure(table: pd.DataFrame, *, caption: str) -> Figure:
    """One row a circuit: its logit share, the loss it saves, the loss with it alone, its neurons.

    Args:
        table: One row a circuit, the strongest first: `frequency`, `kind`, `logit_share`,
            `loss`, `loss_removed`, `loss_alone` (nats), `num_neurons`.
        caption: What it amounts to, in small type below.

    Returns:
        A figure for `style.png_bytes`.
    """
    figure = style.new_figure(10.5, 1.9 + 0.36 * max(3, len(table)))
    modes = table["frequency"].tolist()
    shades = list(colours_of(modes).values())
    # White, over the bar's own colour.
    bars = {"hatch": [HATCHES[turn] for turn in rounds_of(modes).values()], "edgecolor": "white"}
    rows = range(len(table))
    with style.styled():
        shares, losses, alone, neurons = figure.subplots(
            1, 4, sharey=True, gridspec_kw={"wspace": 0.08}
        )
        shares.barh(rows, table["logit_share"], color=shades, height=0.62, linewidth=0, **bars)
        for row, share in zip(rows, table["logit_share"], strict=True):
            at = (share, row)
            shares.annotate(logit_share(share), at, (4, 0), "data", "offset points", va="center")
        shares.set_xlim(0, 1.45 * max(table["logit_share"].max(), 1e-3))
        shares.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        _label(shares, "Share of the logits")
        _draw_cost(losses, table["loss_removed"] - table["loss"], shades)
        _label(losses, "Rise of the loss\nwithout it (nats)")
        alone.scatter(table["loss_alone"], rows, color=shades, s=55, zorder=3)
        alone.axvline(table["loss"].iloc[0], color=style.GREY, linewidth=1.2, linestyle=(0, (4, 2)))
        alone.set_xlim(0, 1.1 * table["loss_alone"].max())
        _label(alone, "Loss with it alone\n(nats; dashed: of all)")
        neurons.barh(rows, table["num_neurons"], color=shades, height=0.62, linewidth=0, **bars)
        neurons.xaxis.get_major_locator().set_params(integer=True)
        _label(neurons, "Neurons it dominates")
        pairs = zip(table["frequency"], table["kind"], strict=True)
        shares.set_yticks(list(rows), [circuit_label(*pair) for pair in pairs])
        shares.invert_yaxis()
        notes = ["the largest in the embedding on top"]
        if (table["loss_removed"] <= table["loss"]).any():
            notes.append("none: without it the loss does not rise")
        caption = " · ".join([caption, *notes])
        style.title_and_caption(figure, "What each circuit contributes", caption)
    return figure


def _draw_cost(axes: Axes, cost: pd.Series, shades: list[str]) -> None:
    """The rise of the loss on a logarithmic axis; where there is none, since others stand in, 0."""
    rises = cost[cost > 0]
    if rises.empty:
        axes.set_xlim(0, 1)
    else:
        axes.set_xscale("log")
        style.plain_numbers(axes.xaxis)
        axes.set_xlim(left=rises.min() / 3)
    for row, (value, shade) in enumerate(zip(cost, shades, strict=True)):
        if value > 0:
            axes.hlines(row, rises.min() / 3, value, color=shade, linewidth=1.5)
            axes.scatter(value, row, color=shade, s=55, zorder=3)
        else:
            axes.annotate(
                "none", (0, row), (4, 0), ("axes fraction", "data"), "offset points", va="center"
            )


def circuit_label(frequency: int, kind: str) -> str:
    """What a circuit is called in figures: "k = 11 · clock", "k = 2 · neither"."""
    return f"k = {frequency} · {kind}"


def _label(axes: Axes, text: str) -> None:
    axes.set_xlabel(text)
    axes.grid(axis="x", color=style.PALE_GREY, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines["right"].set_visible(False)
    axes.tick_params(axis="y", length=0)
