"""Losses of networks whose embedding keeps, or lacks, chosen Fourier modes."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.data import ModularData
from lambdascope.modular_addition.evaluation import StackedNetwork, pair_losses, runs_at_once
from lambdascope.modular_addition.projections import (
    keep_mode_span,
    keep_modes,
    remove_mode_span,
    remove_modes,
)

Space = Literal["tokens", "embedding"]
_Projection = Callable[[Tensor, Tensor], Tensor]

_KEEP: dict[str, _Projection] = {"tokens": keep_modes, "embedding": keep_mode_span}
_REMOVE: dict[str, _Projection] = {"tokens": remove_modes, "embedding": remove_mode_span}


@dataclass(frozen=True)
class SplitMetrics:
    """Losses and accuracies on training and test set, each [checkpoint, set] float64.

    Attributes:
        train_loss: mean cross-entropy in nats; likewise `test_loss`, NaN if the test set is empty.
        test_loss: see above.
        train_accuracy: share of pairs whose label has the only largest logit; likewise test.
        test_accuracy: see above, NaN if the test set is empty.
    """

    train_loss: Tensor
    test_loss: Tensor
    train_accuracy: Tensor
    test_accuracy: Tensor


def losses_with_modes_kept(
    network: StackedNetwork,
    weights: Mapping[str, Tensor],
    data: ModularData,
    mask: Tensor,
    *,
    space: Space = "tokens",
) -> SplitMetrics:
    """Evaluate networks of whose embedding only chosen modes are kept, with the mean over tokens.

    With a tied unembedding the embedding serves at both ends, and is changed at both.

    Args:
        network: whose shape the checkpoints have; its own weights are not used.
        weights: parameter name → [checkpoint, …], `embedding.weight` [checkpoint, p, embed_dim]
            among them (with the token = one row more, which has no part in the modes).
        data: the pairs, labels and split.
        mask: [set, p//2 + 1] bool, the sets of modes (see `mode_mask`, `single_modes`), or
            [checkpoint, set, p//2 + 1] for sets that differ between checkpoints.
        space: how modes are kept, in token space or in embedding space (see `projections`).

    Returns:
        metrics, each [checkpoint, set].

    Raises:
        LambdascopeError: space is unknown, or embedding or mask has the wrong shape.
    """
    keep = _in(space, _KEEP)
    embeddings = keep(weights["embedding.weight"][:, None, : network.p], mask)
    return losses_with_embeddings(network, weights, data, embeddings)


def losses_with_modes_removed(
    network: StackedNetwork,
    weights: Mapping[str, Tensor],
    data: ModularData,
    mask: Tensor,
    *,
    space: Space = "tokens",
) -> SplitMetrics:
    """Evaluate networks from whose embedding chosen modes are removed; see the function above."""
    remove = _in(space, _REMOVE)
    embeddings = remove(weights["embedding.weight"][:, None, : network.p], mask)
    return losses_with_embeddings(network, weights, data, embeddings)


@torch.no_grad()
def losses_with_embeddings(
    network: StackedNetwork, weights: Mapping[str, Tensor], data: ModularData, embeddings: Tensor
) -> SplitMetrics:
    """Evaluate checkpoints with other embeddings put in.

    Chunks of networks are small enough for the cache and run on several threads, one each: the
    result does not depend on how many.

    Args:
        network: whose shape the checkpoints have; its own weights are not used.
        weights: parameter name → [checkpoint, …].
        data: the pairs, labels and split.
        embeddings: [checkpoint, set, p, embed_dim]; rows of the embedding beyond p (the token =)
            stay as they are.

    Returns:
        metrics, each [checkpoint, set].
    """
    num_checkpoints, num_sets = embeddings.shape[:2]
    size = runs_at_once(network.p)
    pieces = [
        (checkpoint, start)
        for checkpoint in range(num_checkpoints)
        for start in range(0, num_sets, size)
    ]
    rows = embeddings.new_empty(4, num_checkpoints, num_sets, dtype=torch.float64)

    @torch.no_grad()
    def evaluate(piece: tuple[int, int]) -> None:
        torch.set_num_threads(1)
        checkpoint, start = piece
        numbers = embeddings[checkpoint, start : start + size]
        count = len(numbers)
        part = {name: t[checkpoint].expand(count, *t.shape[1:]) for name, t in weights.items()}
        put_in = torch.cat([numbers, part["embedding.weight"][:, network.p :]], dim=1)
        loss, correct = pair_losses(
            network,
            {**part, "embedding.weight": put_in},
            data.inputs,
            data.targets.expand(count, -1),
        )
        each = (loss.double(), correct.double())
        means = [m[:, i].mean(1) for m in each for i in (data.train_index, data.test_index)]
        rows[:, checkpoint, start : start + size] = torch.stack(means)

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(min(threads, os.cpu_count() or 1)) as pool:
            # A list, so that an error in a thread is raised here.
            list(pool.map(evaluate, pieces))
    finally:
        torch.set_num_threads(threads)
    train_loss, test_loss, train_accuracy, test_accuracy = rows
    return SplitMetrics(train_loss, test_loss, train_accuracy, test_accuracy)


def _in(space: str, functions: Mapping[str, _Projection]) -> _Projection:
    if space not in functions:
        raise LambdascopeError(f"space={space!r}: tokens or embedding is accepted")
    return functions[space]
