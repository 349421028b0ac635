"""What modes look like in an embedding that holds no circuit."""

from functools import lru_cache

import numpy
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import mode_magnitudes

SMALLEST_P = 5
"""Below, there are too few modes to tell a circuit from noise."""

_DRAWS = 20_000
_SEED = 20_231_107


def power_ratios(embedding: Tensor) -> Tensor:
    """The power of each mode over the median of all modes' powers.

    The median stands for the noise: it needs no scale to be given, and holds for as long as fewer
    than half of the modes are circuits.

    Args:
        embedding: [p, embed_dim], one row a token, p ≥ 5.

    Returns:
        [p//2], dimensionless; entry i is mode i + 1. Infinite where the median is 0, NaN where all
        are.

    Raises:
        LambdascopeError: the embedding has another shape.
    """
    if embedding.dim() != 2 or len(embedding) < SMALLEST_P:
        raise LambdascopeError(
            f"embedding has shape {list(embedding.shape)}: [p, embed_dim] with p ≥ {SMALLEST_P} is "
            "accepted"
        )
    power = mode_magnitudes(embedding)[..., 1:].square()
    return power / power.median()


@lru_cache(maxsize=64)
def power_ratio_threshold(p: int, embed_dim: int, error_rate: float) -> float:
    """What the largest power ratio of a random embedding exceeds with the error rate only.

    The embedding's entries are independent normal numbers of any one scale. Its modes' powers are
    then independent: chi-squared of 2·embed_dim degrees of freedom, of embed_dim for the mode p/2
    of even p, with the same mean. 20,000 such embeddings are drawn, always the same ones, so the
    rate itself is known to √(rate/20,000): 1 % to within 0.07 points.

    Args:
        p: the modulus, ≥ 5.
        embed_dim: coordinates of a token.
        error_rate: 0 to 1, of all modes of an embedding together.

    Returns:
        a power ratio, dimensionless.

    Raises:
        LambdascopeError: the error rate is impossible.
    """
    if not 1 / _DRAWS < error_rate < 1:
        raise LambdascopeError(
            f"error_rate={error_rate}: it should be above {1 / _DRAWS:g} and below 1"
        )
    shape = numpy.full(p // 2, float(embed_dim))
    if p % 2 == 0:
        shape[-1] /= 2
    # A chi-squared variable over its degrees of freedom is a gamma variable over its shape.
    draws = numpy.random.default_rng(_SEED).gamma(shape, size=(_DRAWS, p // 2)) / shape
    # torch.median takes the lower of two middle values; so must this.
    middle = numpy.sort(draws, axis=1)[:, (p // 2 - 1) // 2]
    return float(numpy.quantile(draws.max(axis=1) / middle, 1 - error_rate))
