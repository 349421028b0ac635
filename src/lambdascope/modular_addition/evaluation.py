"""Losses and accuracies of many runs on their whole training and test sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lambdascope.modular_addition.data import ModularData
from lambdascope.threads import one_thread

# Logits are computed for as many runs at once as fit into this many numbers, though at least one:
# 1 MB in float32, so that they stay in the cache between the passes over them.
_MAX_LOGITS = 2**18


class StackedNetwork(Protocol):
    """A network whose logits can be computed for many sets of weights at once."""

    @property
    def p(self) -> int:
        """The modulus."""
        ...

    def stacked_logits(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Logits [run, p, batch] of weights name → [run, …] for tokens [run, batch, 2]."""
        ...


@dataclass(frozen=True)
class Metrics:
    """How a network does on its whole training and test sets.

    Attributes:
        train_loss: mean cross-entropy in nats; likewise `test_loss`, NaN if the test set is empty.
        test_loss: see above.
        train_accuracy: share of pairs whose label has the largest logit, alone; likewise test.
        test_accuracy: see above, NaN if the test set is empty.
        weight_norm: √(sum of squares of all parameters), frozen ones among them.
    """

    train_loss: float
    test_loss: float
    train_accuracy: float
    test_accuracy: float
    weight_norm: float


@torch.no_grad()
@one_thread()
def evaluate(
    network: StackedNetwork, weights: Mapping[str, Tensor], data: Sequence[ModularData]
) -> list[Metrics]:
    """Evaluate runs of one shape, on one thread: the chunks are too small to share out.

    Args:
        network: whose shape the runs have; its own weights are not used.
        weights: name → [run, …].
        data: each run's data, all of the same p.

    Returns:
        one Metrics a run.
    """
    inputs = data[0].inputs
    squares = sum(tensor.double().square().flatten(1).sum(1) for tensor in weights.values())
    norms = torch.as_tensor(squares).sqrt().tolist()
    chunk = runs_at_once(network.p)
    metrics = []
    for start in range(0, len(data), chunk):
        part = {name: tensor[start : start + chunk] for name, tensor in weights.items()}
        runs = data[start : start + chunk]
        loss, correct = pair_losses(
            network, part, inputs, torch.stack([run.targets for run in runs])
        )
        for run, run_loss, run_correct in zip(runs, loss.double(), correct.double(), strict=True):
            metrics.append(
                Metrics(
                    train_loss=run_loss[run.train_index].mean().item(),
                    test_loss=run_loss[run.test_index].mean().item(),
                    train_accuracy=run_correct[run.train_index].mean().item(),
                    test_accuracy=run_correct[run.test_index].mean().item(),
                    weight_norm=norms[start],
                )
            )
            start += 1
    return metrics


def runs_at_once(p: int) -> int:
    """Of how many runs the logits of all p² pairs are computed at once, for speed."""
    return max(1, _MAX_LOGITS // p**3)


def pair_losses(
    network: StackedNetwork, weights: Mapping[str, Tensor], inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each pair, and whether the label has the only largest logit.

    Args:
        network: whose shape the runs have; its own weights are not used.
        weights: name → [run, …].
        inputs: [pair, 2] int64, the same for all runs.
        targets: [run, pair] int64.

    Returns:
        loss [run, pair] float64 in nats, correct [run, pair] bool: whether the label has the
        largest logit and no other has the same, so that a network whose logits all tie knows
        nothing.
    """
    logits = network.stacked_logits(weights, inputs.expand(len(targets), -1, -1))
    # Minus the log-probability of the label, by hand: logits are [run, p, pair].
    top = logits.amax(1, keepdim=True)
    margin = (top - logits.gather(1, targets[:, None, :])).squeeze(1)
    correct = (margin == 0) & ((logits == top).sum(1) == 1)
    # The sum in double: in float32, one that differs from 1 by less than 1e-7 would be a loss of 0.
    return margin + logits.sub_(top).exp_().sum(1, dtype=torch.float64).log(), correct
