"""The figures of the page of many runs: those that a sweep's file asks for, and one an axis."""

from collections.abc import Sequence

import pandas as pd

from lambdascope.commands.sweep_figures import panels_of
from lambdascope.commands.sweep_labels import family_label_of, label_of
from lambdascope.commands.sweep_pooling import pooled_over
from lambdascope.commands.sweep_table import SEEDS, finals
from lambdascope.reporting.page.sweep_record import SweepFigureRecord
from lambdascope.reporting.sweep_figure import SweepPanel
from lambdascope.sweeps import FigureWish

_QUANTITIES = (
    "llc",
    "test_loss",
    "train_loss",
    "test_accuracy",
    "train_accuracy",
    "num_circuits",
    "effective_dimension",
)
# With more values than this, an axis makes no readable family of curves.
_MOST_CURVES = 8


def sweep_figures(
    table: pd.DataFrame, spectra: pd.DataFrame, wishes: Sequence[FigureWish], axes: Sequence[str]
) -> list[SweepFigureRecord]:
    """Figures of curves, first those that were asked for, then the axes that have none yet.

    Args:
        table: A row a cell and checkpoint.
        spectra: A row a cell, checkpoint and eigenvalue.
        wishes: Of the sweep's file; maps are left out.
        axes: Names of what varies.
    """
    if table.empty:
        return []
    asked = [wish for wish in wishes if wish.map_over is None]
    figures = []
    for wish in [*asked, *_for_the_axes(table, asked, axes)]:
        figures += _records(table, spectra, wish, axes)
    return figures


def _for_the_axes(
    table: pd.DataFrame, asked: Sequence[FigureWish], axes: Sequence[str]
) -> list[FigureWish]:
    """A wish for each axis, and for training where λ̂ was estimated along it."""
    own = [axis for axis in axes if axis not in SEEDS] or list(axes)
    y = next(name for name in _QUANTITIES if _is_known(table, name))
    wishes = []
    for axis in own:
        others = [one for one in own if one != axis and table[one].nunique() in _curves()]
        wishes.append(FigureWish(x=axis, y=(y,), family=others[0] if others else None))
    if _is_known(table, "llc") and table[table["llc"].notna()]["cell"].duplicated().any():
        families = [one for one in own if table[one].nunique() in _curves()]
        wishes.append(FigureWish(x="step", family=families[0] if families else None))
    drawn = {wish.x for wish in asked}
    return [wish for wish in wishes if wish.x not in drawn]


def _curves() -> range:
    return range(2, _MOST_CURVES + 1)


def _records(
    table: pd.DataFrame, spectra: pd.DataFrame, wish: FigureWish, axes: Sequence[str]
) -> list[SweepFigureRecord]:
    """One record for each panel, each with every quantity that can be shown in it."""
    # Spectra and slopes are quantities of their own kind.
    is_open = "eigenvalue" not in wish.y and wish.slope_over is None
    more = [name for name in _QUANTITIES if name not in wish.y and _is_known(table, name)]
    # All measurements have the same cells at their last checkpoint; spectra have rows of their own.
    shown = spectra if "eigenvalue" in wish.y else table
    shown = shown if wish.x == "step" else finals(shown)
    pooled: dict[str, str] = {}
    by_title: dict[str, dict[str, SweepPanel]] = {}
    for name in [*wish.y, *(more if is_open else [])]:
        single = wish.model_copy(update={"y": (name,)})
        pooled[name] = pooled_over(shown, single, axes)
        for panel in panels_of(table, spectra, single, axes):
            by_title.setdefault(panel.title, {})[name] = panel
    return [
        SweepFigureRecord(
            title=title,
            x_label=label_of(wish.x),
            family_label=None if wish.family is None else family_label_of(wish.family),
            quantities=panels,
            over_seeds=wish.x in SEEDS,
            log=(wish.log_x, wish.log_y),
            pooled=pooled,
            is_slope=wish.slope_over is not None,
        )
        for title, panels in by_title.items()
    ]


def _is_known(table: pd.DataFrame, name: str) -> bool:
    return name in table and bool(table[name].notna().any())
