"""`lambdascope calibrate`: the estimator beside exact answers, as a table and a figure."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from lambdascope.calibration import calibrate as run_suite
from lambdascope.calibration import ranking_summary
from lambdascope.errors import LambdascopeError
from lambdascope.progress import Progress
from lambdascope.reporting.calibration_figure import calibration_figure
from lambdascope.reporting.calibration_text import (
    calibration_table_text,
    ranking_text,
    verdicts_text,
)
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes, make_folder
from lambdascope.runs.tables import write_table

_TABLE, _FIGURE = "calibration.csv", "calibration.png"


@dataclass(frozen=True)
class CalibrationResult:
    """How the estimator did and where it is kept.

    Attributes:
        table: One row a system, as in calibration.csv.
        ranking: One row a family of systems: how well their order came out.
        paths: Files written.
        seconds: Wall time.
    """

    table: pd.DataFrame
    ranking: pd.DataFrame
    paths: list[Path]
    seconds: float


def calibrate(
    suite: str, out: Path, *, overwrite: bool = False, progress: bool = True
) -> CalibrationResult:
    """Run a suite, write calibration.csv and calibration.png.

    Args:
        suite: quick or full.
        out: The folder to write into; it is made.
        overwrite: Replace a table that stands there.
        progress: Show a progress bar.

    Raises:
        LambdascopeError: An unknown suite, or a table stands there already.
    """
    begun = time.perf_counter()
    table_path, figure_path = out / _TABLE, out / _FIGURE
    if table_path.exists() and not overwrite:
        raise LambdascopeError(
            f"{table_path} holds a calibration: give another --out, or --overwrite to replace it"
        )
    make_folder(out)
    with Progress("calibrating", unit="case", wanted=progress) as bar:

        def report(done: int, total: int) -> None:
            bar.set_total(total)
            bar.update(done - bar.done)

        table = run_suite(suite, report=report)
    write_table(table_path, table)
    ranking = pd.DataFrame([asdict(one) for one in ranking_summary(table)])
    title = "λ\u0302 beside exact answers"
    atomic_write_bytes(figure_path, png_bytes(calibration_figure(table, title=title)))
    seconds = time.perf_counter() - begun
    return CalibrationResult(table, ranking, [table_path, figure_path], seconds)


def print_result(result: CalibrationResult) -> None:
    """The table, the ranking and where everything is, on standard output."""
    print(calibration_table_text(result.table))
    print(f"\n{verdicts_text(result.table)}\n\n{ranking_text(result.ranking)}\n")
    for path in result.paths:
        print(path)
    print(f"{result.seconds:.0f} s in all")
