"""Which modes the answer rests on, judged where the answer is in doubt.

A network that is sure of itself, or that holds more circuits than it needs, has a loss of 0 with or
without any one of them. So the loss is taken of the logits times a factor that brings it to a given
share of ln p, the loss of guessing: there each circuit counts, whether or not the others would do
without it, and the logits' own size does not matter.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lambdascope.modular_addition.architectures import Network
from lambdascope.modular_addition.data import all_pairs
from lambdascope.modular_addition.modes import mode_mask, single_modes
from lambdascope.modular_addition.probing import logits_with, losses_with
from lambdascope.modular_addition.projections import keep_modes, remove_modes

_HALVINGS = 25
_SMALLEST, _LARGEST = 1e-3, 1e4
"""Factors tried, times the largest difference between an answer's logit and another's."""


def doubtful_scale(network: Network, embedding: Tensor, loss_share: float) -> float:
    """The factor on the logits at which the answer is in doubt.

    The smallest at which the loss of addition falls to the share of ln p. Where it never does, the
    factor of least loss.

    Args:
        network: gives all other weights.
        embedding: [p, embed_dim] float64.
        loss_share: above 0, below 1.

    Returns:
        above 0, dimensionless; 1 where all logits are equal.
    """
    p = network.p
    logits = logits_with(network, embedding[None])[0].reshape(p * p, p)
    answers = all_pairs(p).sum(1) % p
    margins = logits - logits.gather(1, answers[:, None])
    size = margins.abs().max().item()
    if size == 0:
        return 1.0
    low, high = math.log(_SMALLEST / size), math.log(_LARGEST / size)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        scaled = margins * math.exp(middle)
        top = scaled.amax(1, keepdim=True)
        weights = (scaled - top).exp_()
        total = weights.sum(1)
        # The loss is convex in the factor: it falls to the share, or to its minimum before.
        reached = (total.log() + top[:, 0]).mean() <= loss_share * math.log(p)
        rising = ((weights * margins).sum(1) / total).sum() > 0
        low, high = (low, middle) if reached or rising else (middle, high)
    return math.exp((low + high) / 2)


def modes_that_matter(
    network: Network,
    embedding: Tensor,
    modes: Sequence[int],
    noise: Sequence[int],
    loss_share: float,
) -> list[int]:
    """The modes without which the loss rises more than by any mode of the noise.

    Removed from the whole embedding, each must raise the loss by more than removing any mode of the
    noise does. Then, among themselves, each left out must raise it by more than putting in any mode
    of the noise lowers it; the weakest is dropped first, and the others are judged again.

    Args:
        network: gives all other weights.
        embedding: [p, embed_dim] float64.
        modes: to judge, each 1 … p//2.
        noise: modes that are none of them.
        loss_share: of ln p, at which the loss is taken, of the whole embedding and then of the
            modes alone.

    Returns:
        those of the modes, in their order.
    """
    if not modes:
        return []
    scale = doubtful_scale(network, embedding, loss_share)
    loss = losses_with(network, embedding[None], scale=scale)[0].item()
    removed = losses_without(network, embedding, [*modes, *noise], scale=scale)
    floor = max([0.0, *(removed[mode] - loss for mode in noise)])
    chosen = [mode for mode in modes if removed[mode] - loss > floor]
    while chosen:
        others = [[mode for mode in chosen if mode != left_out] for left_out in chosen]
        embeddings = kept_sets(embedding, [chosen, *others, *([*chosen, k] for k in noise)])
        scale = doubtful_scale(network, embeddings[0], loss_share)
        losses = losses_with(network, embeddings, scale=scale)[0].tolist()
        kept, without, more = losses[0], losses[1 : len(chosen) + 1], losses[len(chosen) + 1 :]
        floor = max([0.0, *(kept - each for each in more)])
        weakest = min(range(len(chosen)), key=lambda place: without[place])
        if without[weakest] - kept > floor:
            break
        chosen = others[weakest]
    return chosen


def losses_without(
    network: Network, embedding: Tensor, modes: Sequence[int], *, scale: float = 1.0
) -> dict[int, float]:
    """Loss without each of the modes, in nats, of the logits times the scale: mode → loss."""
    if not modes:
        return {}
    masks = single_modes(network.p)[[mode - 1 for mode in modes]]
    losses, _ = losses_with(network, remove_modes(embedding[None], masks), scale=scale)
    return dict(zip(modes, losses.tolist(), strict=True))


def kept_sets(embedding: Tensor, sets: Sequence[Sequence[int]]) -> Tensor:
    """Embeddings that keep each set of modes: [set, p, embed_dim]."""
    if not sets:
        return embedding.new_empty(0, *embedding.shape)
    masks = torch.stack([mode_mask(len(embedding), modes) for modes in sets])
    return keep_modes(embedding[None], masks)
