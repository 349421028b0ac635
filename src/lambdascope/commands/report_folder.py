"""A folder with a run in each of its own, as `lambdascope train --seeds` makes it, for its page."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from lambdascope.commands.command_lines import command_line
from lambdascope.commands.report_estimates import differing_settings, why_not_averaged
from lambdascope.commands.report_figures import sweep_figures
from lambdascope.commands.report_tables import checked_table
from lambdascope.commands.training_record import diverged_before, is_finished
from lambdascope.reporting.page.sweep_record import SweepCell, SweepRecord
from lambdascope.reporting.run_finding import divergence_clause
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.tables import table_text

_ESTIMATE = ("llc", "llc_stderr", "rhat", "ess", "status")


def is_folder_of_runs(path: Path) -> bool:
    """Whether there is a run in a folder of this one."""
    return any(path.glob("*/config.json"))


def read_folder(path: Path) -> SweepRecord:
    """Read all runs in a folder.

    Args:
        path: The folder.

    Raises:
        LambdascopeError: A run in it is broken.
    """
    folders = sorted((one.parent for one in path.glob("*/config.json")), key=_by_number)
    runs = [RunDirectory.open(folder) for folder in folders]
    # The same names as in a sweep's file.
    settings = [{f"train.{name}": value for name, value in run.config.items()} for run in runs]
    axes, shared = _axes(settings)
    estimates = {run.path: _estimates(run) for run in runs}
    tables = [_measurements(run, estimates[run.path]) for run in runs]
    differing = differing_settings(estimates)
    for run, one in zip(runs, settings, strict=True):
        one.update({f"llc.{name}": values.get(run.path) for name, values in differing.items()})
    columns = [*axes, *(f"llc.{name}" for name in differing)]
    rows = [
        table.assign(
            cell=number, run=run.path.name, **{name: settings[number][name] for name in columns}
        )
        for number, (run, table) in enumerate(zip(runs, tables, strict=True))
        if len(table)
    ]
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    # λ̂ of different posteriors has no mean: it stays in the table, run by run.
    drawn = whole.drop(columns=[*_ESTIMATE], errors="ignore") if differing else whole
    return SweepRecord(
        name=path.resolve().name,
        is_sweep=False,
        axes=columns,
        cells=[
            _cell(number, run, {name: settings[number][name] for name in columns}, table)
            for number, (run, table) in enumerate(zip(runs, tables, strict=True))
        ],
        figures=sweep_figures(drawn, pd.DataFrame(), [], axes or ["run"]),
        pictures={},
        csv=table_text(whole) if len(whole) else "",
        line="",
        shared=shared,
        note=why_not_averaged(differing) if differing else _of_what(estimates),
    )


def _of_what(estimates: Mapping[Path, pd.DataFrame]) -> str:
    """Which runs have λ̂, where not all do, and of what it is, where not of all parameters."""
    known = [table for table in estimates.values() if len(table)]
    if not known:
        return ""
    parts = [] if len(known) == len(estimates) else [f"of {len(known)} of {len(estimates)} runs"]
    parameters = str(known[0]["parameters"].iloc[0])
    if parameters != "all":
        parts.append(f"of the parameters {parameters.replace(',', ', ')} alone")
    return f"λ̂ is {', and '.join(parts)}." if parts else ""


def _by_number(folder: Path) -> list[tuple[int, str]]:
    """seed_2 before seed_10."""
    parts = re.split(r"(\d+)", folder.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _axes(settings: Sequence[dict[str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """Settings in which runs differ, and those that all share."""
    names = dict.fromkeys(name for one in settings for name in one)
    axes = [name for name in names if any(s.get(name) != settings[0].get(name) for s in settings)]
    shared = {name: settings[0][name] for name in names if name not in axes}
    return axes, shared


def _estimates(run: RunDirectory) -> pd.DataFrame:
    """The table of λ̂; empty where there is none, or it is not of a finished training."""
    path = run.path / "llc.csv"
    return checked_table(path) if is_finished(run) and path.is_file() else pd.DataFrame()


def _measurements(run: RunDirectory, estimates: pd.DataFrame) -> pd.DataFrame:
    """Losses and accuracies at each checkpoint, with λ̂ where it was estimated."""
    if not is_finished(run):
        return pd.DataFrame()
    table = checked_table(run.path / "training.csv")
    if len(estimates):
        table = table.merge(estimates[["checkpoint", *_ESTIMATE]], on="checkpoint", how="left")
    return table


def _cell(number: int, run: RunDirectory, point: dict[str, Any], table: pd.DataFrame) -> SweepCell:
    diverged = diverged_before(run)
    state = "failed" if diverged is not None else "finished" if len(table) else "missing"
    last = table.iloc[-1].to_dict() if len(table) else {}
    name = run.path.name
    has_page = (run.path / "report.html").is_file()
    return SweepCell(
        number=number,
        name=name,
        point=point,
        state=state,
        error="" if diverged is None else divergence_clause(diverged),
        last={key: math.nan if value is None else value for key, value in last.items()},
        page=f"{quote(name)}/report.html" if has_page else "",
        lines=[command_line("report", run.path)],
    )
