"""Deep linear networks of many shapes as one: so that their chains run as one batch.

A network of widths H_0 … H_L is the corner of a larger one whose other elements are zero and stay
there, followed by identities that stay put. Loss, gradient, parameters that move and λ are the
same; one compiled step serves all networks of a class.
"""

from collections.abc import Sequence

import numpy as np
import torch

from lambdascope.posterior.losses import GaussianNLL
from lambdascope.posterior.restrictions import ElementMask
from lambdascope.theory import deep_linear_network, deep_linear_network_at
from lambdascope.theory.checks import whole
from lambdascope.toys.linear_networks import DeepLinear, teacher
from lambdascope.toys.network_classes import NetworkClass
from lambdascope.toys.toy import Toy


def random_networks(
    kind: NetworkClass, num_networks: int, *, num_samples: int = 10_000, seed: int = 0
) -> list[Toy]:
    """Networks drawn from a class, at their teachers' weights, padded to one shape.

    Args:
        kind: The class, from `NETWORK_CLASSES`.
        num_networks: How many.
        num_samples: n.
        seed: Of architectures, weights and data.

    Raises:
        LambdascopeError: for impossible numbers.
    """
    rng = np.random.default_rng(whole("seed", seed, 0))
    draws = [kind.draw(rng) for _ in range(whole("num_networks", num_networks, 1))]
    return padded_networks(draws, num_samples=num_samples, seed=seed)


def padded_networks(
    networks: Sequence[tuple[Sequence[int], Sequence[int] | int]],
    *,
    num_samples: int = 10_000,
    seed: int = 0,
) -> list[Toy]:
    """Linear networks at their teachers' weights, padded to one shape.

    Each is what `deep_linear` makes of its widths and ranks; inputs are the same for all, targets
    free of noise, the loss ½‖y − f(x)‖².

    Args:
        networks: Of each, its widths H_0 … H_L and either the rank of each layer (drawn
            independently) or one rank (that of the most singular true parameter).
        num_samples: n.
        seed: Of weights and data.

    Raises:
        LambdascopeError: for impossible widths, ranks or numbers.
    """
    rng = np.random.default_rng(whole("seed", seed, 0))
    num_samples = whole("num_samples", num_samples, 1)
    depth = max(len(widths) - 1 for widths, _ in networks)
    width = max(max(widths) for widths, _ in networks)
    inputs = torch.tensor(rng.normal(size=(num_samples, width)), dtype=torch.float32)
    toys = []
    for widths, rank in networks:
        layers, ranks = teacher(widths, rank, rng)
        module, mask = _in_the_corner(layers, depth, width)
        with torch.no_grad():
            targets = module(inputs)
        toys.append(
            Toy(
                f"{'-'.join(map(str, widths))}, rank {int(ranks[0, -1])}",
                module,
                (inputs, targets),
                GaussianNLL(),
                deep_linear_network_at(widths, ranks),
                model=deep_linear_network(widths, int(ranks[0, -1])),
                mask=mask,
            )
        )
    return toys


def _in_the_corner(
    layers: Sequence[np.ndarray], depth: int, width: int
) -> tuple[DeepLinear, ElementMask]:
    """The padded network, and which of its elements are the parameters."""
    padded, free = [], {}
    for i in range(depth):
        own = torch.zeros(width, width, dtype=torch.bool)
        weights = torch.eye(width)
        if i < len(layers):
            rows, columns = layers[i].shape
            own[:rows, :columns] = True
            weights = torch.zeros(width, width)
            weights[:rows, :columns] = torch.tensor(layers[i])
        padded.append(weights)
        free[f"layers.{i}"] = own
    return DeepLinear(padded), ElementMask(free)
