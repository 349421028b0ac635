"""Networks with circuits planted by formula: what a search for circuits is held against."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.probing import logits_with, token_embedding

_UNITS = 8
"""Hidden units of a circuit: two for each product of a cosine or sine of a and one of b."""


def planted_network(
    p: int,
    frequencies: Sequence[int],
    *,
    embed_dim: int,
    signal_to_noise: float,
    seed: int,
) -> ModularAdditionMLP:
    """A network that adds with chosen modes and whose embedding is noisy.

    The embedding is noise, independent and normal, plus for each frequency a circle in a random
    plane. The hidden units square what they read off those planes, and from
    4xy = (x + y)² − (x − y)² the unembedding makes cos(w_k(a + b − c)). The logits' size is the one
    of least loss: the network is as sure as its noise allows.

    Args:
        p: the modulus, ≥ 5.
        frequencies: distinct, each 1 … (p − 1)//2.
        embed_dim: coordinates of a token, at least two for each frequency.
        signal_to_noise: magnitude of a planted mode, before the noise is added, over the root mean
            square magnitude of a mode of the noise.
        seed: decides noise and planes.

    Raises:
        LambdascopeError: a frequency does not exist or is given twice, there is none, the embedding
            has too few coordinates, or the signal is impossible.
    """
    mode_mask(p, frequencies)
    count = len(frequencies)
    if not count or len(set(frequencies)) < count or 2 * max(frequencies) >= p:
        raise LambdascopeError(
            f"frequencies={list(frequencies)}: at least one, each once, from 1 to {(p - 1) // 2} "
            f"are accepted at p={p}"
        )
    if embed_dim < 2 * count:
        raise LambdascopeError(
            f"embed_dim={embed_dim} has no room for {count} circles: it should be at least "
            f"{2 * count}"
        )
    if not 0 <= signal_to_noise < math.inf:
        raise LambdascopeError(f"signal_to_noise={signal_to_noise}: a number from 0 on is accepted")
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(p, embed_dim, generator=random, dtype=torch.float64)
    square = torch.randn(embed_dim, embed_dim, generator=random, dtype=torch.float64)
    planes = torch.linalg.qr(square).Q[:, : 2 * count].T.reshape(count, 2, embed_dim)
    # A mode of the noise has mean square magnitude p·embed_dim, a circle of radius r (p·r)²/2.
    radius = signal_to_noise * math.sqrt(2 * embed_dim / p)
    circles = [_circle(p, k) @ plane for k, plane in zip(frequencies, planes, strict=True)]
    config = TrainConfig(
        p=p, embed_dim=embed_dim, hidden_size=_UNITS * count, activation="quadratic"
    )
    network = ModularAdditionMLP(config).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.embedding.weight.copy_(noise + radius * torch.stack(circles).sum(0))
        for place, (k, plane) in enumerate(zip(frequencies, planes, strict=True)):
            # Without a signal there is only noise to read: the scale doesn't matter.
            _add_circuit(network, place, _circle(p, k), plane / (radius or 1.0))
        network.unembedding.weight.mul_(_best_scale(network))
    return network


def _circle(p: int, k: int) -> Tensor:
    """Cos and sin(2πkt/p): [p, 2] float64."""
    angle = 2 * math.pi * k / p * torch.arange(p, dtype=torch.float64)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def _add_circuit(network: ModularAdditionMLP, place: int, circle: Tensor, plane: Tensor) -> None:
    """Write the units and readings of one circuit into the weights, which are zero there."""
    unit = place * _UNITS
    cos_c, sin_c = circle.unbind(1)
    # cos(w(a + b)) = cc − ss is read by cos(wc), sin(w(a + b)) = sc + cs by sin(wc).
    readings = {(0, 0): cos_c, (1, 1): -cos_c, (1, 0): sin_c, (0, 1): sin_c}
    for (left, right), reading in readings.items():
        for sign in (1, -1):
            network.linear_left.weight[unit] = plane[left]
            network.linear_right.weight[unit] = sign * plane[right]
            network.unembedding.weight[:, unit] = sign * reading / 4
            unit += 1


def _best_scale(network: ModularAdditionMLP) -> float:
    """The factor on the logits at which the mean cross-entropy of addition is least."""
    p = network.p
    token = torch.arange(p)
    logits = logits_with(network, token_embedding(network)[None])[0].reshape(p * p, p)
    answers = ((token[:, None] + token) % p).reshape(-1)
    low, high = math.log(1e-3), math.log(1e3)

    def slope(log_scale: float) -> float:
        # The loss is convex in the scale: its derivative changes sign once.
        shares = torch.softmax(logits * math.exp(log_scale), dim=1)
        right = logits.gather(1, answers[:, None])[:, 0]
        return ((shares * logits).sum(1) - right).mean().item()

    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return math.exp(low)
