"""The Fourier frequencies that the hidden neurons respond to."""

import torch
from torch import Tensor


def frequency_shares(neurons: Tensor) -> Tensor:
    """Share of each neuron's variance over the pairs that one frequency accounts for.

    In the two-dimensional transform over (a, b), frequency k has the entries (±k, 0), (0, ±k),
    (k, ±k) and (−k, ±k): functions of a, of b, of a + b and of a − b.

    Args:
        neurons: [p, p, neuron]: a, b.

    Returns:
        [neuron, p//2 + 1], 0 to 1; entry 0 is 0. NaN for a neuron that is constant.
    """
    p = len(neurons)
    power = torch.fft.fft2(neurons, dim=(0, 1)).abs().square()
    total = power.sum((0, 1)) - power[0, 0]
    # Rounding leaves a constant neuron some power.
    total = torch.where(total > 1e-20 * power[0, 0], total, torch.nan)
    shares = [torch.zeros_like(total)]
    for k in range(1, p // 2 + 1):
        # A set: for even p, k and −k are one at p/2.
        entries = {(i % p, j % p) for i in (0, k, -k) for j in (0, k, -k)} - {(0, 0)}
        rows, columns = zip(*entries, strict=True)
        shares.append(power[list(rows), list(columns)].sum(0) / total)
    return torch.stack(shares, dim=1)


def dominant_frequencies(neurons: Tensor) -> Tensor:
    """The frequency that accounts for most of each neuron's variance.

    Args:
        neurons: [p, p, neuron]: a, b.

    Returns:
        [neuron] int64, 1 … p//2; 0 for a neuron that is constant.
    """
    return frequency_shares(neurons).nan_to_num(nan=0.0).argmax(1)
