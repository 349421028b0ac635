"""The work of a sweep's cells: train, then measure, many cells as one batch."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdascope.commands.sweep_config import settings_of
from lambdascope.commands.sweep_measures import Rows, add_circuits, add_estimates, add_hessians
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.training import FREE_SETTINGS, TrainedRun, divergence, train
from lambdascope.sweeps import Cell, Outcome, said_of

# Chains of more cells gain nothing in speed, and a batch is what an interruption costs.
MOST_CELLS = 16
# Where each cell is measured by itself, a batch saves time in training only, and an interruption
# costs every measurement in it.
MOST_MEASURED_ALONE = 4
# Settings of the estimate in which cells of one batch may differ: each chain carries its own.
_FREE_LLC = {"nbeta", "n_multiplier", "temp_multiplier", "localization", "weight_decay"}


def batches_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that can train and be sampled side by side, at most sixteen together.

    At most four where λ̂ is the automatic one, or a Hessian is measured: these take cells one by
    one.

    Batches of one shape are about equally large, so that they can share a compiled step.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        own = settings_of(cell)
        alike = (
            own.train.model_dump(exclude=set(FREE_SETTINGS)),
            own.llc.model_dump(exclude=_FREE_LLC),
            own.circuits,
            own.hessian,
            own.measure,
        )
        groups.setdefault(str(alike), []).append(cell)
    batches = []
    for group in groups.values():
        own = settings_of(group[0])
        alone = own.checkpoints("hessian") or (own.checkpoints("llc") and own.llc.is_automatic)
        most = MOST_MEASURED_ALONE if alone else MOST_CELLS
        size = math.ceil(len(group) / math.ceil(len(group) / most))
        batches += [group[start : start + size] for start in range(0, len(group), size)]
    return batches


def work_on(
    batch: Sequence[Cell], standing: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
) -> list[Outcome]:
    """Train the cells' networks and measure what they ask for.

    Training and the plain estimator run as one batch. A chain's random numbers follow from its
    cell's own settings, so a cell gives the same numbers whichever cells are beside it, to
    rounding, which the training of a transformer by itself lets grow (`docs/sweeps.md`). A run
    that diverges, or of which no chain gives an estimate, or whose circuits or Hessian fail, is
    the failure of its cell alone, and what else was measured of it stands.

    Args:
        batch: The cells.
        standing: A cell's key → the rows of its record, where something of it failed before: parts
            that they have are taken from there, unless training gave another network this time.
    """
    begun = time.perf_counter()
    trained = list(zip(batch, _trained([settings_of(cell).train for cell in batch]), strict=True))
    sound = [
        _Measured(cell, run, _training_rows(run)) for cell, run in trained if run.diverged is None
    ]
    for one in sound:
        one.take_over((standing or {}).get(one.cell.key, ()))
    _add_estimates([one for one in sound if "llc" not in one.stands])
    found: dict[int, dict[str, Any]] = {
        cell.number: {"error": divergence([run.config], {0: run.diverged})}
        for cell, run in trained
        if run.diverged is not None
    }
    for one in sound:
        _add_circuits_and_hessians(one)
        found[one.cell.number] = {"rows": one.rows, "error": "; ".join(one.failures) or None}
    seconds = (time.perf_counter() - begun) / len(batch)
    return [Outcome(**found[cell.number], seconds=seconds) for cell in batch]


# A column that each part brings, whose number says that it stands.
_MARKS = {"llc": "llc", "circuits": "num_circuits", "hessian": "effective_dimension"}
# Two trainings of one cell differ by rounding, those of transformers by more: beyond this, relative
# to losses and norm, it is another network, and nothing that was measured of the former holds.
_SAME = 1e-4


@dataclass
class _Measured:
    """A cell, its trained network, and what is known of it.

    Attributes:
        cell: Which.
        run: Its network.
        rows: A row a checkpoint.
        stands: The parts that were measured earlier.
        failures: What failed.
    """

    cell: Cell
    run: TrainedRun
    rows: Rows
    stands: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def take_over(self, earlier: Sequence[Mapping[str, Any]]) -> None:
        """Put into the rows what stands in those of an earlier record of the cell."""
        if len(earlier) != len(self.rows) or not all(map(_agree, self.rows, earlier)):
            return
        settings = settings_of(self.cell)
        self.stands = {
            part
            for part, mark in _MARKS.items()
            if all(
                math.isfinite(earlier[i].get(mark, math.nan)) for i in settings.checkpoints(part)
            )
        }
        for row, before in zip(self.rows, earlier, strict=True):
            row |= {name: value for name, value in before.items() if name not in row}


def _agree(row: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Whether two rows are of the same network, as far as losses and norm tell."""
    return all(
        math.isclose(row[name], earlier.get(name, math.nan), rel_tol=_SAME, abs_tol=1e-12)
        for name in ("step", "train_loss", "weight_norm")
    )


def _add_estimates(wanted: Sequence[_Measured]) -> None:
    """Put λ̂ into the rows of those that ask for it.

    What fails for a batch as a whole is raised, and the batch taken apart; a cell by itself keeps
    its other parts.
    """
    if not wanted:
        return
    batch, runs, rows = ([getattr(one, n) for one in wanted] for n in ("cell", "run", "rows"))
    try:
        errors = add_estimates(batch, runs, rows)
    except Exception as error:
        if len(wanted) > 1:
            raise
        errors = [said_of(error)]
    for one, failure in zip(wanted, errors, strict=True):
        one.failures += [] if failure is None else [failure]


def _add_circuits_and_hessians(one: _Measured) -> None:
    """Put circuits and Hessian into the rows.

    What they raise stays here: it would take the batch apart, and its other cells be worked on
    again.
    """
    for part, add in (("circuits", add_circuits), ("hessian", add_hessians)):
        if part not in one.stands:
            try:
                add(settings_of(one.cell), one.run, one.rows)
            except Exception as error:
                one.failures.append(said_of(error))


def _trained(configs: Sequence[TrainConfig]) -> list[TrainedRun]:
    """A run for each; cells that differ in what is measured only share one."""
    distinct = list(dict.fromkeys(configs))
    runs = dict(zip(distinct, train(distinct, divergence_ok=True), strict=True))
    return [runs[config] for config in configs]


def _training_rows(run: TrainedRun) -> list[dict[str, Any]]:
    return [
        {"checkpoint": index, "step": step, **vars(metrics)}
        for index, (step, metrics) in enumerate(zip(run.steps, run.metrics, strict=True))
    ]
