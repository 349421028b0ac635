"""What each circuit contributes: its share of the logits, its worth in loss, its neurons."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lambdascope.reporting import style
from lambdascope.reporting.mode_colours import colours_of


def contributions_figure(table: pd.DataFrame, *, caption: str) -> Figure:
    """One row a circuit; beside each other its logit share, the loss it saves, and its neurons.

    Args:
        table: One row a circuit, the strongest first: `frequency`, `kind`, `logit_share`,
            `loss`, `loss_removed` (nats), `num_neurons`.
        caption: What it amounts to, in small type below.

    Returns:
        A figure for `style.png_bytes`.
    """
    figure = style.new_figure(9.0, 1.9 + 0.36 * max(3, len(table)))
    colours = colours_of(table["frequency"].tolist())
    shades = [colours.get(k, style.GREY) for k in table["frequency"]]
    rows = range(len(table))
    with style.styled():
        shares, losses, neurons = figure.subplots(1, 3, sharey=True, gridspec_kw={"wspace": 0.08})
        shares.barh(rows, table["logit_share"], color=shades, height=0.62)
        shares.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        _label(shares, "Share of the logits")
        cost = table["loss_removed"] - table["loss"]
        losses.hlines(rows, cost.min() / 3, cost, color=shades, linewidth=1.5)
        losses.scatter(cost, rows, color=shades, s=55, zorder=3)
        losses.set_xscale("log")
        style.plain_numbers(losses.xaxis)
        losses.set_xlim(left=cost.min() / 3)
        _label(losses, "Rise of the loss\nwithout it (nats)")
        neurons.barh(rows, table["num_neurons"], color=shades, height=0.62)
        neurons.xaxis.get_major_locator().set_params(integer=True)
        _label(neurons, "Neurons it dominates")
        pairs = zip(table["frequency"], table["kind"], strict=True)
        shares.set_yticks(list(rows), [circuit_label(*pair) for pair in pairs])
        shares.invert_yaxis()
        style.title_and_caption(figure, "What each circuit contributes", caption)
    return figure


def circuit_label(frequency: int, kind: str) -> str:
    """What a circuit is called in figures; of no known kind, by its frequency alone."""
    return f"k = {frequency}" if kind == "neither" else f"k = {frequency} · {kind}"


def _label(axes: Axes, text: str) -> None:
    axes.set_xlabel(text)
    axes.grid(axis="x", color=style.PALE_GREY, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines["right"].set_visible(False)
    axes.tick_params(axis="y", length=0)
