"""Fourier modes over training: magnitudes, and losses with one mode kept or removed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lambdascope.reporting import style
from lambdascope.reporting.mode_colours import (
    DASHES,
    colours_of,
    keep_room,
    label_ends,
    rounds_of,
)

_GREY_LINE: dict[str, Any] = {"color": style.PALE_GREY, "linewidth": 1.0, "zorder": 1}


def magnitudes_figure(
    table: pd.DataFrame,
    key_modes: Sequence[int],
    *,
    column: str = "magnitude_embedding",
    time: str = "step",
    time_label: str = "Training step",
    title: str,
    caption: str,
) -> Figure:
    """All modes as a heat map over time, beside lines of the key modes.

    Args:
        table: a row for each time and mode: `mode`, the columns named by `time` and `column`.
        key_modes: the most important first; each gets a line with a name, dashed from the eighth
            on. The other modes are grey.
        column: the magnitude to show, in units of weights.
        time: column of the horizontal axis.
        time_label: what it is.
        title: what the figure shows.
        caption: how it was made, in small type below.
    """
    wide = table.pivot(index="mode", columns=time, values=column)
    figure = style.new_figure(11.0, 5.0)
    with style.styled():
        left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
        top = 1.02 * float(np.nanmax(wide.to_numpy())) or 1.0
        image = left.pcolormesh(
            _time_edges(wide.columns.to_numpy(float)),
            np.append(wide.index, wide.index[-1] + 1) - 0.5,
            wide.to_numpy(),
            cmap="cividis",
            vmin=0,
            vmax=top,
            rasterized=True,
        )
        left.set(xlabel=time_label, ylabel="Mode k")
        left.set_title("Every mode, by colour", fontsize=13)
        left.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        style.whole_steps(left)
        _lines(right, wide, key_modes)
        right.set_title("The same, by height", fontsize=13)
        right.set_ylim(0, top)
        right.set_xlabel(time_label)
        _coloured_axis(figure, right, image, "Magnitude (units of weights)")
        _finish(figure, [(right, wide)], key_modes, title, caption)
    return figure


def ablation_figure(
    table: pd.DataFrame,
    whole: pd.DataFrame,
    key_modes: Sequence[int],
    *,
    chance: float,
    data: str = "test",
    title: str,
    caption: str,
) -> Figure:
    """Loss with one mode kept alone, and with one mode removed, over training.

    Args:
        table: a row for each checkpoint and mode: `step`, `mode`, and of the set that is drawn
            `kept_test_loss`, `removed_test_loss`, or the same with `train` (nats).
        whole: a row for each checkpoint: `step`, `test_loss` or `train_loss` of the network as it
            is (nats).
        key_modes: as in `magnitudes_figure`.
        chance: loss of guessing all classes alike (nats).
        data: "test" or "train": the set whose losses are drawn.
        title: what the figure shows.
        caption: how it was made, in small type below.
    """
    figure = style.new_figure(11.0, 5.0)
    panels = []
    with style.styled():
        for axes, name, what in zip(
            figure.subplots(1, 2),
            ("kept", "removed"),
            ("Only mode k kept", "Mode k removed"),
            strict=True,
        ):
            wide = table.pivot(index="mode", columns="step", values=f"{name}_{data}_loss")
            _lines(axes, wide, key_modes)
            axes.plot(
                whole["step"],
                whole[f"{data}_loss"],
                color=style.GREY,
                linestyle=(0, (4, 2)),
                zorder=4,
            )
            axes.axhline(chance, color=style.GREY, linewidth=1.2, linestyle=":")
            axes.set_ylim(bottom=0)
            axes.set_title(what, fontsize=13)
            axes.set(xlabel="Training step", ylabel=f"{data.capitalize()} loss (nats)")
            panels.append((axes, wide))
        end = float(whole[f"{data}_loss"].iloc[-1])
        _finish(figure, panels, key_modes, title, caption, [(end, "whole", style.GREY)])
    return figure


def _coloured_axis(figure: Figure, axes: Axes, image: Any, label: str) -> None:
    """The colour bar of an image as the vertical axis of other axes with the same limits."""
    bar = figure.colorbar(image, cax=axes.inset_axes((-0.055, 0, 0.035, 1)), ticklocation="left")
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.set_yticks(axes.get_yticks(), minor=False)
    bar.ax.set_ylim(axes.get_ylim())
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.spines["left"].set_visible(False)


def _lines(axes: Axes, wide: pd.DataFrame, key_modes: Sequence[int]) -> None:
    """A line for each mode [mode × time], the key modes in colour."""
    colours, rounds = colours_of(key_modes), rounds_of(key_modes)
    for mode, row in wide.iterrows():
        if mode in colours:
            dash = DASHES[rounds[mode]]
            axes.plot(wide.columns, row, color=colours[mode], linestyle=dash, zorder=3)
        else:
            axes.plot(wide.columns, row, **_GREY_LINE)
    axes.margins(x=0)
    axes.spines["right"].set_visible(False)
    style.whole_steps(axes)
    style.grid_below(axes)


def _finish(
    figure: Figure,
    panels: Sequence[tuple[Axes, pd.DataFrame]],
    key_modes: Sequence[int],
    title: str,
    caption: str,
    others: Sequence[tuple[float, str, str]] = (),
) -> None:
    """Title, caption, and names at the ends of the coloured lines and of others in all panels."""
    style.title_and_caption(figure, title, caption)
    # The names need the room of the longest of them before they can be placed.
    for axes, _ in panels:
        keep_room(axes)
    figure.draw_without_rendering()
    for axes, wide in panels:
        last = wide.iloc[:, -1]
        ends = [(last[k], f"k = {k}", c) for k, c in colours_of(key_modes).items() if k in last]
        label_ends(axes, [end for end in (*ends, *others) if np.isfinite(end[0])])


def _time_edges(times: np.ndarray) -> np.ndarray:
    """Boundaries of cells around rising times, halfway between neighbours: [n] → [n + 1]."""
    if len(times) == 1:
        return np.array([times[0], times[0] + 1])
    return np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
