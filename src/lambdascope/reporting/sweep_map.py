"""A quantity over two axes of a sweep, as coloured fields with their values written in."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lambdascope.reporting import style
from lambdascope.wording import number

# Where values differ by more than this factor, equal steps of colour are equal ratios.
_WIDE = 20.0


def sweep_map(
    table: pd.DataFrame,
    *,
    columns: Sequence[Any],
    rows: Sequence[Any],
    x_label: str,
    y_label: str,
    value_label: str,
    panels: Sequence[object],
    title: str,
    caption: str,
) -> Figure:
    """Draw it, a panel for each family side by side, all on one scale of colours.

    Args:
        table: `panel`, `x`, `y`, `value`, `doubtful` (hatched), `finished` and `failed` (how many
            of the field's runs are). Where there is no value, a field of which runs failed has a
            cross, and another a dash.
        columns: Values of `x`, from the left.
        rows: Values of `y`, from below.
        x_label: With its unit.
        y_label: With its unit.
        value_label: With its unit.
        panels: Values of `panel`, in their order.
        title: What it shows.
        caption: How it was made, in small type below.
    """
    figure = style.new_figure(max(9.0, 5.2 * len(panels) + 1.0), 5.4)
    with style.styled():
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False).ravel()
        values = table["value"].to_numpy()
        finite = values[np.isfinite(values)]
        low, high = float(finite.min()), float(finite.max())
        if low == high:  # one colour, in the middle of a scale that has a length
            low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        norm = LogNorm(low, high) if low > 0 and high > _WIDE * low else Normalize(low, high)
        image = None
        for axes, panel in zip(grid, panels, strict=True):
            own = table[table["panel"] == panel] if len(panels) > 1 else table
            field = np.full((len(rows), len(columns)), np.nan)
            for one in own.itertuples():
                if np.isfinite(one.value):
                    field[rows.index(one.y), columns.index(one.x)] = one.value
            image = axes.imshow(field, origin="lower", aspect="auto", cmap="cividis", norm=norm)
            for one in own.itertuples():
                _write(axes, columns.index(one.x), rows.index(one.y), one, norm)
            axes.set_xticks(range(len(columns)), [_short(x) for x in columns])
            axes.set_yticks(range(len(rows)), [_short(y) for y in rows])
            axes.set_xlabel(x_label)
            axes.tick_params(length=0)
            if len(panels) > 1:
                axes.set_title(str(panel), fontsize=13)
        grid[0].set_ylabel(y_label)
        assert image is not None
        figure.colorbar(image, ax=list(grid), label=value_label, pad=0.02)
        style.title_and_caption(figure, title, caption)
    return figure


def _write(axes: Axes, column: int, row: int, one: Any, norm: Normalize) -> None:
    """A field's value; hatched where it is doubtful, crossed where its runs failed."""
    written: dict[str, Any] = {"ha": "center", "va": "center"}
    if not np.isfinite(one.value):
        if np.isnan(one.value) and one.failed:
            axes.add_patch(_field(column, row, facecolor=style.PALE_GREY))
            axes.text(column, row, "×", color=style.VERMILION, fontsize=22, **written)
        else:
            axes.text(column, row, number(one.value), color=style.GREY, **written)
        return
    red, green, blue, _ = matplotlib.colormaps["cividis"](norm(one.value))
    dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
    colour = "white" if dark else "black"
    axes.text(column, row, number(one.value), color=colour, fontsize=11, **written)
    if one.failed:
        said = f"{one.failed} of {one.finished + one.failed} failed"
        axes.text(column, row - 0.28, said, color=colour, fontsize=8, **written)
    if one.doubtful:
        axes.add_patch(_field(column, row, fill=False, hatch="///", edgecolor=colour, alpha=0.35))


def _field(column: int, row: int, **look: Any) -> Rectangle:
    return Rectangle((column - 0.5, row - 0.5), 1, 1, linewidth=0, **look)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
