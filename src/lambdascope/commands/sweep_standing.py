"""How a sweep stands: what `lambdascope sweep` says, as objects, and in print."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_estimate import Estimate
from lambdascope.commands.sweep_table import doubts, measurements, summary_text

_MOST_LINES = 20


@dataclass(frozen=True)
class SweepStatus:
    """How many cells there are of each kind.

    Attributes:
        path: Directory of the results.
        total: All cells.
        finished: Those that stand.
        missing: Those to be worked out.
        failed: Cell → its error.
        doubtful: Cell whose λ̂ is not "converged" → its status, and what to try.
    """

    path: Path
    total: int
    finished: int
    missing: int
    failed: dict[str, str]
    doubtful: dict[str, str]


@dataclass(frozen=True)
class SweepPreview:
    """What a run would do.

    Attributes:
        cells: Cell → "finished", "failed" or "missing".
        failed: Cell → its error.
        missing: How many would be worked out: those without an outcome, and the failed ones if
            those were to be tried again.
        estimate: What these will take.
        retry_failed: Whether they were.
        retry_estimate: What a run would take that tries the failed ones again.
    """

    cells: dict[str, str]
    failed: dict[str, str]
    missing: int
    estimate: Estimate
    retry_failed: bool
    retry_estimate: Estimate


@dataclass(frozen=True)
class SweepResult:
    """What stands.

    Attributes:
        status: How many cells do.
        table: As in sweep.csv: one row a finished cell and checkpoint.
        summary: Means over seeds at the last checkpoint, as text.
        paths: Files written.
        not_drawn: Figure → why it could not be drawn yet.
    """

    status: SweepStatus
    table: pd.DataFrame
    summary: str
    paths: list[Path]
    not_drawn: dict[str, str]


def status_of(sweep: Sweep) -> SweepStatus:
    """Count the cells."""
    failed, total = {str(cell): error for cell, error in sweep.failed()}, len(sweep.plan.cells)
    missing = len(sweep.missing())
    finished = total - missing - len(failed)
    doubtful = {
        cell: said
        for cell, said in doubts(sweep.plan, measurements(sweep.plan, sweep.records)).items()
        if cell not in failed
    }
    return SweepStatus(sweep.records.path, total, finished, missing, failed, doubtful)


def preview_of(sweep: Sweep, *, retry_failed: bool = False) -> SweepPreview:
    """List the cells, and estimate what the missing ones will take."""
    missing = {cell.number for cell in sweep.missing()}
    failed = {str(cell): error for cell, error in sweep.failed()}
    cells = {
        str(cell): "missing" if cell.number in missing else "finished" for cell in sweep.plan.cells
    } | dict.fromkeys(failed, "failed")
    again = sweep.estimate(retry_failed=True)
    return SweepPreview(
        cells,
        failed,
        len(missing) + (len(failed) if retry_failed else 0),
        again if retry_failed else sweep.estimate(),
        retry_failed,
        again,
    )


def result_of(sweep: Sweep, table: pd.DataFrame) -> SweepResult:
    """The table that was written, with a summary and the paths."""
    summary = summary_text(sweep.plan, table) if len(table) else ""
    return SweepResult(status_of(sweep), table, summary, sweep.paths(), sweep.not_drawn)


def print_preview(preview: SweepPreview) -> None:
    """Every cell, whether it stands, and what the rest will take, on standard output."""
    for cell, state in preview.cells.items():
        print(cell + {"finished": ": stands", "missing": ""}.get(state, f": {state}"), end="")
        print(f": {preview.failed[cell]}" if cell in preview.failed else "")
    total, count = len(preview.cells), len(preview.failed)
    print(f"\n{preview.missing} of {total} cells to work out: {preview.estimate}")
    if count and preview.retry_failed:
        print(f"{count} of them failed before and are tried again")
    elif count:
        more = preview.missing + count
        print(
            f"{count} failed and stay as they are; --retry-failed works on them again, {more} of "
            f"{total} cells in all: {preview.retry_estimate}"
        )


def print_status(status: SweepStatus) -> None:
    """How many cells stand, failed and are missing, the failures' errors, and doubtful λ̂."""
    _print_counts(status)
    if status.doubtful:
        print(f"  λ̂ is not 'converged' in {len(status.doubtful)} cells:")
    _print_first(f"{cell}: {said}" for cell, said in status.doubtful.items())


def _print_counts(status: SweepStatus) -> None:
    print(
        f"{status.path}: {status.finished} of {status.total} cells finished, "
        f"{len(status.failed)} failed, {status.missing} missing"
    )
    _print_first(f"{cell} failed: {error}" for cell, error in status.failed.items())
    if status.failed:
        print("  `lambdascope sweep run --retry-failed` tries them again")


def _print_first(lines: Iterable[str]) -> None:
    """So many lines as a reader can take in, and how many more there are."""
    lines = list(lines)
    for line in lines[:_MOST_LINES]:
        print(f"  {line}")
    if (more := len(lines) - _MOST_LINES) > 0:
        print(f"  … and {more:,} more; --json lists them all")


def print_result(result: SweepResult) -> None:
    """The summary over seeds, the failures, and where everything is."""
    if result.summary:
        print(result.summary, end="\n\n")
    _print_counts(result.status)
    for name, reason in result.not_drawn.items():
        print(f"  {name} is not drawn: {reason}")
    for path in result.paths:
        print(path)
