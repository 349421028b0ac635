"""`lambdascope import-legacy`: the older code's files as a run directory."""

from dataclasses import dataclass
from pathlib import Path

import torch

from lambdascope.commands.systems import MODULAR_ADDITION, save_data, save_metrics
from lambdascope.modular_addition.config import Task
from lambdascope.modular_addition.evaluation import evaluate
from lambdascope.modular_addition.legacy import legacy_data, read_checkpoints, read_params
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.files import atomic_write_bytes


@dataclass(frozen=True)
class ImportResult:
    """What was imported and where it is.

    Attributes:
        directory: The run directory.
        steps: Optimiser steps before each checkpoint.
        num_train: Pairs trained on.
        num_test: The other pairs.
    """

    directory: RunDirectory
    steps: list[int]
    num_train: int
    num_test: int


def import_legacy(
    params: Path,
    checkpoints: Path,
    out: Path,
    *,
    task: Task | None = None,
    overwrite: bool = False,
) -> ImportResult:
    """Read the older code's files, without executing what is pickled in them, into a run directory.

    The split and the labels are those the old run had; training.csv is computed anew from the
    weights. Each checkpoint keeps the name of its file, and imported.json is the parameter file.

    Args:
        params: an `ExperimentParams` JSON file.
        checkpoints: folder of the run's CHECKPOINT_….pt files and its final model_….pt; those that
            are missing are left out.
        out: the run directory to write.
        task: "commutative_random" for a run on such labels: the parameter file says "random" of
            both kinds. None takes what the file says.
        overwrite: replace a run that stands at `out`.

    Raises:
        LambdascopeError: a file is missing, truncated, not of this run, or holds NaN or anything
            but tensors; or `out` holds something else or cannot be written.
    """
    legacy = read_params(params)
    config = legacy.train_config(task)
    # Everything is read and checked before anything is written.
    data = legacy_data(config.p, legacy.train_frac, config.task, legacy.random_seed)
    read = read_checkpoints(checkpoints, legacy, config)
    network = ModularAdditionMLP(config)
    stacked = {n: torch.stack([each.weights[n] for each in read]) for n in read[0].weights}
    metrics = evaluate(network, stacked, [data] * len(read))

    directory = RunDirectory.create(
        out, MODULAR_ADDITION, config.model_dump(mode="json"), overwrite=overwrite
    )
    atomic_write_bytes(directory.path / "imported.json", Path(params).read_bytes())
    save_data(directory, data)
    for each in read:
        directory.save_checkpoint(each.step, each.weights, {"imported_from": each.file})
    save_metrics(directory, [each.step for each in read], metrics)
    steps = [each.step for each in read]
    return ImportResult(directory, steps, len(data.train_index), len(data.test_index))


def print_result(result: ImportResult) -> None:
    """What was imported and where it is, on standard output."""
    print(
        f"{result.directory.path}: imported {len(result.steps)} checkpoints (steps "
        f"{', '.join(map(str, result.steps))}), {result.num_train} training and {result.num_test} "
        "test pairs"
    )
