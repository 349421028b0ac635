"""What a training step sees: minibatches, each run's from its own stream, or the training set."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData
from lambdascope.modular_addition.streams import Stream, generator

# Rows drawn at once for a run. Part of every result: a block is one stretch of the random stream.
_ROWS_IN_BLOCK = 2**14


class Minibatches:
    """The minibatches of several runs, step by step.

    A run's minibatch at a step is a function of its seed, batch size, data and the step alone: the
    stream is cut into blocks, each with its own generator, so that it can be entered at any step.

    Args:
        configs: one a run, of equal p and batch_size.
        data: each run's data.
    """

    def __init__(self, configs: Sequence[TrainConfig], data: Sequence[ModularData]) -> None:
        self._configs = configs
        self._data = data
        self._targets = torch.stack([run.targets for run in data])
        self._batch_size = configs[0].batch_size
        self._block_length = max(1, _ROWS_IN_BLOCK // self._batch_size)
        self._block = -1
        self._tokens = self._labels = torch.empty(0)

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """The minibatches of a step: tokens [run, batch, 2] and labels [run, batch], int64."""
        block, place = divmod(step, self._block_length)
        if block != self._block:
            self._draw(block)
        return self._tokens[place], self._labels[place]

    def _draw(self, block: int) -> None:
        rows = torch.stack(
            [self._rows(*run, block) for run in zip(self._configs, self._data, strict=True)]
        )
        labels = self._targets.gather(1, rows.flatten(1)).view_as(rows)
        # [run, step, batch] → [step, run, batch], so that each step is one contiguous piece.
        self._labels = labels.transpose(0, 1).contiguous()
        self._tokens = self._data[0].inputs[rows.transpose(0, 1)]
        self._block = block

    def _rows(self, config: TrainConfig, data: ModularData, block: int) -> Tensor:
        """Rows of all pairs: [step, batch]."""
        drawn = torch.randint(
            len(data.train_index),
            (self._block_length, self._batch_size),
            generator=generator(Stream.MINIBATCHES, config.seed, block),
        )
        return data.train_index[drawn]


class FullBatch:
    """The whole training set of several runs, in every step.

    Args:
        data: each run's data, of equal p and equally many training pairs.

    Raises:
        LambdascopeError: the training sets differ in size.
    """

    def __init__(self, data: Sequence[ModularData]) -> None:
        sizes = sorted({len(run.train_index) for run in data})
        if len(sizes) > 1:
            raise LambdascopeError(
                f"full_batch with training sets of {' and '.join(map(str, sizes))} pairs: runs of "
                "one batch should have the same train_fraction"
            )
        parts = [run.train for run in data]
        self._tokens = torch.stack([tokens for tokens, _ in parts])
        self._labels = torch.stack([labels for _, labels in parts])

    def at(self, step: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002 (every step is the same)
        """The training sets: tokens [run, num_train, 2] and labels [run, num_train], int64."""
        return self._tokens, self._labels
