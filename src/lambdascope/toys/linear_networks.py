"""Reduced-rank regression and deep linear networks, at a true parameter, with a teacher's data."""

from collections.abc import Sequence

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

    Exactly one of `rank` and `layer_ranks` is given: with `rank`, all layers have that rank and λ
    is the model's own; with `layer_ranks`, λ around w* may be larger than the model's.

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
    layers, ranks = teacher(sizes, rank if layer_ranks is None else layer_ranks, rng)  # type: ignore[arg-type]
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


def teacher(
    widths: Sequence[int], rank: int | Sequence[int], rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Weights of a teacher, and the ranks of all products of consecutive layers.

    Each width has a random orthonormal frame, and a layer of rank k maps the first k vectors of one
    onto those of the next. So every product of layers has the rank that layers drawn at random have
    almost surely, the least on its way; but singular values are 1 and 0, and the loss is curved by
    1 to L (the number of layers) in every direction that is curved at all. λ depends on the ranks
    alone; with Gaussian layers a finite sample would miss the many directions that are nearly flat.

    Args:
        widths: H_0 … H_L.
        rank: One for all layers and their products, or one for each layer.
        rng: The source of randomness.

    Returns:
        The layers, each [H_l, H_{l−1}], and the ranks as `theory.deep_linear_network_at` takes
        them, [L+1, L+1].
    """
    sizes = widths_of(widths)
    if isinstance(rank, int):
        shared = whole("rank", rank, 0, min(sizes))
        own: Sequence[int] = [shared] * (len(sizes) - 1)
        ranks = np.full((len(sizes), len(sizes)), shared)
    else:
        own, ranks = rank, generic_ranks(sizes, rank)
    frames = [np.linalg.qr(rng.normal(size=(size, size)))[0] for size in sizes]
    layers = [
        after[:, :k] @ before[:, :k].T
        for before, after, k in zip(frames, frames[1:], own, strict=False)
    ]
    return layers, ranks
