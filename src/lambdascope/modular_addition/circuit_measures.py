"""What given modes of a network are and do, circuits or not: for following them over training."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lambdascope.modular_addition.architectures import Network, check_architecture
from lambdascope.modular_addition.logit_waves import sum_wave_shares
from lambdascope.modular_addition.maps import token_maps
from lambdascope.modular_addition.modes import mode_magnitudes, mode_mask
from lambdascope.modular_addition.probing import (
    logits_with,
    losses_with,
    own_weights,
    token_embedding,
)
from lambdascope.modular_addition.projections import keep_modes, remove_modes


@dataclass(frozen=True)
class ModeMeasures:
    """One mode of a network.

    Attributes:
        frequency: k.
        magnitudes: map of the network with one row a token (`token_maps`) → magnitude of the mode.
        logit_share: share of the logits' variance in cos and sin(w_k(a + b − c)).
        loss_alone: loss of addition on all pairs, in nats, when the embedding keeps this mode only.
        loss_removed: when the embedding lacks it.
    """

    frequency: int
    magnitudes: dict[str, float]
    logit_share: float
    loss_alone: float
    loss_removed: float


def measure_modes(network: Network, modes: Sequence[int]) -> list[ModeMeasures]:
    """Measure modes of a network.

    Args:
        network: of a known architecture.
        modes: each 1 … p//2.

    Raises:
        LambdascopeError: the architecture is unknown, or a mode does not exist.
    """
    network = check_architecture(network)
    if not modes:
        return []
    embedding = token_embedding(network)
    masks = torch.stack([mode_mask(network.p, [mode]) for mode in modes])
    alone, _ = losses_with(network, keep_modes(embedding[None], masks))
    removed, _ = losses_with(network, remove_modes(embedding[None], masks))
    shares = sum_wave_shares(logits_with(network, embedding[None])[0])
    weights = {name: tensor[0] for name, tensor in own_weights(network).items()}
    magnitudes = {name: mode_magnitudes(each) for name, each in token_maps(weights).items()}
    return [
        ModeMeasures(
            mode,
            {name: each[mode].item() for name, each in magnitudes.items()},
            shares[mode].item(),
            alone[place].item(),
            removed[place].item(),
        )
        for place, mode in enumerate(modes)
    ]
