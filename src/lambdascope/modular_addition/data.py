"""The p² pairs, their labels, and the split into a training and a test set."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from lambdascope.modular_addition.config import Task, TrainConfig
from lambdascope.modular_addition.streams import Stream, generator


@dataclass(frozen=True)
class ModularData:
    """All pairs with their labels, and which of them are trained on.

    Attributes:
        inputs: [p², 2] int64, the pairs (a, b); row a·p + b.
        targets: [p²] int64, the labels, 0 … p − 1.
        train_index: [num_train] int64, rows of the training set.
        test_index: [num_test] int64, the other rows; empty if all pairs are trained on.
    """

    inputs: Tensor
    targets: Tensor
    train_index: Tensor
    test_index: Tensor

    @property
    def train(self) -> tuple[Tensor, Tensor]:
        """The training set: inputs [num_train, 2] and targets [num_train]."""
        return self.inputs[self.train_index], self.targets[self.train_index]

    @property
    def test(self) -> tuple[Tensor, Tensor]:
        """The test set: inputs [num_test, 2] and targets [num_test]."""
        return self.inputs[self.test_index], self.targets[self.test_index]


def make_data(config: TrainConfig) -> ModularData:
    """Make the pairs, the labels and a split drawn uniformly by the data seed.

    Args:
        config: p, task, train_fraction and the seeds are read.
    """
    split = generator(Stream.SPLIT, config.resolved_data_seed)
    order = torch.randperm(config.p**2, generator=split)
    return ModularData(
        inputs=all_pairs(config.p),
        targets=label_table(config.p, config.task, config.resolved_data_seed).reshape(-1),
        train_index=order[: config.num_train],
        test_index=order[config.num_train :],
    )


def all_pairs(p: int) -> Tensor:
    """The pairs (a, b) as [p², 2] int64, row a·p + b."""
    token = torch.arange(p)
    return torch.cartesian_prod(token, token)


def label_table(p: int, task: Task, seed: int) -> Tensor:
    """The label of every pair.

    Random labels are the older code's: int(sha256(str(seed) + str(v)), base 16) mod p, with
    v = 2ap + b, or v = 2abp + a + b for the commutative kind.

    Args:
        p: the modulus, ≥ 2.
        task: which labels.
        seed: decides random labels; unused for addition.

    Returns:
        [p, p] int64; row a, column b.
    """
    token = torch.arange(p)
    if task == "addition":
        return (token[:, None] + token[None, :]) % p
    if task == "random":
        values = [[2 * a * p + b for b in range(p)] for a in range(p)]
    else:
        values = [[2 * a * b * p + a + b for b in range(p)] for a in range(p)]
    return torch.tensor([[_hash(seed, value) % p for value in row] for row in values])


def _hash(seed: int, value: int) -> int:
    return int(hashlib.sha256(f"{seed}{value}".encode()).hexdigest(), 16)
