"""What marks a run as finished, diverged or broken: training.csv, diverged.json, whole files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.evaluation import Metrics
from lambdascope.runs.checkpoints import load_metadata
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.files import atomic_write_text
from lambdascope.runs.tables import read_table, write_table

DATA, TRAINING = "data.safetensors", "training.csv"
_DIVERGED = "diverged.json"


def save_metrics(directory: RunDirectory, steps: Sequence[int], metrics: Sequence[Metrics]) -> None:
    """Write training.csv, which marks a run as finished: one row a checkpoint.

    Args:
        directory: where.
        steps: optimiser steps before each checkpoint.
        metrics: one a checkpoint.

    Raises:
        LambdascopeError: it cannot be written.
    """
    import pandas

    rows = [
        {"checkpoint": index, "step": step, **vars(row)}
        for index, (step, row) in enumerate(zip(steps, metrics, strict=True))
    ]
    write_table(directory.path / TRAINING, pandas.DataFrame(rows))


def final_metrics(directory: RunDirectory) -> dict[str, float]:
    """The last row of training.csv, by column.

    Raises:
        LambdascopeError: it cannot be read.
    """
    last = read_table(directory.path / TRAINING).iloc[-1]
    return {str(name): float(value) for name, value in last.items()}


def is_finished(directory: RunDirectory) -> bool:
    """Whether training has come to its end."""
    return (directory.path / TRAINING).is_file()


def check_checkpoints(directory: RunDirectory) -> None:
    """Refuse a finished run that has lost a checkpoint, or holds half of one.

    Files that training.csv does not list are named in a warning, and left alone.

    Raises:
        LambdascopeError: training.csv lists a step whose checkpoint is missing or truncated, or the
            data are.
    """
    if not is_finished(directory):
        return
    listed = listed_steps(directory)
    again = f"put it back, or give the `lambdascope {directory.made_by}` command with --overwrite"
    held = set(directory.checkpoint_steps)
    missing = [str(step) for step in listed if step not in held]
    if missing:
        raise LambdascopeError(
            f"{directory.path} lacks the checkpoints of steps {', '.join(missing)}, which "
            f"{TRAINING} lists: {again}"
        )
    for path in (directory.path / DATA, *(directory.checkpoint_path(step) for step in listed)):
        try:
            load_metadata(path)
        except LambdascopeError as error:
            raise LambdascopeError(f"{str(error).rpartition(': ')[0]}: {again}") from None
    names = {directory.checkpoint_path(step).name for step in listed}
    foreign = [name for name in directory.checkpoint_files if name not in names]
    if foreign:
        warnings.warn(
            f"{directory.path / 'checkpoints'} holds {', '.join(foreign)}, which {TRAINING} does "
            "not list: left out",
            stacklevel=2,
        )


def listed_steps(directory: RunDirectory) -> list[int]:
    """The steps in training.csv, or while training has not finished, those that stand.

    Raises:
        LambdascopeError: training.csv is broken.
    """
    if not is_finished(directory):
        return directory.checkpoint_steps
    path = directory.path / TRAINING
    table = read_table(path)
    try:
        steps = [int(step) for step in table["step"]]
    except (KeyError, ValueError, TypeError, OverflowError):  # no column, words, empty cells
        steps = []
    if not steps:
        raise LambdascopeError(
            f"{path} should list the steps of the checkpoints: put the file back, or give the "
            f"`lambdascope {directory.made_by}` command with --overwrite"
        )
    return steps


def diverged_before(directory: RunDirectory) -> int | None:
    """The step of the checkpoint at which the loss was first not finite; None if it always was.

    Raises:
        LambdascopeError: the file that says so is broken.
    """
    path = directory.path / _DIVERGED
    if not path.is_file():
        return None
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["before_step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LambdascopeError(
            f"{path} cannot be read ({error}): give the `lambdascope {directory.made_by}` command "
            "with --overwrite"
        ) from error


def save_divergence(directory: RunDirectory, step: int) -> None:
    """Mark a run as diverged; before `save_metrics`, which marks it as finished.

    Args:
        directory: where.
        step: of the checkpoint at which the loss or the weights were first not finite.

    Raises:
        LambdascopeError: it cannot be written.
    """
    atomic_write_text(directory.path / _DIVERGED, json.dumps({"before_step": step}) + "\n")
