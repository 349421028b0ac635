"""Chains seen from outside: their principal components, and their two largest modes."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from lambdascope.reporting import style

_MARKERS = "os^Dv<>P"


def pca_figure(
    table: pd.DataFrame, explained: tuple[float, float], *, title: str, caption: str
) -> Figure:
    """Points in their first two principal components, coloured by loss and by step.

    Args:
        table: a row for each chain and draw: `chain`, `step`, `loss` (nats), `pc1`, `pc2`
            (parameter units).
        explained: share of the variance along either component.
        title: what the figure shows.
        caption: how it was made, in small type below.
    """
    axes_names = [
        f"Principal component {i} ({100 * share:.0f} % of variance)"
        for i, share in enumerate(explained, 1)
    ]
    return _scatters(
        table,
        ("pc1", "pc2"),
        axes_names,
        [("loss", "Loss (nats)", "cividis"), ("step", "Sampling step", "viridis")],
        title,
        caption,
    )


def two_modes_figure(
    table: pd.DataFrame, modes: tuple[int, int], *, title: str, caption: str
) -> Figure:
    """The magnitudes of two modes against each other along the chains.

    Args:
        table: a row for each chain and draw: `chain`, `step`, `loss` (nats), `first`, `second`, the
            magnitudes of the two modes (units of weights).
        modes: their numbers.
        title: what the figure shows.
        caption: how it was made, in small type below.
    """
    return _scatters(
        table,
        ("first", "second"),
        [f"Magnitude of mode {mode}" for mode in modes],
        [("loss", "Loss (nats)", "cividis"), ("step", "Sampling step", "viridis")],
        title,
        caption,
    )


def _scatters(
    table: pd.DataFrame,
    columns: tuple[str, str],
    names: list[str],
    colourings: list[tuple[str, str, str]],
    title: str,
    caption: str,
) -> Figure:
    figure = style.new_figure(12.0, 5.2)
    with style.styled():
        panels = figure.subplots(1, len(colourings), sharex=True, sharey=True)
        for axes, (column, label, cmap) in zip(panels, colourings, strict=True):
            image = _points(axes, table, columns, column, cmap)
            bar = figure.colorbar(image, ax=axes, pad=0.02, format=StrMethodFormatter("{x:,g}"))
            bar.set_label(label)
            bar.outline.set_visible(False)
            axes.set_xlabel(names[0])
            axes.spines["right"].set_visible(False)
        panels[0].set_ylabel(names[1])
        figure.legend(handles=_legend(table), loc="outside right upper", handletextpad=0.3)
        style.title_and_caption(figure, title, caption)
    return figure


def _points(
    axes: Axes, table: pd.DataFrame, columns: tuple[str, str], column: str, cmap: str
) -> Any:
    """All chains, each with its own marker, on one scale of colour; returns what a bar needs."""
    # Of losses a few outliers would take the whole scale.
    low, high = np.nanquantile(table[column], (0.01, 0.99))
    image = None
    for chain, rows in table.groupby("chain"):
        image = axes.scatter(
            rows[columns[0]],
            rows[columns[1]],
            c=rows[column],
            cmap=cmap,
            vmin=low,
            vmax=high if high > low else low + 1,
            marker=_MARKERS[int(chain) % len(_MARKERS)],
            s=16,
            linewidth=0,
        )
    start = table[table["step"] == 0]
    axes.scatter(
        start[columns[0]].iloc[:1],
        start[columns[1]].iloc[:1],
        marker="*",
        s=260,
        color=style.VERMILION,
        edgecolor="white",
        zorder=4,
    )
    return image


def _legend(table: pd.DataFrame) -> list[Line2D]:
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="*",
            markersize=14,
            color=style.VERMILION,
            label="w*, the start",
        )
    ]
    chains = sorted(table["chain"].unique())
    if len(chains) <= len(_MARKERS):
        handles += [
            Line2D(
                [],
                [],
                linestyle="",
                marker=_MARKERS[chain],
                color=style.GREY,
                label=f"chain {chain}",
            )
            for chain in chains
        ]
    return handles
