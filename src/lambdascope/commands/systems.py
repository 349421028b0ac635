"""Run directories as the systems they hold: settings, data, networks and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import Network, make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData
from lambdascope.modular_addition.evaluation import Metrics
from lambdascope.runs.checkpoints import check_tensors, load_checkpoint, save_checkpoint
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.tables import read_table, write_table

if TYPE_CHECKING:
    from pandas import DataFrame

MODULAR_ADDITION = "modular_addition"

_DATA, _TRAINING = "data.safetensors", "training.csv"


@dataclass(frozen=True)
class LoadedRun:
    """A run on modular addition, opened for study.

    Attributes:
        directory: where it is kept.
        config: its settings.
        data: the pairs, labels and split that it was trained on.
    """

    directory: RunDirectory
    config: TrainConfig
    data: ModularData

    @property
    def steps(self) -> list[int]:
        """Training steps of the checkpoints, ascending; a checkpoint's index is its place here."""
        return self.directory.checkpoint_steps

    @property
    def metrics(self) -> DataFrame | None:
        """training.csv, one row a checkpoint, or None while training has not finished."""
        path = self.directory.path / _TRAINING
        return read_table(path) if path.is_file() else None

    def network(self) -> Network:
        """A new network of the run's settings, with its initial weights."""
        return make_network(self.config)

    def state(self, index: int) -> dict[str, Tensor]:
        """The weights of a checkpoint, checked against the settings.

        Args:
            index: place of the checkpoint in `steps`.

        Raises:
            LambdascopeError: there is no such checkpoint, or its file is truncated, lacks a tensor,
                has one too many or of another shape, or holds NaN.
        """
        return self.directory.load_checkpoint(index, self._shapes)

    def network_at(self, index: int) -> Network:
        """A new network with the weights of a checkpoint.

        Args:
            index: place of the checkpoint in `steps`.

        Raises:
            LambdascopeError: as `state`.
        """
        network = self.network()
        network.load_state_dict(self.state(index))
        return network

    def stacked_weights(self) -> dict[str, Tensor]:
        """The weights of all checkpoints: parameter name → [checkpoint, …].

        Raises:
            LambdascopeError: as `state`.
        """
        states = [self.state(index) for index in range(len(self.steps))]
        return {name: torch.stack([state[name] for state in states]) for name in self._shapes}

    @cached_property
    def _shapes(self) -> dict[str, Sequence[int]]:
        return {name: tensor.shape for name, tensor in self.network().state_dict().items()}


def load_run(path: Path) -> LoadedRun:
    """Open a run directory.

    Args:
        path: a directory that `train` or `import_legacy` wrote.

    Raises:
        LambdascopeError: it is no run directory, of another system or a newer schema, or its
            settings or data are broken.
    """
    directory = RunDirectory.open(path)
    if directory.system != MODULAR_ADDITION:
        raise LambdascopeError(
            f"{path} holds a run of the system {directory.system!r}: this command reads runs of "
            f"{MODULAR_ADDITION!r}"
        )
    config = TrainConfig(**directory.config)
    check_checkpoints(directory)
    return LoadedRun(directory, config, _load_data(directory.path / _DATA, config))


def check_checkpoints(directory: RunDirectory) -> None:
    """Refuse a finished run that has lost a checkpoint.

    A checkpoint is known by its place: with one missing, the others would change their names.

    Raises:
        LambdascopeError: training.csv lists a step whose checkpoint is not there.
    """
    path = directory.path / _TRAINING
    if not path.is_file():
        return
    missing = sorted(set(read_table(path)["step"].tolist()) - set(directory.checkpoint_steps))
    if missing:
        raise LambdascopeError(
            f"{directory.path} lacks the checkpoints of steps {', '.join(map(str, missing))}, "
            "which training.csv lists: put them back, or train again with --overwrite"
        )


def check_finished(run: LoadedRun) -> None:
    """Refuse a run that has no checkpoints, or not all of them yet.

    Raises:
        LambdascopeError: training has not come to its end.
    """
    if run.metrics is None or not run.steps:
        raise LambdascopeError(
            f"{run.directory.path} holds a run that is not finished: give its `lambdascope "
            "train` command again first"
        )


def chosen_checkpoints(run: LoadedRun, checkpoints: Sequence[int]) -> list[int]:
    """The checkpoints that a user asked for, ascending.

    Raises:
        LambdascopeError: one of them does not exist.
    """
    available = len(run.steps)
    beyond = [index for index in checkpoints if not 0 <= index < available]
    if beyond:
        raise LambdascopeError(
            f"checkpoints={','.join(map(str, checkpoints))}: {beyond[0]} does not exist; "
            f"{run.directory.path} holds checkpoints 0 to {available - 1}"
        )
    return sorted(checkpoints)


def save_data(directory: RunDirectory, data: ModularData) -> None:
    """Keep the data of a run in its directory.

    Raises:
        LambdascopeError: it cannot be written.
    """
    tensors = {
        "inputs": data.inputs,
        "targets": data.targets,
        "train_index": data.train_index,
        "test_index": data.test_index,
    }
    save_checkpoint(directory.path / _DATA, tensors)


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
    write_table(directory.path / _TRAINING, pandas.DataFrame(rows))


def is_finished(directory: RunDirectory) -> bool:
    """Whether training has come to its end."""
    return (directory.path / _TRAINING).is_file()


def _load_data(path: Path, config: TrainConfig) -> ModularData:
    tensors = load_checkpoint(path)
    num_pairs = config.p**2
    shapes: dict[str, Sequence[int]] = {"inputs": (num_pairs, 2), "targets": (num_pairs,)}
    # The sizes of the split are the file's own; together they must make up all pairs.
    shapes |= {n: (tensors[n].numel(),) for n in ("train_index", "test_index") if n in tensors}
    check_tensors(tensors, {"train_index": (), "test_index": (), **shapes}, source=str(path))
    for name, tensor in tensors.items():
        limit = num_pairs if name.endswith("index") else config.p
        if tensor.dtype != torch.int64 or (tensor.numel() and tensor.min() < 0):
            raise LambdascopeError(f"{path}: {name} should hold whole numbers from 0 on (int64)")
        if tensor.numel() and tensor.max() >= limit:
            raise LambdascopeError(
                f"{path}: {name} holds {int(tensor.max())}, where p={config.p} allows 0 to "
                f"{limit - 1}"
            )
    both = torch.cat([tensors["train_index"], tensors["test_index"]])
    if not torch.equal(both.sort().values, torch.arange(num_pairs)):
        raise LambdascopeError(
            f"{path}: train_index and test_index should together hold each of the {num_pairs} "
            "pairs once"
        )
    return ModularData(**tensors)
