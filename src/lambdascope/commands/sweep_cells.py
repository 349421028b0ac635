"""The work of a sweep's cells: train, then measure, many cells as one batch."""

import math
import time
from collections.abc import Sequence
from typing import Any

from lambdascope.commands.sweep_config import Settings, settings_of
from lambdascope.commands.sweep_measures import Rows, add_circuits, add_estimates, add_hessians
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.training import FREE_SETTINGS, TrainedRun, divergence, train
from lambdascope.sweeps import Cell, Outcome

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


def work_on(batch: Sequence[Cell]) -> list[Outcome]:
    """Train the cells' networks and measure what they ask for.

    Training and the plain estimator run as one batch. A chain's random numbers follow from its
    cell's own settings, so a cell gives the same numbers whichever cells are beside it, to
    rounding, which the training of a transformer by itself lets grow (`docs/sweeps.md`). A run
    that diverges, or of which no chain gives an estimate, or a Hessian that is not resolved, is
    the failure of its cell alone, and what else was measured of it stands.
    """
    begun = time.perf_counter()
    trained = list(zip(batch, _trained([settings_of(cell).train for cell in batch]), strict=True))
    sound = [(cell, run) for cell, run in trained if run.diverged is None]
    rows = [_training_rows(run) for _, run in sound]
    errors: list[str | None] = []
    if sound:
        errors = add_estimates([cell for cell, _ in sound], [run for _, run in sound], rows)
    found: dict[int, dict[str, Any]] = {
        cell.number: {"error": divergence([run.config], {0: run.diverged})}
        for cell, run in trained
        if run.diverged is not None
    }
    for (cell, run), own, error in zip(sound, rows, errors, strict=True):
        failures = filter(None, [error, *_add_circuits_and_hessians(settings_of(cell), run, own)])
        found[cell.number] = {"rows": own, "error": "; ".join(failures) or None}
    seconds = (time.perf_counter() - begun) / len(batch)
    return [Outcome(**found[cell.number], seconds=seconds) for cell in batch]


def _add_circuits_and_hessians(settings: Settings, run: TrainedRun, rows: Rows) -> list[str]:
    """Put circuits and Hessian into the rows; returns what failed.

    Raised further, an error would take the batch apart, and its other cells be worked on again.
    """
    failures = []
    for add in (add_circuits, add_hessians):
        try:
            add(settings, run, rows)
        except LambdascopeError as error:
            failures.append(str(error))
    return failures


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
