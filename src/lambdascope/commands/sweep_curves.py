"""The curves of a sweep's figures, from its tables: runs, means, slopes, straight lines."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lambdascope.commands.sweep_lines import Line, straight_line
from lambdascope.sweeps import FigureWish
from lambdascope.wording import number, with_error

_COLUMNS = ["family", "run", "x", "y", "doubtful"]
_LINE = ["family", "x", "y", "label"]
# Of a straight line that a logarithmic axis bends.
_POINTS_A_LINE = 200


def runs_of(rows: pd.DataFrame, y: str, wish: FigureWish, axes: Sequence[str]) -> pd.DataFrame:
    """Each run by itself: family, run, x, y, doubtful, stderr.

    A run is what agrees in all axes that have no place in the figure.
    """
    family = rows[wish.family] if wish.family else pd.Series("all", index=rows.index)
    others = [one for one in axes if one not in (wish.x, wish.family, wish.panel, wish.slope_over)]
    run = [", ".join(map(str, row)) for row in rows[others].itertuples(index=False)]
    if wish.x not in axes:  # something measured: each cell is a run of its own
        run = [f"{one} {cell}" for one, cell in zip(run, rows["cell"], strict=True)]
    found = pd.DataFrame(
        {"family": family, "run": run, "x": rows[wish.x], "y": rows[y].astype(float)}
    ).assign(doubtful=doubtful_of(rows, y), stderr=rows.get(f"{y}_stderr", math.nan))
    if wish.slope_over is not None:
        found = found.assign(over=rows[wish.slope_over])
    if pd.api.types.is_numeric_dtype(found["x"]):
        found = found.sort_values("x", kind="stable")
    return found


def doubtful_of(rows: pd.DataFrame, y: str) -> pd.Series:
    """Whether y is a number of λ̂ whose status is another than "converged", a row each."""
    if not y.startswith("llc") or "status" not in rows:
        return pd.Series(False, index=rows.index)
    return rows["status"].notna() & (rows["status"] != "converged")


def means_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over runs: family, x, mean, spread, stderr.

    Of a single run the spread is NaN, and stderr its own standard error; of several it is NaN.
    """
    means = (
        runs.groupby(["family", "x"], sort=False)
        .agg(mean=("y", "mean"), spread=("y", "std"), stderr=("stderr", "mean"))
        .reset_index()
    )
    return means.assign(stderr=means["stderr"].where(means["spread"].isna()))


def slopes_of(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The slope of y in `over`, of all runs together and of each by itself.

    Returns:
        means: family, x, mean, spread, stderr, where spread is the slope's standard error over all
        runs (least squares, independent equal scatter), NaN of two points, and stderr is NaN;
        runs: family, run, x, y, doubtful.
    """
    means, single = [], []
    for (family, x), rows in runs.groupby(["family", "x"], sort=False):
        if rows["over"].nunique() < 2:
            continue
        fit = straight_line(rows["over"].tolist(), rows["y"].tolist())
        means.append({"family": family, "x": x, "mean": fit.slope, "spread": fit.slope_stderr})
        for run, own in rows.groupby("run", sort=False):
            if own["over"].nunique() > 1:
                alone = straight_line(own["over"].tolist(), own["y"].tolist())
                row = {"family": family, "run": run, "x": x, "y": alone.slope}
                single.append({**row, "doubtful": bool(own["doubtful"].any())})
    return (
        pd.DataFrame(means, columns=["family", "x", "mean", "spread"]).assign(stderr=math.nan),
        pd.DataFrame(single, columns=_COLUMNS),
    )


def lines_of(runs: pd.DataFrame, *, log: tuple[bool, bool] = (False, False)) -> pd.DataFrame:
    """A straight line a family, as points to join: family, x, y, label.

    Args:
        runs: Of `runs_of`.
        log: Whether the horizontal and the vertical axis are logarithmic: there a straight line is
            bent, and has many points.
    """
    found = []
    for family, rows in runs.groupby("family", sort=False):
        if not pd.api.types.is_numeric_dtype(rows["x"]) or rows["x"].nunique() < 2:
            continue
        fit = straight_line(rows["x"].tolist(), rows["y"].tolist())
        ends = float(rows["x"].min()), float(rows["x"].max())
        spaced = np.geomspace if log[0] else np.linspace
        label = f"slope {_slope_text(fit)}"
        found += [
            {"family": family, "x": float(x), "y": fit.at(float(x)), "label": label}
            for x in spaced(*ends, _POINTS_A_LINE if any(log) else 2)
        ]
    return pd.DataFrame(found, columns=_LINE)


def _slope_text(fit: Line) -> str:
    if math.isnan(fit.slope_stderr):
        return f"{number(fit.slope)} (two points: no error)"
    return f"{with_error(fit.slope, fit.slope_stderr)} (standard error)"
