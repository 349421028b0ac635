"""Progress measures: restricted and excluded logits, and the Gini coefficient of a spectrum.

Source: Nanda et al. 2023, "Progress measures for grokking via mechanistic interpretability"
(arXiv 2301.05217), section 5.
"""

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import real_components


def restricted_logits(logits: Tensor, mask: Tensor) -> Tensor:
    """Keep of the logits the constant and the directions cos and sin(2πk(a + b)/p) of key modes.

    In the two-dimensional Fourier transform over (a, b) those are the entries (0, 0), (k, k) and
    (−k, −k): what a network that adds in these modes needs.

    Args:
        logits: [..., p, p, classes]: a, b, c.
        mask: [..., p//2 + 1] bool, the key modes (see `mode_mask`); entry 0 is not read. Its
            leading dimensions and the logits' are broadcast.

    Returns:
        [..., p, p, classes], in units of the logits.

    Raises:
        LambdascopeError: logits or mask has the wrong shape.
    """
    return logits.mean((-3, -2), keepdim=True) + _sum_directions(logits, mask)


def excluded_logits(logits: Tensor, mask: Tensor) -> Tensor:
    """Remove from the logits what `restricted_logits` keeps, but for the constant.

    Args:
        logits: see there.
        mask: see there.

    Returns:
        [..., p, p, classes], in units of the logits.

    Raises:
        LambdascopeError: logits or mask has the wrong shape.
    """
    return logits - _sum_directions(logits, mask)


def gini(values: Tensor) -> Tensor:
    """The Gini coefficient: 0 where all are equal, near 1 where a few hold everything.

    Σ_ij |x_i − x_j| / (2 n Σ_i x_i), computed from the sorted values.

    Args:
        values: [..., n], none negative.

    Returns:
        [...], dimensionless; NaN where all values are zero.
    """
    count = values.shape[-1]
    ranks = torch.arange(1, count + 1, dtype=values.dtype, device=values.device)
    weighted = (values.sort(-1).values * (2 * ranks - count - 1)).sum(-1)
    return weighted / (count * values.sum(-1))


def spectrum_gini(embedding: Tensor) -> Tensor:
    """The Gini coefficient of the norms of the tokens' Fourier components.

    The components are the p in the orthonormal basis of constant, cosines and sines, as in the
    paper; the norm is taken over the features.

    Args:
        embedding: [..., p, d], one row a token: embedding or unembedding.

    Returns:
        [...], dimensionless.

    Raises:
        LambdascopeError: embedding is no real matrix with at least two tokens.
    """
    return gini(torch.linalg.vector_norm(real_components(embedding), dim=-1))


def _sum_directions(logits: Tensor, mask: Tensor) -> Tensor:
    """The part of the logits along cos and sin(2πk(a + b)/p) of the chosen modes."""
    _check(logits, mask)
    p = logits.shape[-2]
    # The entries (k, k) are the transform, over s = a + b mod p, of the mean over pairs of equal
    # sum: the two-dimensional transform need not be made whole.
    token = torch.arange(p, device=logits.device)
    of_sum = (token[:, None] - token) % p  # [s, b] → a
    by_sum = logits[..., of_sum, token, :].mean(-2)  # [..., s, classes]
    chosen = torch.cat([torch.zeros_like(mask[..., :1]), mask[..., 1:]], dim=-1)
    spectrum = torch.fft.rfft(by_sum, dim=-2) * chosen[..., None]
    kept = torch.fft.irfft(spectrum, n=p, dim=-2)
    return kept[..., (token[:, None] + token) % p, :]


def _check(logits: Tensor, mask: Tensor) -> None:
    shape = list(logits.shape)
    if logits.dim() < 3 or shape[-3] != shape[-2] or shape[-2] < 2:
        raise LambdascopeError(
            f"logits have shape {shape}: [..., p, p, classes], a row for each a and b, is accepted"
        )
    count = shape[-2] // 2 + 1
    if mask.dtype != torch.bool or mask.shape[-1:] != (count,):
        raise LambdascopeError(
            f"mask is {mask.dtype} of shape {list(mask.shape)}: truth values of shape "
            f"[..., {count}], one for each mode from 0 to p//2, are accepted at p={shape[-2]}"
        )
