"""The work of a sweep's cells: train, then sample, many cells as one batch."""

import hashlib
import math
import time
from collections.abc import Sequence
from typing import Any

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.llc_target import llc_posterior
from lambdascope.commands.sweep_config import MeasureConfig
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import LLCCurve, estimate_llc
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.training import FREE_SETTINGS, TrainedRun, train
from lambdascope.posterior import LocalPosterior, Parameters
from lambdascope.samplers import SGLD
from lambdascope.sampling import sample
from lambdascope.sweeps import Cell, Outcome

# Chains of more cells gain nothing in speed, and a batch is what an interruption costs.
_MOST_CELLS = 16
# Settings of the estimate in which cells of one batch may differ: each chain carries its own.
_FREE_LLC = {"nbeta", "n_multiplier", "temp_multiplier", "localization", "weight_decay"}


def batches_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that can train and be sampled side by side, at most sixteen together."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        config, llc, measure = settings_of(cell)
        alike = config.model_dump(exclude=set(FREE_SETTINGS)), llc.model_dump(exclude=_FREE_LLC)
        groups.setdefault((str(alike), str(measure)), []).append(cell)
    return [
        group[start : start + _MOST_CELLS]
        for group in groups.values()
        for start in range(0, len(group), _MOST_CELLS)
    ]


def work_on(batch: Sequence[Cell]) -> list[Outcome]:
    """Train the cells' networks and estimate λ̂, as one batch.

    A chain's random numbers follow from its cell's own settings, so a cell gives the same
    numbers whichever cells are beside it, to rounding.

    Raises:
        LambdascopeError: a run diverges, or the settings do not fit the network.
    """
    begun = time.perf_counter()
    runs = train([settings_of(cell)[0] for cell in batch])
    rows = [_training_rows(run) for run in runs]
    _, llc, measure = settings_of(batch[0])
    if measure.llc != "none":
        _add_estimates(batch, runs, rows, llc, measure)
    seconds = (time.perf_counter() - begun) / len(batch)
    return [Outcome(rows=part, seconds=seconds) for part in rows]


def settings_of(cell: Cell) -> tuple[TrainConfig, LLCConfig, MeasureConfig]:
    """A cell's sections."""
    train_config, llc = cell.configs["train"], cell.configs["llc"]
    measure = cell.configs["measure"]
    assert isinstance(train_config, TrainConfig)
    assert isinstance(llc, LLCConfig)
    assert isinstance(measure, MeasureConfig)
    return train_config, llc, measure


def check_cells(cells: Sequence[Cell], quantities: Sequence[str] = ()) -> None:
    """Refuse, before anything runs, what each section alone cannot see.

    Args:
        cells: All of a sweep.
        quantities: What its figures draw.

    Raises:
        LambdascopeError: naming the cell and the field.
    """
    if "llc" in quantities and all(settings_of(cell)[2].llc == "none" for cell in cells):
        raise LambdascopeError("figures: y='llc' with measure.llc='none': give it 'final' or 'all'")
    names: dict[str, list[str]] = {}
    for cell in cells:
        config, llc, measure = settings_of(cell)
        if llc.checkpoints is not None:
            if measure.llc != "all":
                raise LambdascopeError(
                    f"{cell}: llc.checkpoints={llc.checkpoints!r} needs measure.llc='all', and it "
                    f"is {measure.llc!r}"
                )
            if max(llc.checkpoints) >= config.num_checkpoints:
                raise LambdascopeError(
                    f"{cell}: llc.checkpoints={llc.checkpoints!r}: {max(llc.checkpoints)} does not "
                    f"exist; train.num_checkpoints={config.num_checkpoints} makes 0 to "
                    f"{config.num_checkpoints - 1}"
                )
        if llc.parameters is not None:
            shape = str(config.model_dump(exclude=set(FREE_SETTINGS)))
            if shape not in names:
                network = make_network(config)
                names[shape] = [n for n, p in network.named_parameters() if p.requires_grad]
            try:
                Parameters(*llc.parameters).select(names[shape])
            except LambdascopeError as error:
                raise LambdascopeError(f"{cell}: llc.parameters: {error}") from None


def _training_rows(run: TrainedRun) -> list[dict[str, Any]]:
    return [
        {"checkpoint": index, "step": step, **vars(metrics)}
        for index, (step, metrics) in enumerate(zip(run.steps, run.metrics, strict=True))
    ]


def _add_estimates(
    batch: Sequence[Cell],
    runs: Sequence[TrainedRun],
    rows: Sequence[list[dict[str, Any]]],
    llc: LLCConfig,
    measure: MeasureConfig,
) -> None:
    """Put λ̂ and its diagnostics into the rows of the checkpoints that are wanted."""
    posteriors: list[LocalPosterior] = []
    labels: list[int] = []
    wanted: list[dict[str, Any]] = []
    for cell, run, own in zip(batch, runs, rows, strict=True):
        config, own_llc, _ = settings_of(cell)
        for index in _chosen(run, own_llc, measure):
            network = make_network(config)
            network.load_state_dict(run.weights[index])
            posteriors.append(llc_posterior(network, run.data.train, own_llc))
            labels.append(_label(cell, index))
            wanted.append(own[index])
    plain = llc.plain()
    trace = sample(
        posteriors,
        SGLD(step_size=plain.step_size, batch_size=plain.batch_size),
        num_chains=plain.num_chains,
        num_steps=plain.num_steps,
        seed=llc.seed,
        checkpoints=labels,
        device=llc.device,
        progress=False,
    )
    curve = estimate_llc(trace, burnin=plain.burnin)
    assert isinstance(curve, LLCCurve)  # the trace was made from a list
    for row, one in zip(wanted, curve, strict=True):
        row |= {
            "llc": one.llc,
            "llc_stderr": one.stderr,
            "rhat": one.rhat,
            "ess": one.ess,
            "nbeta": one.nbeta,
            "status": str(one.status),
        }
        if math.isnan(one.llc):
            raise LambdascopeError(
                f"no chain gave an estimate at step {row['step']}: {one.status}; {one.advice}"
            )


def _chosen(run: TrainedRun, llc: LLCConfig, measure: MeasureConfig) -> list[int]:
    last = len(run.steps) - 1
    if measure.llc == "final":
        return [last]
    if llc.checkpoints is None:
        return list(range(last + 1))
    return sorted(llc.checkpoints)


def _label(cell: Cell, index: int) -> int:
    """A number for a cell's checkpoint that no other has, part of its chains' random streams."""
    digest = hashlib.sha256(f"{cell.key} {index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
