"""Reduced-rank regression and deep linear networks, at a true parameter, with a teacher's data."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.losses import GaussianNLL
from lambdascope.posterior.scalars import non_negative, positive
from lambdascope.theory import deep_linear_network, deep_linear_network_at
from lambdascope.theory.checks import whole, widths_of
from lambdascope.theory.deep_linear_local import generic_ranks
from lambdascope.toys.toy import Toy


class DeepLinear(nn.Module):
    """x ↦ W_L … W_1 x, without biases.

    Args:
        layers: W_1 … W_L, each [H_l, H_{l−1}]; copied.
    """

    def __init__(self, layers: Sequence[Tensor]) -> None:
        super().__init__()
        self.layers = nn.ParameterList([layer.clone() for layer in layers])

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [batch, H_L] of inputs [batch, H_0]."""
        for layer in self.layers:
            inputs = inputs @ layer.T
        return inputs


def deep_linear(
    widths: Sequence[int],
    *,
    rank: int | None = None,
    layer_ranks: Sequence[int] | None = None,
    num_samples: int = 1000,
    noise_std: float = 0.0,
    loss_std: float = 1.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Toy:
    """A deep linear network at its teacher's weights.

    Exactly one of `rank` and `layer_ranks` is given. With `rank`, all layers share one chain of
    subspaces of that dimension, the most singular true parameter of a map of that rank, where λ is
    the model's own. With `layer_ranks`, layers are drawn independently (Gaussian entries of
    variance 1/H_{l−1}, cut to the leading singular values), and λ is that of
    `theory.deep_linear_network_at`.

    Inputs are standard normal; targets are the teacher's outputs, plus noise.

    Args:
        widths: H_0 … H_L, inputs first.
        rank: Rank of all layers and of their product.
        layer_ranks: Rank of each layer W_1 … W_L.
        num_samples: n.
        noise_std: Standard deviation of the noise on the targets.
        loss_std: σ of the loss ‖y − f(x)‖²/(2σ²).
        seed: Of the weights and the data.
        dtype: Of weights and data.

    Raises:
        LambdascopeError: for impossible widths, ranks or numbers, or not exactly one kind of rank.
    """
    sizes = widths_of(widths)
    noise_std = non_negative("noise_std", noise_std)
    loss_std = positive("loss_std", loss_std)
    num_samples = whole("num_samples", num_samples, 1)
    rng = np.random.default_rng(whole("seed", seed, 0))
    if (rank is None) == (layer_ranks is None):
        raise LambdascopeError(
            f"rank={rank!r} with layer_ranks={layer_ranks!r}: exactly one of them is accepted."
        )
    if layer_ranks is not None:
        ranks = generic_ranks(sizes, layer_ranks)
        layers = _independent_layers(sizes, layer_ranks, rng)
    else:
        shared = whole("rank", rank, 0, min(sizes))
        ranks = np.full((len(sizes), len(sizes)), shared)
        layers = _aligned_layers(sizes, shared, rng)
    inputs = rng.normal(size=(num_samples, sizes[0]))
    targets = inputs
    for layer in layers:
        targets = targets @ layer.T
    targets = targets + noise_std * rng.normal(size=targets.shape)
    module = DeepLinear([torch.tensor(layer, dtype=dtype) for layer in layers])
    data = torch.tensor(inputs, dtype=dtype), torch.tensor(targets, dtype=dtype)
    product_rank = int(ranks[0, -1])
    return Toy(
        f"linear {'-'.join(map(str, sizes))}, rank {product_rank}",
        module,
        data,
        GaussianNLL(loss_std),
        deep_linear_network_at(sizes, ranks),
        model=deep_linear_network(sizes, product_rank),
    )


def reduced_rank(
    inputs: int,
    hidden: int,
    outputs: int,
    rank: int,
    *,
    num_samples: int = 1000,
    noise_std: float = 0.0,
    loss_std: float = 1.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Toy:
    """Reduced-rank regression y = B A x at its most singular true parameter, A and B of rank r.

    Args:
        inputs: M, width of x.
        hidden: H, width between.
        outputs: N, width of y.
        rank: r of the true map, of A and of B.
        num_samples: n.
        noise_std: Standard deviation of the noise on the targets.
        loss_std: σ of the loss ‖y − f(x)‖²/(2σ²).
        seed: Of the weights and the data.
        dtype: Of weights and data.

    Raises:
        LambdascopeError: for impossible widths, ranks or numbers.
    """
    return deep_linear(
        (inputs, hidden, outputs),
        rank=rank,
        num_samples=num_samples,
        noise_std=noise_std,
        loss_std=loss_std,
        seed=seed,
        dtype=dtype,
    )


def _independent_layers(
    sizes: Sequence[int], layer_ranks: Sequence[int], rng: np.random.Generator
) -> list[np.ndarray]:
    layers = []
    for before, after, rank in zip(sizes, sizes[1:], layer_ranks, strict=False):
        full = rng.normal(size=(after, before)) / np.sqrt(before)
        left, values, right = np.linalg.svd(full, full_matrices=False)
        layers.append((left[:, :rank] * values[:rank]) @ right[:rank])
    return layers


def _aligned_layers(sizes: Sequence[int], rank: int, rng: np.random.Generator) -> list[np.ndarray]:
    frames = [np.linalg.qr(rng.normal(size=(size, rank)))[0] for size in sizes]
    return [after @ before.T for before, after in pairwise(frames)]
