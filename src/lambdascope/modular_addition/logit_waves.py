"""The waves cos(w_k(a + b − c)) in the logits: what a network that adds with mode k puts out.

The logits are Fourier transformed over c and compared with e^{iw_k(a+b)}. For even p and k = p/2
there is one wave, (−1)^{a+b−c}.
"""

import math

import torch
from torch import Tensor

from lambdascope.modular_addition.clock_or_pizza import check_logits, served_frequency
from lambdascope.modular_addition.modes import mode_mask


def sum_wave_shares(logits: Tensor) -> Tensor:
    """Share of the logits' variance in the waves cos and sin(w_k(a + b − c)), for every k.

    The variance is about the mean over c, which the softmax does not see.

    Args:
        logits: [..., p, p, p]: a, b, c.

    Returns:
        [..., p//2 + 1], 0 to 1; entry 0 is 0.

    Raises:
        LambdascopeError: the logits have another shape.
    """
    p = check_logits(logits)
    waves = _waves(logits)
    by_sum = _mean_by_sum(waves, p)  # [..., sum, k]
    turns = torch.fft.rfft(torch.eye(p, dtype=logits.dtype), dim=1)  # e^{−2πi·sum·k/p}
    amplitude = (by_sum * turns).mean(-2).abs().square() * p**2
    weight = torch.full((p // 2 + 1,), 2.0, dtype=amplitude.dtype)
    weight[0] = 0.0
    if p % 2 == 0:
        weight[-1] = 1.0
    total = (logits - logits.mean(-1, keepdim=True)).square().sum((-3, -2, -1))
    return amplitude * weight / (p * total[..., None])


def alignment(
    logits: Tensor, mode: int, of_accompanying: Tensor | None = None
) -> tuple[float, float, bool]:
    """How well the classes c lie on the circle that the sum a + b makes of mode k.

    With A_c the part of the logits of class c that goes as e^{iw_k(a+b)}, a complex number, and
    S = Σ_c A_c e^{iw_k c}: |S|² / (p Σ_c |A_c|²), which is 1 for logits cos(w_k(a + b − c)),
    whatever their size. For an accompanying circle the same is computed for the waves that it adds,
    −cos(w(a − b)) cos(w(a + b − c)) with w of half the frequency. The better aligned of the two
    counts, or the one whose phase error is below 90°, if only one's is (see `alignment_p_value`).

    Args:
        logits: [p, p, p]: a, b, c; of a network whose embedding keeps the one circle.
        mode: k of that circle, 1 … p//2.
        of_accompanying: likewise, those in which an accompanying circle is looked for; None: the
            same. With a tied unembedding the whole embedding must read them: alone, mode k has no
            other frequency.

    Returns:
        the alignment, 0 to 1; the phase error, the angle of S in degrees, −180 to 180, above 0
        where the reading lies ahead of the answer; and whether they are those of an accompanying
        circle.

    Raises:
        LambdascopeError: the logits have another shape, or the mode does not exist.
    """
    p = check_logits(logits)
    mode_mask(p, [mode])
    found = [(*_aligned(logits, mode, None), False)]
    if p % 2:
        token = torch.arange(p, dtype=logits.dtype)
        w = 2 * math.pi * served_frequency(p, mode) / p
        distance = -torch.cos(w * (token[:, None] - token))
        there = logits if of_accompanying is None else of_accompanying
        found.append((*_aligned(there, served_frequency(p, mode), distance), True))
    return max(found, key=lambda each: (abs(each[1]) < 90, each[0]))


def alignment_p_value(value: float, p: int, mode: int) -> float:
    """The chance of such an alignment if the network's classes had been named at random.

    Under a random permutation of c, S is a sum of many terms of random direction, with
    E|S|² = p Σ|A_c|² / (p − 1) since the A_c sum to 0: p − 1 times the alignment is exponential
    with mean 1 (chi-squared of one degree of freedom at k = p/2, where S is real). Twice that, for
    odd p, since the better of two alignments was taken. The tests check it against permutations.

    Args:
        value: the alignment.
        p: the modulus.
        mode: k, 1 … p//2.

    Returns:
        0 to 1.
    """
    if 2 * mode == p:
        return math.erfc(math.sqrt((p - 1) * value / 2))
    return min(1.0, (1 + p % 2) * math.exp(-(p - 1) * value))


def tied_alignment_p_value(value: float, phase_error: float, p: int, mode: int) -> float:
    """The chance of such an alignment where the embedding itself reads the answer.

    There the classes lie on the circle whatever the network computes, and names say nothing. What
    it computes is a direction v: with C and S the cosine and sine of the mode in the embedding,
    A_c = (C cos w_k c + S sin w_k c)·v, and the alignment is |C·v + iS·v|² / 2(|C·v|² + |S·v|²).
    Of a random v that is uniform on 0 to 1 where C and S are orthogonal and of one length, and has
    a lower tail otherwise and with other modes beside it; the phase is uniform and independent. So
    t = (1 − alignment)·|phase|/180° is a product of two uniform numbers: P(t' ≤ t) = t(1 − ln t).
    Twice that, for odd p, as in `alignment_p_value`. The tests check it on untrained networks. Mode
    p/2 has no sine: its alignment is 1 whatever v is, its phase 0 or 180°, and one half is the
    least that it can be, so that a tied network shows no circuit there.

    Args:
        value: the alignment.
        phase_error: in degrees.
        p: the modulus.
        mode: k, 1 … p//2.

    Returns:
        0 to 1.
    """
    if 2 * mode == p:
        return 0.5 if abs(phase_error) < 90 else 1.0
    product = (1 - min(value, 1.0)) * abs(phase_error) / 180
    if product == 0:
        return 0.0
    return min(1.0, (1 + p % 2) * product * (1 - math.log(product)))


def _aligned(logits: Tensor, frequency: int, distance: Tensor | None) -> tuple[float, float]:
    p = logits.shape[-1]
    token = torch.arange(p, dtype=logits.dtype)
    w = 2 * math.pi * frequency / p
    template = torch.exp(-1j * w * (token[:, None] + token))
    if distance is not None:
        template = template * distance
    centred = logits - logits.mean(-1, keepdim=True)
    amplitudes = torch.einsum("abc,ab->c", centred.to(template.dtype), template)
    total = (amplitudes * torch.exp(1j * w * token)).sum()
    power = p * amplitudes.abs().square().sum()
    # Where nothing goes as the sum does, there is nothing to align.
    if power <= 1e-20 * centred.square().sum() * p**3:
        return 0.0, 0.0
    return (total.abs().square() / power).item(), math.degrees(total.angle().item())


def _waves(logits: Tensor) -> Tensor:
    """Σ_c logits e^{iw_k c}: [..., p, p, p//2 + 1]."""
    return torch.fft.rfft(logits, dim=-1).conj()


def _mean_by_sum(values: Tensor, p: int) -> Tensor:
    """Mean over the pairs of equal sum: [..., p, p, n] → [..., sum, n]."""
    token = torch.arange(p)
    return values[..., (token[:, None] - token) % p, token, :].mean(-2)
