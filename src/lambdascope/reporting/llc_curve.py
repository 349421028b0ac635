"""The curve of λ̂ as every figure draws it: band, line, and hollow points for what is doubtful."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lambdascope.reporting import style
from lambdascope.reporting.finding import INTERVAL

# A doubtful λ̂ beyond so many times the largest that converged is marked at the edge: chains that
# escaped can read thousands, and would flatten everything else.
_BEYOND, _EDGE = 1.5, 1.15

HOLLOW: dict[str, Any] = {
    "facecolor": "white",
    "edgecolor": style.LLC,
    "linewidth": 1.6,
    "clip_on": False,
}
"""How a point, or a bar, is drawn whose λ̂ has not converged."""


def draw_llc(axes: Axes, table: pd.DataFrame) -> dict[str, Any]:
    """Draw λ̂ with its 95 % band over the training step.

    Args:
        axes: Empty; its vertical axis becomes that of λ̂.
        table: One row a checkpoint: `step`, `llc`, `llc_stderr` (dimensionless), `status`. NaN is
            left out.

    Returns:
        What the legend shows, by label.
    """
    known = table[table["llc"].notna()]
    steps, sure = known["step"], known["status"] == "converged"
    half = INTERVAL * known["llc_stderr"].fillna(0.0)
    low, high = known["llc"] - half, known["llc"] + half
    edge = _edge(known, high)
    beyond = known["llc"] > edge
    band = axes.fill_between(
        steps, low.clip(upper=edge), high.clip(upper=edge), color=style.LLC, alpha=0.25, linewidth=0
    )
    (line,) = axes.plot(
        steps, known["llc"].clip(upper=edge), color=style.LLC, marker="o", markersize=5, zorder=4
    )
    line.set_clip_on(False)
    entries: dict[str, Any] = {"λ̂, 95 % band": (band, line)}
    doubtful = known[~sure & ~beyond]
    if not doubtful.empty:
        entries[doubt(doubtful)] = axes.scatter(
            doubtful["step"], doubtful["llc"], s=50, zorder=5, **HOLLOW
        )
    if beyond.any():
        off = known[beyond]
        label = f"{doubt(off)}, up to {off['llc'].max():,.0f}"
        entries[label] = axes.scatter(
            off["step"], [edge] * len(off), s=70, marker="^", zorder=5, **HOLLOW
        )
        axes.set_ylim(top=edge)
    axes.set_ylabel("Learning coefficient λ̂", color=style.LLC)
    axes.tick_params(axis="y", colors=style.LLC)
    axes.set_ylim(bottom=min(0.0, float(low[~beyond].min())) if len(known) else 0.0)
    return entries


def _edge(known: pd.DataFrame, high: pd.Series) -> float:
    """Where the axis ends: infinite unless something doubtful lies far beyond what converged."""
    sure = known["status"] == "converged"
    if not sure.any():
        return float("inf")
    largest = float(high[sure].max())
    far = known["llc"].max() > _BEYOND * largest > 0
    return _EDGE * largest if far else float("inf")


def doubt(rows: pd.DataFrame) -> str:
    """What hollow points are: their status, if all have one.

    Args:
        rows: Of llc.csv, one or more: `status`.
    """
    statuses = rows["status"].unique()
    return str(statuses[0]) if len(statuses) == 1 else "doubtful (see llc.csv)"
