"""`lambdascope sweep`: run a sweep's file, and tabulate and draw what stands of it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from lambdascope.commands.sweep_captions import caption_of
from lambdascope.commands.sweep_estimate import Estimate
from lambdascope.commands.sweep_figures import draw
from lambdascope.commands.sweep_systems import SYSTEMS
from lambdascope.commands.sweep_table import cell_states, measurements, spectra
from lambdascope.errors import LambdascopeError
from lambdascope.machine import usable_cores
from lambdascope.progress import Progress
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.tables import table_text
from lambdascope.runs.versions import versions_here
from lambdascope.sweeps import (
    Cell,
    CellRecords,
    Engine,
    FigureWish,
    LocalEngine,
    Outcome,
    ProcessEngine,
    RayEngine,
    SweepOutputs,
    SweepPlan,
    read_plan,
    shared_out,
)

_TABLE, _SPECTRA = "sweep.csv", "sweep_hessian.csv"


class Sweep:
    """A sweep's file beside the directory of its results.

    Args:
        file: The TOML file.
        out: The directory; None takes the file's name without its suffix, under runs/.

    Raises:
        LambdascopeError: what `read_plan` refuses, settings of a cell that do not fit together or
            have no effect, and a directory that holds the results of another file.
    """

    def __init__(self, file: Path, out: Path | None = None) -> None:
        known = {name: system.vocabulary for name, system in SYSTEMS.items()}
        self.plan: SweepPlan = read_plan(Path(file), known)
        self.system = SYSTEMS[self.plan.system]
        try:
            self.system.check(self.plan.cells, self.plan.figures)
        except LambdascopeError as error:
            raise LambdascopeError(f"{file}: {error}") from None
        self.records = CellRecords(out or Path("runs") / Path(file).stem)
        self._outputs = SweepOutputs(self.records.path, Path(file), self.plan.text)
        self.not_drawn: dict[str, str] = {}
        """File name → why `draw` could not draw that figure yet."""

    def run(
        self,
        engine: str = "local",
        workers: int | None = None,
        *,
        address: str | None = None,
        retry_failed: bool = False,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Work out the cells that are missing, write the table and draw the figures.

        Each cell is recorded as it comes; interrupted, the same call goes on with the rest.

        Args:
            engine: local, processes or ray.
            workers: Processes, or tasks at once; None takes one a core.
            address: Of a Ray cluster that stands; None starts one on this machine.
            retry_failed: Work on failed cells again: on what failed of them, where parts stand.
            progress: Show a bar over the cells.

        Returns:
            The table, as in sweep.csv.

        Raises:
            LambdascopeError: The directory is held by another process, or can't be written; Ray is
                not installed, or its cluster can't be reached or goes away.
        """
        worker = _engine(engine, workers, address)
        with self.records.held(worker.name):
            self._outputs.keep_file()
            if self._outputs.drop_stale(self._shows(self.plan.figures)):
                # The file was edited: what stands beside it from here on is of its own cells.
                self._tables()
            missing = self.missing(retry_failed=retry_failed)
            total = len(self.plan.cells)
            with Progress(
                "sweep", total=total, unit="cell", initial=total - len(missing), wanted=progress
            ) as bar:
                batches = shared_out(self.system.batches_of(missing), worker.num_workers)
                earlier = self._standing_parts(missing)
                for batch, outcomes in worker.outcomes(batches, self._work(earlier)):
                    for cell, outcome in zip(batch, outcomes, strict=True):
                        before = earlier.get(cell.key)
                        if before is not None and not outcome.rows:  # it failed before its parts
                            outcome = replace(before, error=outcome.error)
                        self.records.put(cell, outcome)
                        if outcome.error is not None:
                            bar.write(f"{cell} failed: {outcome.error}")
                    bar.update(len(batch))
                if self._outputs.was_edited():
                    bar.write(
                        f"{self.plan.path} was edited meanwhile: what stands is of the file as it "
                        "was, kept as sweep.toml; the same command works out what is new"
                    )
            return self.draw()

    def _standing_parts(self, cells: Sequence[Cell]) -> dict[str, Outcome]:
        """A cell's key → its record, of those of which something failed and other parts stand."""
        held = {cell.key: self.records.get(cell) for cell in cells}
        return {key: one for key, one in held.items() if one is not None and one.rows}

    def _work(self, earlier: Mapping[str, Outcome]) -> Callable[[Sequence[Cell]], list[Outcome]]:
        """What works on a batch; parts that stand are kept, where they are of the same versions.

        A record tells of one set of versions: under others all of it is measured again.
        """
        here = versions_here()
        standing = {key: one.rows for key, one in earlier.items() if one.versions == here}
        if standing and self.system.complete is not None:
            return functools.partial(self.system.complete, standing=standing)
        return self.system.work_on

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
        table = self._tables()[0]
        self._outputs.drop_stale(self._shows(self.plan.figures))
        return table

    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Write the tables of measurements and of eigenvalues, as far as there are any."""
        table = measurements(self.plan, self.records)
        eigenvalues = spectra(self.plan, self.records)
        if len(table):
            self._outputs.keep_file()
        for name, rows in ((_TABLE, table), (_SPECTRA, eigenvalues)):
            if len(rows):
                self._outputs.write(name, table_text(rows).encode(), self._shows()[name])
        return table, eigenvalues

    def draw(self) -> pd.DataFrame:
        """Write sweep.csv and the figures from what stands; returns the table."""
        table, eigenvalues = self._tables()
        self.not_drawn = {}
        if not len(table):
            self.not_drawn = {wish.file_name: "no cell is finished" for wish in self.plan.figures}
        else:
            cells = cell_states(self.plan, self.records)
            for wish in self.plan.figures:
                note = caption_of(self.plan, cells, wish)
                figure = draw(table, eigenvalues, wish, self.plan.axes, note, cells)
                if isinstance(figure, str):  # its cells failed, or are still missing
                    self.not_drawn[wish.file_name] = figure
                    continue
                name = _figure(wish)
                self._outputs.write(name, png_bytes(figure), self._shows([wish])[name])
        drawn = [wish for wish in self.plan.figures if wish.file_name not in self.not_drawn]
        self._outputs.drop_stale(self._shows(drawn))
        return table

    def _shows(self, figures: Sequence[FigureWish] = ()) -> dict[str, str]:
        """What the tables and these figures show, by name: the file's cells, in a text."""
        of = self._cells_text
        tables = {_TABLE: of, _SPECTRA: of}
        return tables | {_figure(wish): f"{of}\n{wish.model_dump_json()}" for wish in figures}

    @functools.cached_property
    def _cells_text(self) -> str:
        keys = (cell.key for cell in self.plan.cells)
        return "\n".join([self.plan.system, *self.plan.axes, *keys])

    def estimate(self, *, retry_failed: bool = False) -> Estimate:
        """What the missing cells will take; with `retry_failed`, the failed ones too."""
        missing = self.missing(retry_failed=retry_failed)
        return self.system.estimate(self.system.batches_of(missing))

    def paths(self) -> list[Path]:
        """The files that `draw` writes."""
        names = [_TABLE, _SPECTRA, *map(_figure, self.plan.figures)]
        return [self.records.path / name for name in names if (self.records.path / name).exists()]


def share_cores(num_workers: int) -> None:
    """In a worker: take this worker's share of the cores."""
    torch.set_num_threads(max(1, usable_cores() // num_workers))


def keep_to_one_core() -> None:
    """In a task on a cluster: take the one core that it was given."""
    torch.set_num_threads(1)


def _engine(name: str, workers: int | None, address: str | None) -> Engine:
    if address is not None and name != "ray":
        raise LambdascopeError(f"address={address!r}: only --engine ray has one")
    if name == "ray":
        return RayEngine(address, workers, keep_to_one_core)
    if name == "local":
        if workers is not None:
            raise LambdascopeError(
                f"workers={workers}: the local engine has none; give --engine processes or ray"
            )
        return LocalEngine()
    count = workers if workers is not None else usable_cores()
    return ProcessEngine(count, functools.partial(share_cores, count))


def _figure(wish: FigureWish) -> str:
    """A figure's name in the directory."""
    return f"figures/{wish.file_name}"


def _is_open(outcome: Outcome | None, retry_failed: bool) -> bool:
    return outcome is None or (retry_failed and outcome.error is not None)
