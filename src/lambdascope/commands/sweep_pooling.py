"""What the means of a sweep's figure are taken over."""

import math
from collections.abc import Sequence

import pandas as pd

from lambdascope.commands.sweep_config import matters_to
from lambdascope.commands.sweep_table import SEEDS
from lambdascope.sweeps import FigureWish


def pooled_over(rows: pd.DataFrame, wish: FigureWish, axes: Sequence[str]) -> str:
    """The axes over which a figure averages, with how many values of each a mean has at most.

    Args:
        rows: What it shows, with the sweep's axes as columns.
        wish: The figure.
        axes: Of the sweep.

    Returns:
        such as "train.task (2) × train.seed (3)"; "" where these are seeds only, over which runs
        are repetitions.
    """
    places = [wish.x, wish.family, wish.panel, wish.map_over, wish.slope_over]
    at = [name for name in dict.fromkeys(places) if name in rows and name != wish.slope_over]
    rows = rows.dropna(subset=at)  # without a place in the figure
    if rows.empty:
        return ""
    grouped = rows.groupby(at, sort=False)
    others = [
        axis
        for axis in axes
        if axis not in places and axis in rows and any(matters_to(y, axis) for y in wish.y)
    ]
    counts = {axis: int(grouped[axis].nunique().max()) for axis in others}
    counts = {axis: count for axis, count in counts.items() if count > 1}
    if not set(counts) - set(SEEDS):
        return ""
    together = rows.drop_duplicates([*at, *counts]).groupby(at, sort=False).size()
    if together.max() == math.prod(counts.values()):
        return " × ".join(f"{axis} ({count})" for axis, count in counts.items())
    *first, last = counts  # axes that go side by side, or cells that are not all finished
    names = f"{', '.join(first)} and {last}" if first else last
    return f"{together.max()} combinations of {names}"


def once_each(rows: pd.DataFrame, y: str, wish: FigureWish, axes: Sequence[str]) -> pd.DataFrame:
    """The rows without those that repeat a measurement, since no axis between them matters to it.

    Else a network whose λ̂ was estimated at four γ would count as four in a mean of its loss.

    Args:
        rows: What a figure shows, with the sweep's axes as columns.
        y: What is measured.
        wish: The figure.
        axes: Of the sweep.
    """
    mattering = [axis for axis in axes if matters_to(y, axis)]
    if len(mattering) == len(axes):
        return rows
    places = [wish.x, wish.family, wish.panel, wish.map_over, wish.slope_over]
    key = [*places, *mattering, "checkpoint", "step", "end", "rank"]
    return rows.drop_duplicates([name for name in dict.fromkeys(key) if name in rows])


def over_runs(most: int, pooled: str) -> str:
    """What means of so many runs at most are over; `pooled`: of `pooled_over`."""
    return f"over {pooled}, up to {most} runs" if pooled else f"over up to {most} runs"
