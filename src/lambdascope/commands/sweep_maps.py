"""A sweep's maps, from its tables: the fields of the plan, those that failed among them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from lambdascope.commands.sweep_curves import doubtful_of
from lambdascope.commands.sweep_labels import label_of, lower, plain, value_name
from lambdascope.commands.sweep_pooling import over_runs, pooled_over
from lambdascope.reporting.sweep_map import sweep_map
from lambdascope.sweeps import FigureWish

_PLACE = ["panel", "x", "y"]


def map_of(
    rows: pd.DataFrame, cells: pd.DataFrame, wish: FigureWish, axes: Sequence[str], note: str
) -> Figure:
    """Draw a map.

    Rows and columns are those of the plan, so that where nothing could be measured there is a
    field as well: where an estimate diverges may be what a search is for.

    Args:
        rows: What it shows, of finished cells: a row a cell, or a cell and checkpoint.
        cells: A row a cell of the plan: `cell`, its axes, `state`.
        wish: With `map_over`.
        axes: Of the sweep.
        note: How the numbers were made, for the caption.
    """
    y = wish.y[0]
    fields = fields_of(rows, cells, wish)
    most = int(fields["finished"].max())
    empty = fields["value"].isna() & (fields["failed"] == 0)
    crossed = fields["value"].isna() & (fields["failed"] > 0)
    parts = [
        f"means {over_runs(most, pooled_over(rows, wish, axes))}" if most > 1 else "",
        "hatched: a run whose status is not 'converged'" if fields["doubtful"].any() else "",
        "×: failed" if crossed.any() else "",
        "–: nothing measured yet" if empty.any() else "",
        note,
    ]
    return sweep_map(
        fields,
        columns=_values(wish.x, rows, cells),
        rows=_values(str(wish.map_over), rows, cells),
        x_label=label_of(wish.x),
        y_label=label_of(str(wish.map_over)),
        value_label=label_of(y),
        panels=_panels(rows, cells, wish),
        title=map_title(wish),
        caption=" · ".join(filter(None, parts)),
    )


def map_title(wish: FigureWish) -> str:
    """What a map shows."""
    over = f"{lower(wish.x)} and {lower(str(wish.map_over))}"
    return wish.title or f"{plain(wish.y[0])} over {over}"


def fields_of(rows: pd.DataFrame, cells: pd.DataFrame, wish: FigureWish) -> pd.DataFrame:
    """The fields of a map; arguments as above.

    Returns:
        panel, x, y, value (mean over its runs; NaN without any), doubtful (whether a run is),
        finished and failed (how many runs are). A cell that is not finished has no field where
        the map's axis is something measured.
    """
    # A cell that failed in another part has its value here.
    whole = cells[cells["state"] == "finished"]["cell"]
    rows = rows[rows[wish.y[0]].notna() | rows["cell"].isin(whole)]
    finished = _fields(rows, wish, rows[wish.y[0]].astype(float), doubtful_of(rows, wish.y[0]))
    finished = finished.assign(finished=1, failed=0)
    others = cells[(cells["state"] != "finished") & ~cells["cell"].isin(rows["cell"])]
    if wish.x == "step":  # nothing is known of them at any step that others have
        steps = pd.DataFrame({"step": sorted(set(rows["step"]))})
        others = others.merge(steps, how="cross")
    if len(others) and {wish.x, wish.map_over, wish.panel or wish.x} <= set(others):
        failed = (others["state"] == "failed").astype(int)
        unknown = _fields(
            others, wish, pd.Series(float("nan"), others.index), pd.Series(False, others.index)
        )
        finished = pd.concat(
            [finished, unknown.assign(finished=0, failed=failed)], ignore_index=True
        )
    return (
        finished.groupby(_PLACE, sort=False)
        .agg(
            value=("value", "mean"),
            doubtful=("doubtful", "any"),
            finished=("finished", "sum"),
            failed=("failed", "sum"),
        )
        .reset_index()
    )


def _fields(
    rows: pd.DataFrame, wish: FigureWish, value: pd.Series, doubtful: pd.Series
) -> pd.DataFrame:
    panel = "" if wish.panel is None else [value_name(wish.panel, v) for v in rows[wish.panel]]
    places = {"panel": panel, "x": rows[wish.x], "y": rows[str(wish.map_over)]}
    return pd.DataFrame({**places, "value": value, "doubtful": doubtful})


def _panels(rows: pd.DataFrame, cells: pd.DataFrame, wish: FigureWish) -> list[str]:
    if wish.panel is None:
        return [""]
    source = cells if wish.panel in cells else rows
    return [value_name(wish.panel, one) for one in dict.fromkeys(source[wish.panel].dropna())]


def _values(name: str, rows: pd.DataFrame, cells: pd.DataFrame) -> Sequence[Any]:
    """The values along one side of a map: numbers in their order, names in the plan's."""
    values = (cells if name in cells else rows)[name].dropna()
    distinct = list(dict.fromkeys(values))
    return sorted(distinct) if pd.api.types.is_numeric_dtype(values) else distinct
