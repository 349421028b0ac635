"""The systems that a sweep's file may name, and what each brings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lambdascope.commands import sweep_cells, sweep_checks, sweep_config, sweep_estimate, sweep_toys
from lambdascope.commands.sweep_estimate import Estimate
from lambdascope.sweeps import Cell, FigureWish, Outcome, Vocabulary


@dataclass(frozen=True)
class SweepSystem:
    """How a system's cells are checked, grouped and worked on.

    Attributes:
        vocabulary: What a file may say.
        check: Refuses, before anything runs, what each section alone cannot see.
        batches_of: Cells that are worked on together.
        work_on: Their outcomes; importable, since other processes call it.
        complete: The same, of cells of which parts stand already, whose rows it is given too, by
            the cells' keys; None of a system whose cells have one part.
        estimate: What batches will take.
    """

    vocabulary: Vocabulary
    check: Callable[[Sequence[Cell], Sequence[FigureWish]], None]
    batches_of: Callable[[Sequence[Cell]], list[list[Cell]]]
    work_on: Callable[[Sequence[Cell]], list[Outcome]]
    estimate: Callable[[Sequence[Sequence[Cell]]], Estimate]
    complete: Callable[..., list[Outcome]] | None = None


def _toys(vocabulary: Vocabulary) -> SweepSystem:
    return SweepSystem(
        vocabulary,
        sweep_toys.check_cells,
        sweep_toys.batches_of,
        sweep_toys.work_on,
        sweep_toys.estimate_of,
    )


SYSTEMS = {
    "modular_addition": SweepSystem(
        sweep_config.VOCABULARY,
        sweep_checks.check_cells,
        sweep_cells.batches_of,
        sweep_cells.work_on,
        sweep_estimate.estimate_of,
        sweep_cells.work_on,
    ),
    "potentials": _toys(sweep_toys.POTENTIALS),
    "complex_multiplication": _toys(sweep_toys.PRODUCT_NETWORKS),
}
"""By name; the first is meant where a file names none."""
