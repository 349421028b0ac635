"""The figures of a sweep, from its tables: which rows, grouped how, under which names."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lambdascope.commands.sweep_curves import lines_of, means_of, runs_of, slopes_of
from lambdascope.commands.sweep_labels import (
    family_label_of,
    label_of,
    lower,
    plain,
    symbol,
    value_name,
)
from lambdascope.commands.sweep_maps import map_of
from lambdascope.commands.sweep_pooling import once_each, over_runs, pooled_over
from lambdascope.commands.sweep_table import ASYMPTOTIC, finals
from lambdascope.reporting.sweep_figure import SweepPanel, sweep_figure
from lambdascope.sweeps import FigureWish

# What exact values stand beside.
_ESTIMATES = ("llc", "llc_uncorrected")
_THEORY = ["family", "x", "exact", "label"]


def draw(
    table: pd.DataFrame,
    spectra: pd.DataFrame,
    wish: FigureWish,
    axes: Sequence[str],
    note: str,
    cells: pd.DataFrame,
) -> Figure | str:
    """A figure; or, where nothing of what it shows can be drawn yet, the reason in a sentence.

    Args:
        table: A row a cell and checkpoint.
        spectra: A row a cell, checkpoint and eigenvalue.
        wish: What is wanted.
        axes: Of the sweep.
        note: How the numbers were made, for the caption.
        cells: A row a cell of the plan, with its axes and its state, as of `cell_states`.
    """
    chosen = _chosen(table, spectra, wish)
    if chosen.empty:
        at = "" if wish.x == "step" else " at its last checkpoint"
        return f"no finished cell has {' or '.join(wish.y)}{at}"
    if wish.map_over is not None:
        return map_of(once_each(chosen, wish.y[0], wish, axes), cells, wish, axes, note)
    panels = panels_of(table, spectra, wish, axes)
    if not panels and wish.slope_over is not None:
        return f"a slope needs finished cells at two values of {wish.slope_over}"
    if not panels:
        return f"no finished cell has a place for it along {wish.x}"
    return sweep_figure(
        panels,
        x_label=label_of(wish.x),
        family_label=None if wish.family is None else family_label_of(wish.family),
        log=(wish.log_x, wish.log_y),
        stacked=len(wish.y) > 1,
        title=wish.title or _title(wish),
        caption=_caption(
            panels,
            wish,
            pooled_over(chosen, wish, axes),
            note,
            off=wish.log_x and bool((chosen[wish.x] <= 0).any()),
        ),
    )


def panels_of(
    table: pd.DataFrame, spectra: pd.DataFrame, wish: FigureWish, axes: Sequence[str]
) -> list[SweepPanel]:
    """What a figure of curves draws, a panel for each value of its axis of panels and each y.

    Args:
        table: As `draw`, and so on.
        spectra: See there.
        wish: See there; one without `map_over`.
        axes: See there.

    Returns:
        the panels that have runs; none where nothing of what they show has been measured yet.
    """
    chosen = _chosen(table, spectra, wish)
    panels = []
    for title, part in _parts(chosen, wish):
        for y in wish.y:
            placed = once_each(_placed(part, y, wish), y, wish, axes)
            if placed.empty:
                continue
            panel = _panel(placed, y, title, wish, axes)
            if len(panel.runs):  # no slopes, where there is one place each
                panels.append(panel)
    return _of_single_runs(panels)


def _of_single_runs(panels: list[SweepPanel]) -> list[SweepPanel]:
    """The panels, where every point is one run its own error in place of a spread."""
    if any(panel.means["spread"].notna().any() for panel in panels):
        return panels
    return [
        replace(panel, means=panel.means.assign(spread=panel.means["stderr"], stderr=math.nan))
        for panel in panels
    ]


def _panel(
    rows: pd.DataFrame, y: str, title: str, wish: FigureWish, axes: Sequence[str]
) -> SweepPanel:
    runs = runs_of(rows, y, wish, axes)
    y_label = label_of(y)
    if wish.slope_over is not None:
        means, runs = slopes_of(runs)
        y_label = f"Slope of {symbol(y)} in {symbol(wish.slope_over)}"
    else:
        means = means_of(runs)
    lines = lines_of(runs if wish.line else runs.iloc[:0], log=(wish.log_x, wish.log_y))
    theory = pd.DataFrame(columns=_THEORY)
    if wish.theory and y in _ESTIMATES and "exact" in rows:
        theory = _theory(rows[rows["exact"].notna()], wish, axes)
    return SweepPanel(title, y_label, means, runs, lines, theory)


def _theory(rows: pd.DataFrame, wish: FigureWish, axes: Sequence[str]) -> pd.DataFrame:
    """Exact values beside the means: family, x, exact, label, where label says what they are."""
    is_limit = pd.Series(False, index=rows.index)
    if "exact_holds" in rows:
        is_limit = rows["exact_holds"] == ASYMPTOTIC
    label = is_limit.map({False: "exact value", True: f"exact value {ASYMPTOTIC}"})
    exact = runs_of(rows, "exact", wish, axes).assign(label=label)
    means = exact.groupby(["family", "x", "label"], sort=False)["y"].mean().rename("exact")
    return means.reset_index()[_THEORY]


def _chosen(table: pd.DataFrame, spectra: pd.DataFrame, wish: FigureWish) -> pd.DataFrame:
    """Rows that a figure shows; none where nothing of it has been measured there yet."""
    rows = spectra if "eigenvalue" in wish.y else table
    if rows.empty:
        return rows
    if rows is spectra:
        rows = rows[rows["end"] == "largest"]
    # Along training every checkpoint is a point; along anything else the last one is.
    rows = rows if wish.x == "step" else finals(rows)
    # No infinity either: a figure has no place for it.
    known = [np.isfinite(rows[y].astype(float)) for y in wish.y if y in rows]
    return rows if any(one.any() for one in known) else rows.iloc[:0]


def _placed(rows: pd.DataFrame, y: str, wish: FigureWish) -> pd.DataFrame:
    """The rows that have a y and a place in the figure."""
    if not {y, wish.x, wish.family or wish.x} <= set(rows):
        return rows.iloc[:0]
    rows = rows[rows[y].notna() & rows[wish.x].notna() & rows[wish.family or wish.x].notna()]
    # The first step is 0, and so may a count be.
    return rows[rows[wish.x] > 0] if wish.log_x else rows


def _parts(rows: pd.DataFrame, wish: FigureWish) -> list[tuple[str, pd.DataFrame]]:
    """Title and rows of each panel."""
    if rows.empty or wish.panel is None:
        return [("", rows)]
    values = dict.fromkeys(rows[wish.panel].dropna())
    return [(value_name(wish.panel, one), rows[rows[wish.panel] == one]) for one in values]


def _caption(
    panels: Sequence[SweepPanel], wish: FigureWish, pooled: str, note: str, *, off: bool
) -> str:
    """How the figure was made; `off`: a logarithmic axis has no place for some of it."""
    most = max(int(panel.runs.groupby(["family", "x"]).size().max()) for panel in panels)
    doubtful = sum(int(panel.runs["doubtful"].sum()) for panel in panels)
    total = sum(len(panel.runs) for panel in panels if panel.runs["doubtful"].any())
    means = pd.concat([panel.means for panel in panels])
    if most == 1:
        parts = [f"one run a point{_its_error(panels, wish)}"]
    else:
        spread = "the slope's standard error" if wish.slope_over else "standard deviation"
        parts = [
            f"{_marks(panels)}: mean ± {spread} {over_runs(most, pooled)}",
            "faint: each run",
        ]
        if means["stderr"].notna().any():
            parts.append("thin bar: standard error of a single run")
    if wish.slope_over and (bare := int(means["spread"].isna().sum())):
        parts.append(f"{bare} of {len(means)} slopes are of two points, and have no error")
    if doubtful:
        parts.append(f"hollow: {doubtful} of {total} whose status is not 'converged'")
    shown = {panel.y_label for panel in panels}
    if wish.slope_over is None and (missing := [y for y in wish.y if label_of(y) not in shown]):
        parts.append(f"not measured yet: {', '.join(map(lower, missing))}")
    if off:
        parts.append(f"{lower(wish.x)} 0 has no place on a logarithmic axis")
    if wish.log_y and (below := sum(int((panel.runs["y"] <= 0).sum()) for panel in panels)):
        what = "value ≤ 0 has" if below == 1 else "values ≤ 0 have"
        parts.append(f"{below} {what} no place on a logarithmic axis")
    return " · ".join(filter(None, [*parts, note]))


def _marks(panels: Sequence[SweepPanel]) -> str:
    """How mean and spread are drawn: at a single x there is neither line nor band."""
    if all(panel.means.groupby("family").size().max() == 1 for panel in panels):
        return "dot and bar"
    mixed = any(panel.means["stderr"].notna().any() for panel in panels)
    return "line and band, or bar beside single runs" if mixed else "line and band"


def _its_error(panels: Sequence[SweepPanel], wish: FigureWish) -> str:
    """What is drawn about a single run, if anything is."""
    if all(panel.means["spread"].isna().all() for panel in panels):
        return ""
    mark = _marks(panels).split(" and ")[1]
    whose = "the slope's" if wish.slope_over else "its"
    return f", {mark}: {whose} standard error"


def _title(wish: FigureWish) -> str:
    if wish.slope_over is not None:
        return f"Slope of {symbol(wish.y[0])} in {symbol(wish.slope_over)}"
    return f"{', '.join(plain(y) for y in wish.y)} against {lower(wish.x)}"
