"""`lambdascope sweep`: run a sweep's file, and tabulate and draw what stands of it."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.sweep_cells import batches_of, check_cells, work_on
from lambdascope.commands.sweep_config import SECTIONS
from lambdascope.commands.sweep_estimate import Estimate, estimate_of
from lambdascope.commands.sweep_table import figure_tables, measurements
from lambdascope.errors import LambdascopeError
from lambdascope.reporting.style import png_bytes
from lambdascope.reporting.sweep_figure import sweep_figure
from lambdascope.runs.files import atomic_write_bytes, make_folder
from lambdascope.runs.tables import write_table
from lambdascope.sweeps import (
    Cell,
    CellRecords,
    Engine,
    FigureWish,
    LocalEngine,
    Outcome,
    ProcessEngine,
    SweepPlan,
    read_plan,
)

_TABLE = "sweep.csv"
_LABELS = {
    "llc": "Learning coefficient λ̂",
    "train_loss": "Train loss (nats)",
    "test_loss": "Test loss (nats)",
    "train_accuracy": "Train accuracy (share)",
    "test_accuracy": "Test accuracy (share)",
    "step": "Training step",
}


class Sweep:
    """A sweep's file beside the directory of its results.

    Args:
        file: The TOML file.
        out: The directory; None takes the file's name without its suffix, under runs/.

    Raises:
        LambdascopeError: what `read_plan` refuses, and settings of a cell that do not fit together.
    """

    def __init__(self, file: Path, out: Path | None = None) -> None:
        self.plan: SweepPlan = read_plan(Path(file), SECTIONS)
        check_cells(self.plan.cells, [wish.y for wish in self.plan.figures])
        self.records = CellRecords(out or Path("runs") / Path(file).stem)

    def run(
        self,
        engine: str = "local",
        workers: int | None = None,
        *,
        retry_failed: bool = False,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Work out the cells that are missing, write the table and draw the figures.

        Each cell is recorded as it comes; interrupted, the same call goes on with the rest.

        Args:
            engine: local or processes.
            workers: Processes; None takes one a core.
            retry_failed: Work on failed cells again.
            progress: Show a bar over the cells.

        Returns:
            The table, as in sweep.csv.

        Raises:
            LambdascopeError: The directory is held by another process, or can't be written.
        """
        worker = _engine(engine, workers)
        with self.records.held(worker.name):
            missing = self.missing(retry_failed=retry_failed)
            with tqdm(
                total=len(self.plan.cells),
                initial=len(self.plan.cells) - len(missing),
                desc="sweep",
                unit="cell",
                disable=None if progress else True,
            ) as bar:
                for batch, outcomes in worker.outcomes(batches_of(missing), work_on):
                    for cell, outcome in zip(batch, outcomes, strict=True):
                        self.records.put(cell, outcome)
                        if outcome.error is not None:
                            bar.write(f"{cell} failed: {outcome.error}")
                    bar.update(len(batch))
            return self.draw()

    def missing(self, *, retry_failed: bool = False) -> list[Cell]:
        """The cells that have no outcome yet; with `retry_failed`, the failed ones too."""
        held = {cell.number: self.records.get(cell) for cell in self.plan.cells}
        return [cell for cell in self.plan.cells if _is_open(held[cell.number], retry_failed)]

    def failed(self) -> list[tuple[Cell, str]]:
        """The cells that failed, and why."""
        found = [(cell, self.records.get(cell)) for cell in self.plan.cells]
        return [(cell, one.error) for cell, one in found if one is not None and one.error]

    def table(self) -> pd.DataFrame:
        """Write sweep.csv from what stands; a row for each finished cell and checkpoint."""
        table = measurements(self.plan, self.records)
        if len(table):
            make_folder(self.records.path)
            write_table(self.records.path / _TABLE, table)
        return table

    def draw(self) -> pd.DataFrame:
        """Write sweep.csv and the figures from what stands; returns the table."""
        table = self.table()
        if len(table):
            for wish in self.plan.figures:
                if table[wish.y].isna().all():  # its cells failed, or are still missing
                    continue
                path = self.records.path / "figures" / wish.file_name
                make_folder(path.parent)
                atomic_write_bytes(path, _figure(table, wish, self.plan))
        return table

    def estimate(self) -> Estimate:
        """What the missing cells will take."""
        return estimate_of(batches_of(self.missing()))

    def paths(self) -> list[Path]:
        """The files that `draw` writes."""
        names = [_TABLE, *(f"figures/{wish.file_name}" for wish in self.plan.figures)]
        return [self.records.path / name for name in names if (self.records.path / name).exists()]


def share_cores(num_workers: int) -> None:
    """In a worker: take this worker's share of the cores."""
    torch.set_num_threads(max(1, _cores() // num_workers))


class _ShareCores:
    """`share_cores` as a callable that another process can import."""

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers

    def __call__(self) -> None:
        share_cores(self.num_workers)


def _engine(name: str, workers: int | None) -> Engine:
    if name == "local":
        if workers is not None:
            raise LambdascopeError(
                f"workers={workers}: the local engine has none; give --engine processes"
            )
        return LocalEngine()
    count = workers if workers is not None else _cores()
    return ProcessEngine(count, _ShareCores(count))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _is_open(outcome: Outcome | None, retry_failed: bool) -> bool:
    return outcome is None or (retry_failed and outcome.error is not None)


def _figure(table: pd.DataFrame, wish: FigureWish, plan: SweepPlan) -> bytes:
    means, runs, lines = figure_tables(table, wish, plan.axes)
    what = _LABELS[wish.y]
    along = _LABELS.get(wish.x, wish.x)
    figure = sweep_figure(
        means,
        runs,
        x_label=along,
        y_label=what,
        family_label=wish.family or "",
        lines=lines,
        log=(wish.log_x, wish.log_y),
        title=f"{what.split(' (')[0]} against {along[0].lower() + along[1:]}",
        caption=_caption(plan.cells, runs),
    )
    return png_bytes(figure)


def _caption(cells: Sequence[Cell], runs: pd.DataFrame) -> str:
    most = int(runs.groupby(["family", "x"]).size().max()) if len(runs) else 0
    llc = LLCConfig(**cells[0].configs["llc"].model_dump())
    plain = llc.plain()
    return (
        f"line and band: mean ± standard deviation over up to {most} runs · faint: each run · "
        f"{plain.num_chains} chains × {plain.num_steps:,} steps, step size {plain.step_size:g}, "
        f"minibatch {plain.batch_size}, γ = {llc.localization:g} where these are no axes"
    )
