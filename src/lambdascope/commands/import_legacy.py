"""`lambdascope import-legacy`: the older code's files as a run directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lambdascope.commands.systems import MODULAR_ADDITION, save_data
from lambdascope.commands.training_record import (
    check_checkpoints,
    is_finished,
    listed_steps,
    save_metrics,
)
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import Task
from lambdascope.modular_addition.evaluation import evaluate
from lambdascope.modular_addition.legacy import (
    LegacyCheckpoint,
    legacy_data,
    read_checkpoints,
    read_params,
)
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.files import atomic_write_bytes
from lambdascope.runs.history import record_command

_PARAMS = "imported.json"


@dataclass(frozen=True)
class ImportResult:
    """What was imported and where it is.

    Attributes:
        directory: The run directory.
        steps: Optimiser steps before each checkpoint.
        num_train: Pairs trained on.
        num_test: The other pairs.
        is_new: Whether it was imported now; False if it stood already.
    """

    directory: RunDirectory
    steps: list[int]
    num_train: int
    num_test: int
    is_new: bool


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

    Interrupted, the same call begins again; finished, it leaves everything as it stands.

    Args:
        params: an `ExperimentParams` JSON file.
        checkpoints: folder of the run's CHECKPOINT_….pt files and its final model_….pt; those that
            are missing are left out.
        out: the run directory to write.
        task: "commutative_random" for a run on such labels: the parameter file says "random" of
            both kinds. None takes what the file says.
        overwrite: replace another run that stands at `out`, and an import that has lost a file.

    Raises:
        LambdascopeError: a file is missing, truncated, not of this run, or holds NaN or anything
            but tensors; or `out` holds something else, an import of other files or one that has
            lost a file, or cannot be written.
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
        out,
        MODULAR_ADDITION,
        config.model_dump(mode="json"),
        made_by="import-legacy",
        overwrite=overwrite,
    )
    steps = [each.step for each in read]
    stands = is_finished(directory) and _is_the_same(directory, params, read, overwrite=overwrite)
    if not stands:
        directory.clear()
        atomic_write_bytes(directory.path / _PARAMS, Path(params).read_bytes())
        save_data(directory, data)
        for each in read:
            directory.save_checkpoint(each.step, each.weights, {"imported_from": each.file})
        named = ["--task", task] if task else []
        words = [str(params), "--checkpoints", str(checkpoints), *named]
        record_command(directory.path, "import-legacy", words)
        save_metrics(directory, steps, metrics)
    sizes = len(data.train_index), len(data.test_index)
    return ImportResult(directory, steps, *sizes, is_new=not stands)


def print_result(result: ImportResult) -> None:
    """What was imported and where it is, on standard output."""
    steps = ", ".join(map(str, result.steps))
    print(
        f"{result.directory.path}: {'imported' if result.is_new else 'already holds'} "
        f"{len(result.steps)} checkpoints (steps {steps}), {result.num_train} training and "
        f"{result.num_test} test pairs"
    )


def _is_the_same(
    directory: RunDirectory, params: Path, read: Sequence[LegacyCheckpoint], *, overwrite: bool
) -> bool:
    """Whether a finished import is of the same files; if it is not, it may be overwritten.

    Raises:
        LambdascopeError: it is of other files or has lost one, and may not be overwritten.
    """
    try:
        check_checkpoints(directory)
        kept = directory.path / _PARAMS
        if not kept.is_file() or kept.read_bytes() != Path(params).read_bytes():
            raise LambdascopeError(_other(directory, f"{params} differs from its {_PARAMS}"))
        steps, held = [each.step for each in read], listed_steps(directory)
        if steps != held:
            raise LambdascopeError(_other(directory, f"steps {held} there, {steps} given"))
        for each in read:
            shapes = {name: tensor.shape for name, tensor in each.weights.items()}
            weights = directory.load_checkpoint(each.step, shapes)
            if not all(torch.equal(weights[n], tensor) for n, tensor in each.weights.items()):
                raise LambdascopeError(_other(directory, f"the weights of {each.file} differ"))
    except LambdascopeError:
        if not overwrite:
            raise
        return False
    return True


def _other(directory: RunDirectory, how: str) -> str:
    return (
        f"{directory.path} holds an import of other files ({how}): give another directory, or "
        "--overwrite to replace it with all its results"
    )
