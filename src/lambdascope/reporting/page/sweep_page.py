"""The page of a sweep, or of a folder of runs."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lambdascope.reporting.page.html import page, picture
from lambdascope.reporting.page.payload import rounded
from lambdascope.reporting.page.run_page import Verdict
from lambdascope.reporting.page.sweep_record import (
    SweepCell,
    SweepFigureRecord,
    SweepRecord,
)
from lambdascope.reporting.page.table import Column, PageTable, page_table
from lambdascope.reporting.sweep_figure import SweepPanel
from lambdascope.wording import NORMAL_95, number, with_error

_SCRIPTS = ("page.js", "tables.js", "sweep_charts.js")


def sweep_finding(record: SweepRecord) -> str:
    """How much stands, and how λ̂ (or what is drawn first) moves along the first axis.

    Args:
        record: The sweep.
    """
    what = "cell" if record.is_sweep else "run"
    total, done = len(record.cells), len(_in_state(record, "finished"))
    said = f"{'All' if done == total else f'{done} of'} {total} {what}s are finished"
    if total == 1:
        said = f"The one {what} is {'finished' if done else 'not finished'}"
    for state in ("failed", "missing"):
        if count := len(_in_state(record, state)):
            said += f", {count} {'failed' if state == 'failed' else 'still to come'}"
    if record.figures and (clause := _trend(record.figures[0])):
        said += f"; {clause}{_doubt(record)}"
    said += "."
    return f"{said} {record.note}" if record.note else said


def sweep_page(record: SweepRecord) -> str:
    """The page as HTML.

    Args:
        record: The sweep.
    """
    values: dict[str, Any] = {
        "record": record,
        "finding": sweep_finding(record),
        "verdicts": _verdicts(record),
        "table": _cells_table(record),
        "failed": _failed_table(record) if _in_state(record, "failed") else None,
        "pictures": {title: picture(png) for title, png in record.pictures.items()},
    }
    payload = {"kind": "sweep", "figures": [_figure(one) for one in record.figures]}
    return page("sweep.html", payload, _SCRIPTS, values)


def _in_state(record: SweepRecord, state: str) -> list[SweepCell]:
    return [cell for cell in record.cells if cell.state == state]


def _verdicts(record: SweepRecord) -> list[Verdict]:
    failed, missing = _in_state(record, "failed"), _in_state(record, "missing")
    verdicts = [
        Verdict("warn", f"{len(failed)} failed") if failed else Verdict("good", "no failures")
    ]
    if missing:
        verdicts.append(Verdict("", f"{len(missing)} still to come"))
    if stati := _stati(record):
        good = stati.count("converged")
        whole = f"all {good}" if good == len(stati) else f"{good} of {len(stati)}"
        mark = "good" if good == len(stati) else "warn"
        said = f"{whole} final estimates of λ̂ converged"
        if len(stati) == 1:
            said = f"the one final estimate of λ̂{'' if good else ' has not'} converged"
        verdicts.append(Verdict(mark, said))
    return verdicts


def _stati(record: SweepRecord) -> list[str]:
    """The verdicts on λ̂ at the last checkpoint."""
    return [c.last["status"] for c in record.cells if isinstance(c.last.get("status"), str)]


def _doubt(record: SweepRecord) -> str:
    """How many of the estimates in the first figure converged; nothing where all did."""
    figure = record.figures[0]
    doubtful = next(iter(figure.quantities.values())).runs["doubtful"].astype(bool)
    if not doubtful.any():
        return ""
    good, total = int((~doubtful).sum()), len(doubtful)
    if figure.is_slope:  # each run is a slope of several estimates
        good, total = _stati(record).count("converged"), len(_stati(record))
    said = "none" if good == 0 else f"only {good}" if good < total / 2 else str(good)
    return f"; {said} of {total} estimates converged"


def _trend(figure: SweepFigureRecord) -> str:
    """The runs' mean over seeds; else the ends of a single curve, or the extremes of several."""
    curves = next(iter(figure.quantities.values()))
    means, runs = curves.means.reset_index(drop=True), curves.runs
    what = _lower(curves.y_label)
    if figure.over_seeds:
        if len(runs) == 1:
            own = "" if means["spread"].isna().all() else " (± one standard error)"
            return f"{what} is {_mean(means.iloc[0])} in the one run that has it{own}"
        spread = with_error(runs["y"].mean(), runs["y"].std())
        return f"{what} is {spread} over {len(runs)} runs (± standard deviation)"
    if len(means) < 2:
        return ""
    several = runs.groupby(["family", "x"]).size().max() > 1
    if several:
        over = figure.pooled.get(next(iter(figure.quantities)), "")
        what = f"mean {what}, over {over}," if over else f"mean {what}"
    errors = ""
    if means["spread"].notna().any():
        whose = "the slope's standard error" if figure.is_slope else "one standard error"
        errors = f" (± {'standard deviation over runs' if several else whose})"
    x_label = _lower(figure.x_label)
    if means["family"].nunique() == 1 and pd.api.types.is_numeric_dtype(means["x"]):
        first, last = means.iloc[0], means.iloc[-1]
        return (
            f"{what} goes from {_mean(first)} at {x_label} {_value(first['x'])} to {_mean(last)} "
            f"at {_value(last['x'])}{errors}"
        )
    high, low = means.loc[means["mean"].idxmax()], means.loc[means["mean"].idxmin()]
    if high["mean"] == low["mean"]:
        return f"{what} is {_mean(high)} everywhere{errors}"
    return (
        f"{what} is largest, {_mean(high)}, at {_where(figure, high)}, and smallest, "
        f"{_mean(low)}, at {_where(figure, low)}{errors}"
    )


def _lower(label: str) -> str:
    """An axis's name within a sentence, without its unit."""
    name = label.split(" (")[0]
    return name[0].lower() + name[1:]


def _where(figure: SweepFigureRecord, row: pd.Series) -> str:
    family = "" if figure.family_label is None else f", {_family_name(figure, row['family'])}"
    return f"{_lower(figure.x_label)} {_value(row['x'])}{family}"


def _family_name(figure: SweepFigureRecord, family: Any) -> str:
    return f"{figure.family_label or ''} {_value(family)}".strip()


def _mean(row: pd.Series) -> str:
    spread = float(row["spread"])
    return number(float(row["mean"])) if math.isnan(spread) else with_error(row["mean"], spread)


def _cells_table(record: SweepRecord) -> PageTable:
    what = "Cell" if record.is_sweep else "Run"
    columns = [
        Column(what, lambda r: str(r.number), lambda r: r.number)
        if record.is_sweep
        else Column(what, lambda r: r.name, text=True)
    ]
    columns += [_axis(name) for name in record.axes]
    columns.append(
        Column("State", lambda r: r.state, text=True, verdict=lambda r: bool(r.state == "finished"))
    )
    known = {name for cell in record.cells for name, value in cell.last.items() if _is_known(value)}
    if "llc" in known:
        columns.append(
            Column(
                "λ̂ ± 95 %",
                lambda r: (
                    with_error(r.last["llc"], NORMAL_95 * r.last.get("llc_stderr", math.nan))
                    if _is_known(r.last.get("llc"))
                    else "–"
                ),
                lambda r: _number_of(r.last.get("llc")),
            )
        )
    for name, header in (
        ("train_loss", "Train loss (nats)"),
        ("test_loss", "Test loss (nats)"),
        ("test_accuracy", "Test accuracy"),
        ("num_circuits", "Circuits"),
    ):
        if name in known:
            columns.append(_measured(name, header))
    if "status" in known:
        columns.append(
            Column("Verdict on λ̂", lambda r: str(r.last.get("status") or "–"), text=True)
        )
    columns.append(
        Column("Page", lambda _: "", text=True, link=lambda r: r.page, lines=lambda r: r.lines)
    )
    rows = pd.DataFrame([vars(cell) for cell in record.cells], dtype=object)
    return page_table(
        "cells",
        "Cells" if record.is_sweep else "Runs",
        "At the last checkpoint. A header sorts the table."
        + (
            " A cell keeps what was measured; the commands make it a run, with checkpoints and a "
            "page of its own."
            if record.is_sweep
            else ""
        ),
        columns,
        rows,
        file="sweep.csv" if record.is_sweep and record.csv else "runs.csv" if record.csv else "",
        text=record.csv,
    )


def _failed_table(record: SweepRecord) -> PageTable:
    rows = pd.DataFrame([vars(cell) for cell in _in_state(record, "failed")], dtype=object)
    columns = [
        Column("Cell", lambda r: str(r.number), lambda r: r.number),
        *(_axis(name) for name in record.axes),
        Column("Why", lambda r: r.error, text=True, long=True),
    ]
    return page_table("failed", "What failed, and why", "", columns, rows)


def _axis(name: str) -> Column:
    def value(row: Any) -> Any:
        return row.point.get(name)

    return Column(name, lambda r: _value(value(r)), lambda r: _number_of(value(r)))


def _measured(name: str, header: str) -> Column:
    return Column(
        header,
        lambda r: number(r.last[name]) if _is_known(r.last.get(name)) else "–",
        lambda r: _number_of(r.last.get(name)),
    )


def _is_known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _number_of(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return math.nan
    return float(value)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else str(value)


def _figure(figure: SweepFigureRecord) -> dict[str, Any]:
    xs = list(dict.fromkeys(x for q in figure.quantities.values() for x in q.means["x"].tolist()))
    numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in xs)
    return {
        "xLabel": figure.x_label,
        "numeric": numeric,
        "log": list(figure.log),
        "quantities": [
            {
                "name": name,
                "pooled": figure.pooled.get(name, ""),
                **_curves(figure, curves, numeric),
            }
            for name, curves in figure.quantities.items()
        ],
    }


def _curves(figure: SweepFigureRecord, curves: SweepPanel, numeric: bool) -> dict[str, Any]:
    families = list(dict.fromkeys(curves.means["family"].tolist()))
    return {
        "label": curves.y_label,
        "families": [
            {
                "name": "" if figure.family_label is None else _family_name(figure, family),
                **_family(curves, family, numeric),
            }
            for family in families
        ],
    }


def _family(curves: SweepPanel, family: Any, numeric: bool) -> dict[str, Any]:
    means = curves.means[curves.means["family"] == family]
    runs = curves.runs[curves.runs["family"] == family]
    lines = curves.lines[curves.lines["family"] == family]
    theory = curves.theory[curves.theory["family"] == family]
    return {
        "x": _places(means["x"], numeric),
        "mean": rounded(means["mean"].to_numpy(float)),
        "spread": rounded(means["spread"].to_numpy(float)),
        "stderr": rounded(means["stderr"].to_numpy(float)),
        "runs": [
            {
                "name": str(name),
                "x": _places(own["x"], numeric),
                "y": rounded(own["y"].to_numpy(float)),
                "doubtful": [bool(one) for one in own["doubtful"]],
            }
            for name, own in runs.groupby("run", sort=False)
        ],
        "lines": [
            {
                "x": rounded(line["x"].tolist(), 6),
                "y": rounded(line["y"].tolist(), 6),
                "label": label,
            }
            for label, line in lines.groupby("label", sort=False)
        ],
        "exact": {
            "x": _places(theory["x"], numeric),
            "y": rounded(theory["exact"].to_numpy(float)),
            "label": ", ".join(dict.fromkeys(theory["label"])),
        },
    }


def _places(values: Sequence[Any] | pd.Series, numeric: bool) -> list[Any]:
    return [rounded(x, 6) if numeric else _value(x) for x in list(values)]
