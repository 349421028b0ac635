"""The curve of λ̂ as every figure draws it: joined where neighbours stand, hollow where doubtful."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lambdascope.reporting import style
from lambdascope.wording import NORMAL_95, SOUND_STATI

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


def stretches(checkpoints: Sequence[int]) -> list[tuple[int, int]]:
    """Rows of checkpoints that follow each other, with none of the run's left out in between.

    A line within a stretch joins neighbours; across a gap it would say what nobody has estimated.

    Args:
        checkpoints: Their numbers in the run, ascending.

    Returns:
        First row and one past the last of each stretch, in order.
    """
    numbers = list(checkpoints)
    starts = [i for i, one in enumerate(numbers) if i == 0 or one != numbers[i - 1] + 1]
    return list(zip(starts, [*starts[1:], len(numbers)], strict=True)) if numbers else []


def draw_llc(axes: Axes, table: pd.DataFrame) -> dict[str, Any]:
    """Draw λ̂ with its 95 % interval over the training step.

    Checkpoints that follow each other are joined by a line in a band; one whose neighbours in the
    run were not estimated stands alone, with an error bar.

    Args:
        axes: Empty; its vertical axis becomes that of λ̂.
        table: One row a checkpoint, in order: `checkpoint`, its number in the run, `step`, `llc`,
            `llc_stderr` (dimensionless), `status`. NaN is left out.

    Returns:
        What the legend shows, by label.
    """
    known = table[table["llc"].notna()]
    half = NORMAL_95 * known["llc_stderr"].fillna(0.0)
    low, high = known["llc"] - half, known["llc"] + half
    edge = _edge(known, high)
    sure, beyond = known["status"].isin(SOUND_STATI), known["llc"] > edge
    curve = pd.DataFrame({"step": known["step"], "llc": known["llc"], "low": low, "high": high})
    curve[["llc", "low", "high"]] = curve[["llc", "low", "high"]].clip(upper=edge)
    joined, alone = None, None
    for first, end in stretches(table["checkpoint"].tolist()):
        part = curve.loc[curve.index.intersection(table.index[first:end])]
        if end - first > 1:
            joined = _band_and_line(axes, part)
        elif not part.empty:
            alone = _error_bar(axes, part)
    entries: dict[str, Any] = {}
    if joined is not None:
        entries["λ̂, 95 % band"] = joined
    if alone is not None:
        entries["λ̂, 95 % interval"] = alone
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


def _band_and_line(axes: Axes, part: pd.DataFrame) -> Any:
    band = axes.fill_between(
        part["step"], part["low"], part["high"], color=style.LLC, alpha=0.25, linewidth=0
    )
    (line,) = axes.plot(
        part["step"], part["llc"], color=style.LLC, marker="o", markersize=5, zorder=4
    )
    line.set_clip_on(False)
    return band, line


def _error_bar(axes: Axes, part: pd.DataFrame) -> Any:
    return axes.errorbar(
        part["step"],
        part["llc"],
        [part["llc"] - part["low"], part["high"] - part["llc"]],
        color=style.LLC,
        fmt="o",
        markersize=5,
        capsize=3,
        zorder=4,
        clip_on=False,
    )


def _edge(known: pd.DataFrame, high: pd.Series) -> float:
    """Where the axis ends: infinite unless something doubtful lies far beyond what converged."""
    sure = known["status"].isin(SOUND_STATI)
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
