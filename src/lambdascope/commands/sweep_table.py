"""What stands of a sweep as tables: every measurement, means over seeds, straight lines."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lambdascope.sweeps import CellRecords, FigureWish, SweepPlan
from lambdascope.wording import number, with_error

# Axes over which runs are repetitions of each other.
_SEEDS = ("train.seed", "train.data_seed", "llc.seed")
_SHOWN = ("llc", "train_loss", "test_loss", "test_accuracy")


def measurements(plan: SweepPlan, records: CellRecords) -> pd.DataFrame:
    """A row for each finished cell and checkpoint: number, key, axes, what was measured."""
    rows: list[dict[str, Any]] = []
    for cell in plan.cells:
        outcome = records.get(cell)
        if outcome is not None and outcome.error is None:
            label = {"cell": cell.number, "key": cell.key, **cell.point}
            rows += [{**label, **row} for row in outcome.rows]
    table = pd.DataFrame(rows)
    if len(table) and "llc" not in table:
        table["llc"] = math.nan
    return table


def finals(table: pd.DataFrame) -> pd.DataFrame:
    """The last checkpoint of each cell."""
    return table[table["step"] == table.groupby("cell")["step"].transform("max")]


def summary_text(plan: SweepPlan, table: pd.DataFrame) -> str:
    """Means ± standard deviation over seeds at the last checkpoint, as aligned text."""
    last = finals(table)
    axes = [name for name in plan.axes if name not in _SEEDS]
    shown = [name for name in _SHOWN if last[name].notna().any()]
    lines = [[*axes, "runs", *("λ̂" if name == "llc" else name for name in shown)]]
    for point, rows in _groups(last, axes):
        cells = [_mean_text(rows[name]) for name in shown]
        lines.append([*(str(value) for value in point), str(len(rows)), *cells])
    # The hat of λ̂ is a character of no width of its own.
    widths = [
        max(len(line[i].replace("\u0302", "")) for line in lines) for i in range(len(lines[0]))
    ]
    return "\n".join(
        "  ".join(
            " " * (width - len(text.replace("\u0302", ""))) + text
            for width, text in zip(widths, line, strict=True)
        )
        for line in lines
    )


def figure_tables(
    table: pd.DataFrame, wish: FigureWish, axes: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The means, the runs and the straight lines of a figure.

    Runs are the same where all axes agree but the figure's own; a mean is taken over all that share
    x and family. Axes other than seeds that are averaged over are the figure's own doing.

    Returns:
        means: family, x, mean, spread; runs: family, run, x, y; lines: family, x0, y0, x1, y1,
        label.
    """
    chosen = table if wish.x == "step" else finals(table)
    chosen = chosen[chosen[wish.y].notna()]
    family = chosen[wish.family] if wish.family else pd.Series("all", index=chosen.index)
    others = [name for name in axes if name not in (wish.x, wish.family)]
    run = [", ".join(map(str, row)) for row in chosen[others].itertuples(index=False)]
    runs = pd.DataFrame(
        {"family": family, "run": run, "x": chosen[wish.x], "y": chosen[wish.y].astype(float)}
    )
    grouped = runs.groupby(["family", "x"], sort=False)["y"]
    means = grouped.agg(mean="mean", spread="std").reset_index()
    if pd.api.types.is_numeric_dtype(means["x"]):
        means, runs = means.sort_values("x"), runs.sort_values("x")
    lines = [_line(name, rows) for name, rows in runs.groupby("family", sort=False)]
    columns = ["family", "x0", "y0", "x1", "y1", "label"]
    fitted = [line for line in lines if line is not None] if wish.line else []
    return means, runs, pd.DataFrame(fitted, columns=columns)


def slope(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Slope, its standard error, and intercept of a straight line by least squares.

    The error is that of independent, equal scatter about the line: s/√Σ(x − x̄)² with s² the
    residual sum of squares over n − 2; NaN for two points.
    """
    at, value = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    away = at - at.mean()
    spread = float((away**2).sum())
    gradient = float((away * value).sum()) / spread
    residual = value - value.mean() - gradient * away
    free = len(at) - 2
    error = math.sqrt(float((residual**2).sum()) / free / spread) if free > 0 else math.nan
    return gradient, error, float(value.mean() - gradient * at.mean())


def _line(family: Any, rows: pd.DataFrame) -> dict[str, Any] | None:
    if not pd.api.types.is_numeric_dtype(rows["x"]) or rows["x"].nunique() < 2:
        return None
    gradient, error, start = slope(rows["x"].tolist(), rows["y"].tolist())
    low, high = float(rows["x"].min()), float(rows["x"].max())
    return {
        "family": family,
        "x0": low,
        "y0": start + gradient * low,
        "x1": high,
        "y1": start + gradient * high,
        "label": f"slope {with_error(gradient, error)}",
    }


def _groups(table: pd.DataFrame, axes: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    if not axes:
        return [((), table)]
    return list(table.groupby(list(axes), sort=False, dropna=False))


def _mean_text(values: pd.Series) -> str:
    if values.notna().sum() > 1:
        return with_error(float(values.mean()), float(values.std()))
    return number(float(values.mean()))
