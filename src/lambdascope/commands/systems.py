"""Run directories as the systems they hold: settings, data, networks and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lambdascope.commands.training_record import (
    DATA,
    TRAINING,
    check_checkpoints,
    diverged_before,
    is_finished,
    listed_steps,
)
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import Network, make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData
from lambdascope.runs.checkpoints import check_tensors, load_checkpoint, save_checkpoint
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.tables import read_table

if TYPE_CHECKING:
    from pandas import DataFrame

MODULAR_ADDITION = "modular_addition"


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

    @cached_property
    def steps(self) -> list[int]:
        """Training steps of the checkpoints, ascending; a checkpoint's index is its place here.

        They are those that training.csv lists, whatever else lies in the folder.
        """
        return listed_steps(self.directory)

    @property
    def metrics(self) -> DataFrame | None:
        """training.csv, one row a checkpoint, or None while training has not finished."""
        return read_table(self.directory.path / TRAINING) if is_finished(self.directory) else None

    def network(self) -> Network:
        """A new network of the run's settings, with its initial weights."""
        return make_network(self.config)

    def state(self, index: int) -> dict[str, Tensor]:
        """The weights of a checkpoint, checked against the settings.

        Args:
            index: place of the checkpoint in `steps`.

        Raises:
            LambdascopeError: there is no such checkpoint, or its file is truncated, lacks a tensor,
                has one too many or of another shape or kind, or holds NaN.
        """
        if not 0 <= index < len(self.steps):
            held = f"0 to {len(self.steps) - 1}" if self.steps else "none"
            raise LambdascopeError(
                f"checkpoint {index} of {self.directory.path} does not exist: the run holds {held}"
            )
        state = self.directory.load_checkpoint(self.steps[index], self._shapes)
        other = [name for name, tensor in state.items() if not tensor.is_floating_point()]
        if other:
            raise LambdascopeError(
                f"{self.directory.checkpoint_path(self.steps[index])}: the tensor {other[0]} is of "
                f"{str(state[other[0]].dtype).removeprefix('torch.')}, where real floating-point "
                "numbers are accepted"
            )
        return state

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
    try:
        config = TrainConfig(**directory.config)
    except LambdascopeError as error:
        # Spaced, since these are no flags of the command that reads them.
        said = str(error).removeprefix(f"{TrainConfig.__name__}: ").replace("=", " = ")
        raise LambdascopeError(f"{directory.path / 'config.json'}: {said}") from None
    check_checkpoints(directory)
    return LoadedRun(directory, config, _load_data(directory.path / DATA, config))


def check_finished(run: LoadedRun) -> None:
    """Refuse a run that has no checkpoints, or not all of them yet, or that diverged.

    Raises:
        LambdascopeError: training has not come to its end, or to a bad one.
    """
    path, made_by = run.directory.path, run.directory.made_by
    if run.metrics is None or not run.steps:
        raise LambdascopeError(
            f"{path} holds a run that is not finished: give its `lambdascope {made_by}` command "
            "again first"
        )
    step = diverged_before(run.directory)
    if step is not None:
        raise LambdascopeError(
            f"{path} holds a run that diverged before step {step}: train it again with --overwrite "
            f"and a learning rate below {run.config.learning_rate}"
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
    save_checkpoint(directory.path / DATA, tensors)


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
