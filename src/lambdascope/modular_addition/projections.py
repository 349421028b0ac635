"""Embeddings of which only some Fourier modes are kept, or from which some are removed.

There are two ways to keep a mode. In *token space* the embedding's Fourier series over the tokens
is cut down to the chosen modes. In *embedding space* each token's embedding is projected onto the
span of the chosen modes' cosine and sine vectors, whatever modes it carries there: this is what the
next layer could read off if it saw those directions only.

The mean over the tokens (mode 0) is no part of any mode: it is kept in every case, unless
`constant=False`. So keep + remove = embedding + mean.
"""

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import (
    check_embedding,
    mode_vectors,
    rounding_of_vectors,
)

SPAN_TOLERANCE = 1e-6
"""A direction is part of a span if its singular value exceeds this times the largest one."""


def keep_modes(embedding: Tensor, mask: Tensor, *, constant: bool = True) -> Tensor:
    """Keep the chosen modes in token space.

    Args:
        embedding: [..., p, d], one row a token.
        mask: [..., p//2 + 1] bool, the modes to keep (see `mode_mask`); entry 0 is not read. Its
            leading dimensions and the embedding's are broadcast.
        constant: keep the mean over the tokens.

    Returns:
        [..., p, d], in units of the embedding.

    Raises:
        LambdascopeError: embedding or mask has the wrong shape.
    """
    _check(embedding, mask)
    wanted = _with_constant(mask, constant)
    components = torch.fft.rfft(embedding, dim=-2) * wanted[..., None]
    return torch.fft.irfft(components, n=embedding.shape[-2], dim=-2)


def remove_modes(embedding: Tensor, mask: Tensor, *, constant: bool = True) -> Tensor:
    """Remove the chosen modes in token space; see `keep_modes`."""
    return keep_modes(embedding, ~mask, constant=constant)


def keep_mode_span(embedding: Tensor, mask: Tensor, *, constant: bool = True) -> Tensor:
    """Keep what lies in the span of the chosen modes' vectors, in embedding space.

    The projector comes from an orthonormal basis of the vectors (a singular value decomposition),
    from which directions below `SPAN_TOLERANCE` of the strongest are left out: no matrix is
    inverted, so vectors that are nearly parallel, or zero as the sine of mode p/2, do no harm.

    Args:
        embedding: [..., p, d], one row a token.
        mask: [..., p//2 + 1] bool, as in `keep_modes`.
        constant: keep the mean over the tokens as it is, inside the span or not.

    Returns:
        [..., p, d], in units of the embedding.

    Raises:
        LambdascopeError: embedding or mask has the wrong shape.
    """
    _check(embedding, mask)
    mean = embedding.mean(-2, keepdim=True)
    return _in_span(embedding, mask) + (mean if constant else 0)


def remove_mode_span(embedding: Tensor, mask: Tensor, *, constant: bool = True) -> Tensor:
    """Remove what lies in the span of the chosen modes' vectors; see `keep_mode_span`."""
    _check(embedding, mask)
    mean = 0 if constant else embedding.mean(-2, keepdim=True)
    return embedding - mean - _in_span(embedding, mask)


def span_basis(embedding: Tensor, mask: Tensor) -> Tensor:
    """An orthonormal basis of the span of the chosen modes' cosine and sine vectors.

    Args:
        embedding: [..., p, d], one row a token.
        mask: [..., p//2 + 1] bool, as in `keep_modes`.

    Returns:
        [..., r, d], rows at right angles and of length 1, or zero where the span has fewer than r
        dimensions.

    Raises:
        LambdascopeError: embedding or mask has the wrong shape.
    """
    _check(embedding, mask)
    chosen = _with_constant(mask, False)
    # The chosen modes first, in their order: the decomposition is then as small as it can be.
    count = max(1, int(chosen.sum(-1).max()))
    order = chosen.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[..., :count]
    vectors = mode_vectors(embedding).double()
    leading = torch.broadcast_shapes(vectors.shape[:-3], order.shape[:-1])
    order = order.expand(*leading, count)
    index = order[..., None, None].expand(*leading, count, *vectors.shape[-2:])
    vectors = vectors.expand(*leading, *vectors.shape[-3:]).gather(-3, index)
    vectors = vectors * chosen.expand(*leading, -1).gather(-1, order)[..., None, None]
    _, sizes, directions = torch.linalg.svd(vectors.flatten(-3, -2), full_matrices=False)
    rounding = rounding_of_vectors(embedding)[..., None]
    least = torch.maximum(SPAN_TOLERANCE * sizes[..., :1], rounding)
    return (directions * (sizes > least)[..., None]).to(embedding.dtype)


def _in_span(embedding: Tensor, mask: Tensor) -> Tensor:
    """The projection of the embedding less its mean."""
    basis = span_basis(embedding, mask)
    centred = embedding - embedding.mean(-2, keepdim=True)
    return centred @ basis.mT @ basis


def _with_constant(mask: Tensor, constant: bool) -> Tensor:
    return torch.cat([torch.full_like(mask[..., :1], constant), mask[..., 1:]], dim=-1)


def _check(embedding: Tensor, mask: Tensor) -> None:
    check_embedding(embedding)
    count = embedding.shape[-2] // 2 + 1
    if mask.dtype != torch.bool or mask.shape[-1:] != (count,):
        raise LambdascopeError(
            f"mask is {mask.dtype} of shape {list(mask.shape)}: truth values of shape "
            f"[..., {count}], one for each mode from 0 to p//2, are accepted at "
            f"p={embedding.shape[-2]}"
        )
