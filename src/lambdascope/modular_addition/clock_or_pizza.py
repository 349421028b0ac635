"""Measures that tell a clock from a pizza, each a pure function.

Both algorithms put the tokens on circles, E_t ~ (cos wt, sin wt) with w = 2πk/p. A *clock*
multiplies and gets the angle w(a + b) itself; its logits are cos(w(a + b − c)). A *pizza* adds:
E_a + E_b has the length 2|cos(w(a − b)/2)| and the angle w(a + b)/2, which it doubles, so that its
logits are

    2|cos(w(a−b)/2)| · ( |cos(w(a+b−c)/2)| − |sin(w(a+b−c)/2)| ).

Where a and b are opposite on the circle this vanishes. An *accompanying* circle of twice the
frequency helps out there: of it, E_a + E_b = 2 cos(w(a − b)) · (cos w(a + b), sin w(a + b)), and
its logits are −cos(w(a − b)) cos(w(a + b − c)). It is part of a pizza.

Source: Zhong, Liu, Tegmark & Andreas 2023, "The clock and the pizza" (arXiv 2306.17844). The form
of the accompanying logits given here is derived as above; it explains 97 to 99 % of such circles in
the network of constant attention that the tests keep.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import Network, check_architecture
from lambdascope.modular_addition.modes import check_embedding, mode_mask, rounding_of_vectors
from lambdascope.modular_addition.probing import own_weights, token_embedding, with_embeddings
from lambdascope.modular_addition.projections import SPAN_TOLERANCE

LogitVersion = Literal["correct", "largest_wrong"]

_COMPONENTS = 4
"""Principal components that the circularity is taken over."""


def gradient_symmetricity(network: Network, *, num_triples: int = 100, seed: int = 0) -> float:
    """Mean cosine of ∂logit_abc/∂E_a and ∂logit_abc/∂E_b over random triples.

    The triples have a ≠ b, so that both gradients are rows of the embedding's, and c is none of a,
    b and the answer: with a tied unembedding the row of c has a gradient of its own. A network that
    adds the embeddings symmetrically has 1 whatever it does with the sum.

    Args:
        network: of a known architecture, p ≥ 5.
        num_triples: how many, ≥ 1.
        seed: decides the triples.

    Returns:
        −1 to 1, dimensionless.

    Raises:
        LambdascopeError: the architecture is unknown, p < 5, or there are no triples.
    """
    network = check_architecture(network)
    p = network.p
    if num_triples < 1:
        raise LambdascopeError(f"num_triples={num_triples}: at least 1 is accepted")
    if p < 5:
        raise LambdascopeError(f"p={p} leaves no triples to compare: it should be at least 5")
    random = torch.Generator().manual_seed(seed)
    triples: list[list[int]] = []
    while len(triples) < num_triples:
        a, b, c = torch.randint(p, (3,), generator=random).tolist()
        if len({a, b, c}) == 3 and c != (a + b) % p:
            triples.append([a, b, c])
    a, b, c = torch.tensor(triples).unbind(1)
    embeddings = token_embedding(network).repeat(num_triples, 1, 1).requires_grad_()
    weights = with_embeddings(network, own_weights(network), embeddings)
    logits = network.stacked_logits(weights, torch.stack([a, b], dim=1)[:, None])
    each = torch.arange(num_triples)
    (gradient,) = torch.autograd.grad(logits[each, c, 0].sum(), embeddings)
    cosine = torch.nn.functional.cosine_similarity(gradient[each, a], gradient[each, b], dim=1)
    return cosine.mean().item()


def distance_irrelevance(logits: Tensor, version: LogitVersion = "correct") -> Tensor:
    """How little the logit depends on the distance b − a: mean over d of std_i L_{i,i+d} / std L.

    0 where the distance decides everything, near 1 where it decides nothing.

    Args:
        logits: [..., p, p, p]: a, b, c.
        version: L is the logit of the answer, or the largest among the others as in the published
            tables. The two are different scales.

    Returns:
        [...], dimensionless; NaN where L is constant.

    Raises:
        LambdascopeError: version is unknown, or the logits have another shape.
    """
    p = check_logits(logits)
    token = torch.arange(p)
    answer = (token[:, None] + token) % p
    if version == "correct":
        chosen = logits.gather(-1, answer.expand(logits.shape[:-1])[..., None])[..., 0]
    elif version == "largest_wrong":
        right = torch.nn.functional.one_hot(answer, p).bool()
        chosen = logits.masked_fill(right, -math.inf).amax(-1)
    else:
        raise LambdascopeError(f"version={version!r}: correct or largest_wrong is accepted")
    by_distance = chosen[..., token, (token + token[:, None]) % p]  # [..., distance, i]
    spread = chosen.flatten(-2).std(-1, correction=0)
    return by_distance.std(-1, correction=0).mean(-1) / spread


def circularity(embedding: Tensor) -> float:
    """How purely periodic the first four principal components of the embedding are.

    Of each, v normalised to length 1 over the tokens: max_k 2|Σ_t v_t e^{2πikt/p}|²/p, at most 1;
    their mean. Circular at 0.995 and above. An embedding of lower rank has fewer components.

    Args:
        embedding: [p, embed_dim], one row a token, p ≥ 5.

    Returns:
        0 to 1, dimensionless; NaN where all tokens are embedded alike.

    Raises:
        LambdascopeError: the embedding has another shape.
    """
    check_embedding(embedding)
    p = len(embedding)
    if embedding.dim() != 2 or p < 5:
        raise LambdascopeError(
            f"embedding has shape {list(embedding.shape)}: [p, embed_dim] with p ≥ 5 is accepted"
        )
    left, sizes, _ = torch.linalg.svd(embedding - embedding.mean(0), full_matrices=False)
    # Beyond the rank a component is rounding, in a direction without meaning.
    least = max(SPAN_TOLERANCE * sizes[0].item(), rounding_of_vectors(embedding).item())
    rank = int((sizes > least).sum())
    if rank == 0:
        return math.nan
    power = torch.fft.rfft(left[:, : min(rank, _COMPONENTS)], dim=0).abs().square() * 2 / p
    return power.amax(0).clamp(0, 1).mean().item()


def logit_formulas(p: int, mode: int) -> dict[str, Tensor]:
    """The logits of a clock, a pizza and an accompanying circle of mode k.

    Args:
        p: the modulus.
        mode: k of the embedding's circle, 1 … p//2.

    Returns:
        "clock", "pizza" and, for odd p, "accompanying": [p, p, p] float64: a, b, c. The
        accompanying circle serves the frequency k/2 mod p, which even p need not have.

    Raises:
        LambdascopeError: the mode does not exist.
    """
    mode_mask(p, [mode])
    token = torch.arange(p, dtype=torch.float64)
    a, b, c = token[:, None, None], token[:, None], token
    w = 2 * math.pi * mode / p
    half = w * (a + b - c) / 2
    formulas = {
        "clock": torch.cos(2 * half),
        "pizza": 2 * torch.cos(w * (a - b) / 2).abs() * (half.cos().abs() - half.sin().abs()),
    }
    if p % 2:
        w = 2 * math.pi * served_frequency(p, mode) / p
        formulas["accompanying"] = -torch.cos(w * (a - b)) * torch.cos(w * (a + b - c))
    return formulas


def logit_fits(logits: Tensor, mode: int, *, at_frequency: bool = False) -> dict[str, float]:
    """Share of the logits' variance that each formula explains.

    Both are taken relative to their mean over c, which the softmax does not see, and compared by
    the square of their correlation; a correlation below 0 counts as 0.

    Args:
        logits: [p, p, p]: a, b, c; of a network whose embedding keeps the one circle.
        mode: k of that circle, 1 … p//2.
        at_frequency: compare only the waves over c of the frequency that the formula serves: k, and
            k/2 mod p for an accompanying circle. The published fits are of the whole logits, in
            which a network with softmax attention also has parts that serve no circle.

    Returns:
        formula → 0 to 1, dimensionless; NaN where there is nothing to compare.

    Raises:
        LambdascopeError: the logits have another shape, or the mode does not exist.
    """
    p = check_logits(logits)
    seen = torch.fft.rfft(logits, dim=-1)[..., 1:]
    fits = {}
    for name, formula in logit_formulas(p, mode).items():
        wanted = torch.fft.rfft(formula, dim=-1)[..., 1:]
        pair = torch.view_as_real(seen), torch.view_as_real(wanted)
        if at_frequency:
            served = served_frequency(p, mode) if name == "accompanying" else mode
            pair = pair[0][:, :, served - 1], pair[1][:, :, served - 1]
        elif p % 2 == 0:
            # Of a real signal every frequency stands for two, but for p/2.
            weight = torch.ones(p // 2, 1, dtype=logits.dtype)
            weight[-1] = 0.5**0.5
            pair = pair[0] * weight, pair[1] * weight
        correlation = (pair[0] * pair[1]).sum() / (pair[0].norm() * pair[1].norm())
        fits[name] = correlation.clamp(min=0).square().item()
    return fits


def served_frequency(p: int, mode: int) -> int:
    """The frequency that an accompanying circle of mode k serves, for odd p: ±k/2 mod p."""
    half = mode * (p + 1) // 2 % p
    return min(half, p - half)


def waves_read(logits: Tensor, frequency: int) -> Tensor:
    """The waves over c of one frequency: what the unembedding reads for it off the last layer.

    Args:
        logits: [p, p, p]: a, b, c.
        frequency: 1 … p//2.

    Returns:
        [p, p, 2]: a, b, and the cosine and sine part.

    Raises:
        LambdascopeError: the logits have another shape, or the frequency does not exist.
    """
    mode_mask(check_logits(logits), [frequency])
    return torch.view_as_real(torch.fft.rfft(logits, dim=-1)[..., frequency])


def doubling(features: Tensor, mode: int) -> float:
    """Power of mode 2k over that of k and 2k, averaged over a.

    For fixed a the features are Fourier transformed over b. A circle of mode k that is multiplied
    gives mode k; the length |cos(w(a − b)/2)| of a pizza brings in mode 2k. The formulas of clock
    and pizza have 0 and 0.0996, and so have their waves over c of the circle's frequency. A hidden
    layer may have more: one that squares has mode 2k in a clock too, and the unembedding cancels
    it.

    Args:
        features: [p, p, features]: a, b; of a network whose embedding keeps the one circle, so that
            no other circle can be taken for its double. Those of `waves_read` compare with the
            formulas.
        mode: k, 1 … p//2.

    Returns:
        0 to 1, dimensionless; NaN where there is no power in either, and where mode 2k is mode k
        itself (k = p/3) or the constant (k = p/2).

    Raises:
        LambdascopeError: the features have another shape, or the mode does not exist.
    """
    if features.dim() != 3 or features.shape[0] != features.shape[1]:
        raise LambdascopeError(
            f"features have shape {list(features.shape)}: [p, p, features] is accepted"
        )
    p = len(features)
    mode_mask(p, [mode])
    if 3 * mode % p == 0 or 2 * mode == p:
        return math.nan
    power = torch.fft.fft(features, dim=1).abs().square().sum(-1).mean(0)
    single, double = power[mode], power[2 * mode % p]
    return (double / (single + double)).item()


def check_logits(logits: Tensor) -> int:
    """The modulus p of logits [..., p, p, p].

    Raises:
        LambdascopeError: they have another shape.
    """
    shape = list(logits.shape)
    if logits.dim() < 3 or shape[-3:] != [shape[-1]] * 3:
        raise LambdascopeError(f"logits have shape {shape}: [..., p, p, p] is accepted")
    return shape[-1]
