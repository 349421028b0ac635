"""Fourier modes over the tokens: how strong each is, and where it points in embedding space.

A matrix with one row a token, E [p, d], is a sum of modes k = 0 … p//2:

    E_t = m + (2/p) Σ_k ( cos(2πkt/p) c_k + sin(2πkt/p) s_k ),
    c_k = Σ_t cos(2πkt/p) E_t,   s_k = Σ_t sin(2πkt/p) E_t,   m the mean over tokens,

where the sum runs over 1 ≤ k < p/2, and for even p the mode p/2, which has a cosine only, enters
with 1/p. Mode p − k is mode k again, with the sine turned round. p need not be prime; for composite
p a mode k that shares a factor g with p takes only p/g different values, so that its circle has p/g
points.

Every function takes leading dimensions for checkpoints, chains or whatever else is many, keeps the
dtype and the device, and works under `torch.func.vmap`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError


def num_modes(p: int) -> int:
    """How many modes there are besides the constant one: p//2, numbered 1 … p//2."""
    return p // 2


def mode_vectors(embedding: Tensor) -> Tensor:
    """The cosine and sine vectors c_k and s_k of every mode.

    Args:
        embedding: [..., p, d], one row a token: an embedding, an unembedding, an effective map.

    Returns:
        [..., p//2 + 1, 2, d], in units of the embedding; index k is mode k (0 the constant one,
        whose cosine vector is the sum over tokens), then cosine and sine. Not normalised: a pure
        mode E_t = cos(2πkt/p)·u has c_k = (p/2)·u. The sines of mode 0 and, for even p, of mode p/2
        are zero.

    Raises:
        LambdascopeError: embedding is no real matrix with at least two tokens.
    """
    check_embedding(embedding)
    components = torch.fft.rfft(embedding, dim=-2)
    return torch.stack([components.real, -components.imag], dim=-2)


def mode_magnitudes(embedding: Tensor) -> Tensor:
    """The magnitude √(‖c_k‖² + ‖s_k‖²) of every mode.

    The definition, without normalisation, is the older code's. By Parseval's theorem
    Σ_t ‖E_t‖² = (1/p) Σ_k n_k magnitude_k², n_k = 2 but for the modes 0 and p/2, where it is 1.

    Args:
        embedding: [..., p, d], one row a token.

    Returns:
        [..., p//2 + 1], in units of the embedding; index k is mode k.

    Raises:
        LambdascopeError: embedding is no real matrix with at least two tokens.
    """
    return torch.linalg.vector_norm(mode_vectors(embedding), dim=(-2, -1))


def mode_coordinates(embedding: Tensor) -> Tensor:
    """Each token's cosine and sine part in every mode: the mode picture.

    Tokens are projected onto the plane of c_k and s_k, where the axes are the two directions at
    right angles that lie nearest to c_k and s_k (their polar factor): nothing is sheared, so
    lengths and angles in the plane are those in embedding space. An embedding that is a circle in
    mode k, with cosine and sine at right angles and equally long, puts token t at the angle 2πkt/p.

    Args:
        embedding: [..., p, d], one row a token.

    Returns:
        [..., p//2 + 1, p, 2], in units of the embedding: mode, token, cosine and sine part. Where
        c_k and s_k span one direction only, as in mode p/2, or none, tokens lie on a line or at 0.

    Raises:
        LambdascopeError: embedding is no real matrix with at least two tokens.
    """
    left, sizes, right = torch.linalg.svd(mode_vectors(embedding), full_matrices=False)
    # Rounding leaves vectors that are zero with a tiny length and a direction without meaning.
    there = sizes > rounding_of_vectors(embedding)[..., None, None]
    frame = left * there[..., None, :] @ right
    return (frame @ embedding.mT.unsqueeze(-3)).mT


def real_components(embedding: Tensor) -> Tensor:
    """The components of the tokens in the orthonormal basis of constant, cosines and sines.

    Args:
        embedding: [..., p, d], one row a token.

    Returns:
        [..., p, d], in units of the embedding: constant, cosines of modes 1 … p//2, sines of modes
        1 … (p − 1)//2. The sum of squares is that of the embedding.

    Raises:
        LambdascopeError: embedding is no real matrix with at least two tokens.
    """
    p = embedding.shape[-2] if embedding.dim() > 1 else 0
    vectors = mode_vectors(embedding)
    scale = vectors.new_full((p // 2 + 1, 1), (2 / p) ** 0.5)
    scale[0] = p**-0.5
    if p % 2 == 0:
        scale[-1] = p**-0.5
    cosines, sines = (vectors * scale[:, None]).unbind(-2)
    return torch.cat([cosines, sines[..., 1 : (p + 1) // 2, :]], dim=-2)


def mode_mask(p: int, modes: Sequence[int]) -> Tensor:
    """A set of modes as truth values, for the functions that keep or remove modes.

    Args:
        p: the modulus.
        modes: each from 1 to p//2; k and p − k are one mode, named by the smaller.

    Returns:
        [p//2 + 1] bool; the constant mode 0 is never in the set.

    Raises:
        LambdascopeError: a mode does not exist.
    """
    for mode in modes:
        if not 1 <= mode <= num_modes(p):
            same = f" (mode {mode} is mode {p - mode})" if p // 2 < mode < p else ""
            raise LambdascopeError(
                f"modes={list(modes)}: at p={p} there are the modes 1 to {num_modes(p)}{same}"
            )
    mask = torch.zeros(num_modes(p) + 1, dtype=torch.bool)
    mask[list(modes)] = True
    return mask


def single_modes(p: int) -> Tensor:
    """Each mode by itself, as masks: [p//2, p//2 + 1] bool; row i is the set {i + 1}."""
    return torch.eye(num_modes(p) + 1, dtype=torch.bool)[1:]


def rounding_of_vectors(embedding: Tensor) -> Tensor:
    """A length below which mode vectors are rounding errors: p·eps·‖E‖, [...]."""
    norm = torch.linalg.vector_norm(embedding, dim=(-2, -1))
    return embedding.shape[-2] * torch.finfo(embedding.dtype).eps * norm


def check_embedding(embedding: Tensor) -> None:
    """Refuse what has no modes over its tokens.

    Raises:
        LambdascopeError: embedding is no real matrix [..., p, d] with p ≥ 2.
    """
    if embedding.dim() < 2 or embedding.shape[-2] < 2 or not embedding.is_floating_point():
        raise LambdascopeError(
            f"embedding is {embedding.dtype} of shape {list(embedding.shape)}: real numbers of "
            "shape [..., p, d] with one row for each of at least two tokens are accepted"
        )
