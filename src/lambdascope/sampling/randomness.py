"""Random streams that belong to a chain: counter-based, so that no state is carried.

Every random number is a function of (seed, checkpoint, chain) — the key — and of (step, purpose,
position) — the counter. A chain's numbers therefore depend neither on the chains beside it, nor on
how chains are cut into chunks, nor on interruptions, nor on the device.

The generator is Threefry-4x32 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy
as 1, 2, 3") with 12 rounds, the fewest with which its authors found it to pass all of BigCrush.
It uses only 32-bit additions, rotations and exclusive ors, so a compiler turns it into vector
code beside the step that consumes it, and normals cost less than half of `torch.randn`
(docs/performance.md).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 12
_ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
_PARITY = 0x1BD11BDA  # Threefish's key-schedule constant, 32-bit
_INT32_RANGE = 1 << 32


def chain_key(seed: int, checkpoint: int, chain: int) -> list[int]:
    """The key of one chain: four signed 32-bit words from SHA-256 of its three numbers."""
    digest = hashlib.sha256(f"lambdascope {seed} {checkpoint} {chain}".encode()).digest()
    return [
        int.from_bytes(digest[4 * word : 4 * word + 4], "little", signed=True) for word in range(4)
    ]


def threefry(
    key: Sequence[Tensor], counter: Sequence[Tensor], rounds: int = ROUNDS
) -> list[Tensor]:
    """Four random 32-bit words for each key and counter, int32 tensors that broadcast together.

    Args:
        key: Four int32 tensors.
        counter: Four int32 tensors.
        rounds: Number of rounds; 20 is the authors' default with a safety margin.

    Returns:
        Four int32 tensors, uniform over all 2³² values.
    """
    schedule = [*key, key[0] ^ key[1] ^ key[2] ^ key[3] ^ _PARITY]
    a, b, c, d = (x + k for x, k in zip(counter, schedule, strict=False))
    for index in range(rounds):
        first, second = _ROTATIONS[index % 8]
        if index % 2 == 0:
            a, c = a + b, c + d
            b, d = _rotate(b, first) ^ a, _rotate(d, second) ^ c
        else:
            a, c = a + d, c + b
            d, b = _rotate(d, first) ^ a, _rotate(b, second) ^ c
        if index % 4 == 3:
            injection = index // 4 + 1
            a, b, c, d = (
                x + schedule[(injection + word) % 5] for word, x in enumerate((a, b, c, d))
            )
            d = d + injection
    return [a, b, c, d]


def _rotate(x: Tensor, bits: int) -> Tensor:
    # The right shift of int32 keeps the sign; the mask clears what it drags in.
    return (x << bits) | ((x >> (32 - bits)) & ((1 << bits) - 1))


def _unit(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Uniform on (0, 1]: 31 bits, centred in their cells; in float32 the highest round to 1."""
    return ((x & 0x7FFFFFFF).to(dtype) + 0.5) * 2.0**-31


def _open_unit(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Uniform on the open interval (0, 1), symmetric about ½: as many bits as `dtype` keeps."""
    bits = 31 if dtype == torch.float64 else 23
    return (((x & 0x7FFFFFFF) >> (31 - bits)).to(dtype) + 0.5) * 2.0**-bits


@dataclass(frozen=True)
class ChainNoise:
    """The random numbers of one step of several chains.

    Calls with different `purpose` are independent; the same call gives the same numbers again.

    Attributes:
        keys: [chain, 4], int32.
        step: Scalar int32 tensor, the number of the step.
        dtype: Of the normals and uniforms.
    """

    keys: Tensor
    step: Tensor
    dtype: torch.dtype

    def normal(self, size: int, purpose: int = 0) -> Tensor:
        """Independent standard normals [chain, size], by Box–Muller (largest possible: 6.6)."""
        assert purpose >= 0, "purposes are numbered from 0"
        return self._normal(size, 2 * purpose)

    def normal_at_start(self, size: int) -> Tensor:
        """Standard normals [chain, size] for where a chain starts, apart from every purpose."""
        return self._normal(size, _START)

    def _normal(self, size: int, stream: int) -> Tensor:
        a, b, c, d = self._words(size, stream)
        pieces = []
        for radius_bits, angle_bits in ((a, b), (c, d)):
            radius = torch.sqrt(-2.0 * torch.log(_unit(radius_bits, self.dtype)))
            angle = _unit(angle_bits, self.dtype) * (2.0 * math.pi)
            pieces += [radius * torch.cos(angle), radius * torch.sin(angle)]
        return torch.cat(pieces, dim=1)[:, :size]

    def uniform(self, size: int, purpose: int = 0) -> Tensor:
        """Independent uniforms on (0, 1), [chain, size]."""
        assert purpose >= 0, "purposes are numbered from 0"
        words = [_open_unit(word, self.dtype) for word in self._words(size, 2 * purpose + 1)]
        return torch.cat(words, dim=1)[:, :size]

    def indices(self, size: int, upper: Tensor) -> Tensor:
        """Independent draws with replacement, [chain, size], int64.

        Args:
            size: Draws a chain.
            upper: [chain, 1], int64, at most 2³¹; chain c draws from 0 … upper[c] − 1. By
                multiplication and shift: no value is favoured by more than upper/2³².
        """
        words = torch.cat(self._words(size, _MINIBATCH), dim=1)[:, :size]
        return ((words.to(torch.int64) & (_INT32_RANGE - 1)) * upper) >> 32

    def _words(self, size: int, stream: int) -> list[Tensor]:
        position = torch.arange(-(-size // 4), dtype=torch.int32, device=self.keys.device)[None]
        zero = torch.zeros_like(position)
        key = [self.keys[:, word, None] for word in range(4)]
        return threefry(key, (position, zero + self.step, zero + stream, zero))


# The streams of minibatch indices and of starting points, apart from those that kernels number from
# 0 upwards.
_MINIBATCH, _START = -1, -2


def chain_keys(seed: int, chains: Sequence[tuple[int, int]]) -> Tensor:
    """Keys [chain, 4], int32, of chains given as (checkpoint, chain) pairs."""
    return torch.tensor(
        [chain_key(seed, checkpoint, chain) for checkpoint, chain in chains], dtype=torch.int32
    )
