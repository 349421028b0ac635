"""A sweep's directory read for its page."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from lambdascope.commands.command_lines import arguments_of, command_line
from lambdascope.commands.report_figures import sweep_figures
from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_captions import caption_of
from lambdascope.commands.sweep_config import settings_of
from lambdascope.commands.sweep_figures import draw
from lambdascope.commands.sweep_maps import map_title
from lambdascope.commands.sweep_table import cell_states, measurements, spectra
from lambdascope.commands.systems import MODULAR_ADDITION
from lambdascope.errors import LambdascopeError
from lambdascope.reporting.page.sweep_record import SweepCell, SweepRecord
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.tables import table_text
from lambdascope.sweeps import KEPT_FILE, Cell, Outcome, state_of


def is_sweep(path: Path) -> bool:
    """Whether a directory holds a sweep's results."""
    return (path / "cells").is_dir() or (path / KEPT_FILE).is_file()


def read_sweep(path: Path) -> SweepRecord:
    """Read a sweep.

    Args:
        path: The directory of its results.

    Raises:
        LambdascopeError: The sweep's file is not beside its results, or something is broken.
    """
    file = path / KEPT_FILE
    if not file.is_file():
        raise LambdascopeError(
            f"{path} holds a sweep's cells without their file {KEPT_FILE}: `lambdascope sweep "
            "table FILE.toml --out` with this directory puts it there"
        )
    sweep = Sweep(file, path)
    plan = sweep.plan
    table, eigenvalues = measurements(plan, sweep.records), spectra(plan, sweep.records)
    return SweepRecord(
        name=path.resolve().name,
        is_sweep=True,
        axes=plan.axes,
        cells=[_cell(sweep, cell, sweep.records.get(cell)) for cell in plan.cells],
        figures=sweep_figures(table, eigenvalues, plan.figures, plan.axes),
        pictures=_maps(sweep, table, eigenvalues),
        csv=table_text(table) if len(table) else "",
        line=f"{command_line('sweep', Path('run'), [str(file), '--out', str(path)])}",
        shared=_shared(plan.cells[0], plan.axes),
        versions=_versions(sweep),
    )


def _versions(sweep: Sweep) -> dict[str, int]:
    """Under which versions the cells were recorded, and how many under each."""
    held = [sweep.records.get(cell) for cell in sweep.plan.cells]
    names = [
        "versions that were not recorded" if one.versions is None else str(one.versions)
        for one in held
        if one is not None
    ]
    return dict(Counter(names).most_common())


def _cell(sweep: Sweep, cell: Cell, outcome: Outcome | None) -> SweepCell:
    rows = [] if outcome is None else list(outcome.rows)
    last = max(rows, key=lambda row: row["step"]) if rows else {}
    run = Path("runs") / cell.key
    page = run / "report.html"
    return SweepCell(
        number=cell.number,
        name="",
        point={axis: cell.value(axis) for axis in sweep.plan.axes},
        state=state_of(outcome),
        error="" if outcome is None or outcome.error is None else outcome.error,
        last={name: math.nan if value is None else value for name, value in last.items()},
        page=page.as_posix() if (sweep.records.path / page).is_file() else "",
        lines=_lines(sweep, cell, sweep.records.path / run),
    )


def _lines(sweep: Sweep, cell: Cell, run: Path) -> list[str]:
    """Commands that make the cell a run of its own, with a page."""
    if sweep.plan.system != MODULAR_ADDITION:
        return []
    settings = settings_of(cell)
    lines = [command_line("train", run, arguments_of(settings.train))]
    if checkpoints := settings.checkpoints("llc"):
        llc = settings.llc
        if len(checkpoints) < settings.train.num_checkpoints:
            llc = llc.model_copy(update={"checkpoints": tuple(checkpoints)})
        lines.append(command_line("llc", run, arguments_of(llc)))
    if settings.checkpoints("circuits"):
        lines.append(command_line("circuits", run, arguments_of(settings.circuits)))
    if checkpoints := settings.checkpoints("hessian"):
        # The sweep takes γ and nβ from the section llc.
        llc = settings.llc
        at_default = llc.n_multiplier == llc.temp_multiplier == 1
        nbeta = llc.nbeta if at_default else settings.inverse_temperature()
        changes = {
            "localization": llc.localization,
            "nbeta": nbeta,
            "checkpoints": tuple(checkpoints),
        }
        hessian = settings.hessian.model_copy(update=changes)
        lines.append(command_line("hessian", run, arguments_of(hessian)))
    return [*lines, command_line("report", run)]


def _maps(sweep: Sweep, table: pd.DataFrame, eigenvalues: pd.DataFrame) -> dict[str, bytes]:
    """Title → PNG, drawn from the records as the page's curves are: figures/ may be older."""
    found: dict[str, bytes] = {}
    cells = cell_states(sweep.plan, sweep.records)
    for wish in sweep.plan.figures if len(table) else ():
        if wish.map_over is not None:
            note = caption_of(sweep.plan, cells, wish)
            figure = draw(table, eigenvalues, wish, sweep.plan.axes, note, cells)
            if not isinstance(figure, str):  # else nothing of it is measured yet
                title = map_title(wish)
                alone = title not in found
                found[title if alone else f"{title} ({wish.file_name})"] = png_bytes(figure)
    return found


def _shared(cell: Cell, axes: tuple[str, ...]) -> dict[str, Any]:
    """What all cells have in common, but for what is at its default."""
    shared = {}
    for section, config in cell.configs.items():
        for field, value in config:
            name = f"{section}.{field}"
            if name not in axes and value != type(config).model_fields[field].default:
                shared[name] = value
    return shared
