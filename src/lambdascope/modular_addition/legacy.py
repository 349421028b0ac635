"""Files of the older code: parameters, checkpoints, and the data that it made from a seed.

Its network is ours under other names: linear1l is `linear_left`, linear1r is `linear_right`,
linear2 is `unembedding`. With tied linear maps it used linear1r for both operands, and kept a
linear1l that it did not use.
"""

import json
import pickle
import random
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from lambdascope.config import Config
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import Task, TrainConfig
from lambdascope.modular_addition.data import ModularData, all_pairs, label_table
from lambdascope.modular_addition.network import ModularAdditionMLP


class LegacyParams(Config):
    """The older code's `ExperimentParams`; what only steered its plots and prints is not read.

    Raises:
        LambdascopeError: a field is missing, unknown or impossible.
    """

    p: int
    train_frac: int | float
    """As it stands in the file: the names of the weight files repeat it."""
    hidden_size: int
    lr: float
    batch_size: int
    embed_dim: int
    tie_unembed: bool
    weight_decay: float
    n_batches: Annotated[int, Field(ge=1)]
    freeze_middle: bool
    linear_1_tied: bool
    random_seed: int
    use_random_dataset: bool
    n_save_model_checkpoints: Annotated[int, Field(ge=0)]
    activation: Literal["relu", "gelu", "quad"] = "gelu"
    scale_linear_1_factor: float = 1.0
    scale_embed: float = 1.0
    run_id: int = 0
    num_no_weight_decay_steps: Any = 0
    """Had no effect in the older code, so it has none on the settings that are made from it."""
    movie: Any = None
    magnitude: Any = None
    ablation_fourier: Any = None
    ablation_embed: Any = None
    track_times: Any = None
    print_times: Any = None
    frame_times: Any = None
    save_activations: Any = None
    do_viz_weights_modes: Any = None
    lambda_hat: Any = None
    test_loss: Any = None
    train_loss: Any = None

    @property
    def suffix(self) -> str:
        """What the names of all the run's files end with, before `.pt`."""
        return (
            f"{'RANDOM_' if self.use_random_dataset else ''}P{self.p}_frac{self.train_frac}"
            f"_hid{self.hidden_size}_emb{self.embed_dim}_tieunembed{self.tie_unembed}"
            f"_tielin{self.linear_1_tied}_freeze{self.freeze_middle}_run{self.run_id}"
        )

    @property
    def steps_between_checkpoints(self) -> int:
        """Optimiser steps from one checkpoint to the next."""
        return self.n_batches // max(1, self.n_save_model_checkpoints)

    def train_config(self, task: Task | None = None) -> TrainConfig:
        """The run's settings in our terms.

        The older code drew its initial weights and minibatches from generators it did not record:
        these settings describe the run, and training them again gives another one. Its checkpoints
        come before the steps i·(n_batches // n_save_model_checkpoints), the final weights after.

        Args:
            task: the labels, where the file does not tell: it has one word for both random kinds.
        """
        return TrainConfig(
            p=self.p,
            task=task or ("random" if self.use_random_dataset else "addition"),
            train_fraction=self.train_frac,
            embed_dim=self.embed_dim,
            hidden_size=self.hidden_size,
            activation="quadratic" if self.activation == "quad" else self.activation,
            tie_linear=self.linear_1_tied,
            tie_unembed=self.tie_unembed,
            embed_scale=self.scale_embed,
            linear_scale=self.scale_linear_1_factor,
            freeze_middle=self.freeze_middle,
            learning_rate=self.lr,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            num_steps=self.n_batches,
            num_checkpoints=max(2, self.n_save_model_checkpoints + 1),
            seed=self.random_seed,
        )


@dataclass(frozen=True)
class LegacyCheckpoint:
    """One of the older code's weight files.

    Attributes:
        step: optimiser steps taken before it.
        file: its name.
        weights: state dict of our network.
    """

    step: int
    file: str
    weights: dict[str, Tensor]


def read_params(path: Path) -> LegacyParams:
    """Read an `ExperimentParams` JSON file.

    Raises:
        LambdascopeError: the file is missing, no JSON object, or a field is missing or impossible.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LambdascopeError(
            f"the parameter file {path} cannot be read ({reason}): give a JSON file that the older "
            "code wrote"
        ) from error
    if not isinstance(values, dict):
        raise LambdascopeError(f"the parameter file {path} should hold one JSON object")
    return LegacyParams(**values)


def legacy_data(p: int, train_fraction: float, task: Task, seed: int) -> ModularData:
    """Make the data that the older code made, with its split.

    It enumerated the pairs in the iteration order of a set of tuples, filled row by row, and
    shuffled their numbers with Python's `random`; the first int(train_fraction·p²) were trained on.
    That order is a property of CPython's hash tables and of 64-bit hashes, so it is only
    reconstructed there.

    Args:
        p: the modulus.
        train_fraction: share of the training set.
        task: the labels.
        seed: the older code's random_seed.

    Raises:
        LambdascopeError: this Python is not a 64-bit CPython.
    """
    if sys.implementation.name != "cpython" or sys.maxsize < 2**32:
        raise LambdascopeError(
            f"python={sys.implementation.name}: the older code's split can only be reconstructed "
            "by a 64-bit CPython, whose order of a set it follows"
        )
    order = [a * p + b for a, b in {(a, b) for a in range(p) for b in range(p)}]
    places = list(range(p * p))
    random.Random(seed).shuffle(places)
    rows = torch.tensor([order[place] for place in places])
    num_train = int(train_fraction * p * p)
    return ModularData(
        inputs=all_pairs(p),
        targets=label_table(p, task, seed).reshape(-1),
        train_index=rows[:num_train],
        test_index=rows[num_train:],
    )


def read_checkpoints(
    folder: Path, params: LegacyParams, config: TrainConfig
) -> list[LegacyCheckpoint]:
    """Read the weight files of a run, as many as there are.

    Args:
        folder: holds files named CHECKPOINT_{i}_{suffix}.pt, and perhaps the final
            model_{suffix}.pt.
        params: the run's parameters, which give the suffix and the steps.
        config: the same in our terms.

    Returns:
        the checkpoints by ascending step; the final weights come after n_batches steps.

    Raises:
        LambdascopeError: there is no such folder or file in it, or one of the files is truncated,
            holds anything but tensors, or tensors that are not those of the run.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LambdascopeError(f"the checkpoints folder {folder} does not exist: give a folder")
    pattern = re.compile(rf"CHECKPOINT_(\d+)_{re.escape(params.suffix)}\.pt")
    found: dict[int, Path] = {}
    for path in folder.iterdir():
        match = pattern.fullmatch(path.name)
        if match:
            found[int(match[1]) * params.steps_between_checkpoints] = path
    final = folder / f"model_{params.suffix}.pt"
    if final.is_file():
        found[params.n_batches] = final
    if not found:
        raise LambdascopeError(
            f"{folder} holds no weights of this run: they should be named "
            f"CHECKPOINT_0_{params.suffix}.pt and so on, or model_{params.suffix}.pt"
        )
    if max(found) > params.n_batches:
        raise LambdascopeError(
            f"{found[max(found)]} would come before step {max(found)}, where the parameters tell "
            "of "
            f"n_batches={params.n_batches}: give the files of the same run"
        )
    return [
        LegacyCheckpoint(step, path.name, read_weights(path, config))
        for step, path in sorted(found.items())
    ]


def read_weights(path: Path, config: TrainConfig) -> dict[str, Tensor]:
    """Read one of the older code's weight files as a state dict of our network.

    The file is a pickle; only tensors and plain containers in it are accepted, and nothing in it is
    executed.

    Raises:
        LambdascopeError: the file is missing, truncated, holds anything but tensors, lacks a
            tensor, has one too many or of another shape, or holds NaN.
    """
    held = _unpickle(path)
    names = {"embedding": "embedding", "linear_right": "linear1r", "unembedding": "linear2"}
    names["linear_left"] = "linear1r" if config.tie_linear else "linear1l"
    wanted = ModularAdditionMLP(config).state_dict()
    weights = {}
    for name, like in wanted.items():
        module, _, kind = name.partition(".")
        old = f"{names[module]}.{kind}"
        if old not in held:
            raise LambdascopeError(
                f"{path} lacks the tensor {old}: these parameters ask for it, give weights of the "
                "same run"
            )
        tensor = held.pop(old)
        if tensor.shape != like.shape:
            raise LambdascopeError(
                f"{path}: the tensor {old} has shape {list(tensor.shape)}, where the parameters "
                f"ask for {list(like.shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise LambdascopeError(
                f"{path}: the tensor {old} holds NaN or an infinity, where every entry should be "
                "finite"
            )
        weights[name] = tensor.to(like.dtype).clone()
    unused = {"linear1l.weight", "linear1l.bias"} if config.tie_linear else set()
    extra = sorted(set(held) - unused)
    if extra:
        raise LambdascopeError(
            f"{path} holds the unexpected tensor {extra[0]}: these parameters tell of none, give "
            "weights of the same run"
        )
    return weights


def _unpickle(path: Path) -> dict[str, Tensor]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise LambdascopeError(f"the weights {path} do not exist: give a file") from error
    except pickle.UnpicklingError as error:
        raise LambdascopeError(
            f"{path} is truncated or holds more than tensors, which is refused unexecuted: give a "
            "state dict as the older code saved it"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError) as error:
        raise LambdascopeError(
            f"{path} is truncated or is no file of torch.save: give a whole one"
        ) from error
    if not isinstance(held, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in held.items()
    ):
        raise LambdascopeError(f"{path} should hold a state dict: a tensor for each name")
    return dict(held)
