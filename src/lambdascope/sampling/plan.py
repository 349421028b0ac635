"""How chains are cut into chunks and spread over the machine."""

from dataclasses import dataclass

import torch

from lambdascope.errors import LambdascopeError, shown
from lambdascope.machine import usable_cores

# Weights in one chunk on a CPU: some thirty chains of the studied networks. Fewer, and the cost of
# starting each step shows; more, and the step's arrays leave the cache (docs/performance.md).
_CPU_CHUNK_WEIGHTS = 1 << 17
# On a GPU launches dominate, so everything runs at once as far as memory goes.
_GPU_CHUNK_WEIGHTS = 1 << 26
_MOST_CHAINS = 1 << 12


@dataclass(frozen=True)
class Plan:
    """The cut of `num_chains` chains, all checkpoints together, into chunks of equal size.

    Attributes:
        chunk_size: Chains a chunk; the last chunk is filled up with copies whose results are
            dropped, so that one compiled step serves all.
        num_chunks: How many chunks.
        num_workers: How many chunks run at once, each on threads of its own.
    """

    chunk_size: int
    num_chunks: int
    num_workers: int

    def chunk(self, index: int, num_chains: int) -> list[int]:
        """Positions of the chains in chunk `index`; the last one repeats to fill it."""
        start = index * self.chunk_size
        return [min(start + offset, num_chains - 1) for offset in range(self.chunk_size)]

    def real(self, index: int, num_chains: int) -> int:
        """How many chains of chunk `index` are no fillers."""
        return min(self.chunk_size, num_chains - index * self.chunk_size)


def make_plan(
    num_chains: int,
    num_parameters: int,
    batch_elements: int,
    device: torch.device,
    chunk_size: int | None,
) -> Plan:
    """The default cut, or the one that `chunk_size` asks for.

    A chain's share of memory grows with its parameters and with what it reads a step,
    `batch_elements` numbers; activations are of the order of one or the other.

    The cut is a function of its arguments and the number of cores alone, and changes results by
    rounding at most.
    """
    size = default_chunk(num_chains, num_parameters, batch_elements, device)
    if chunk_size is not None:
        size = min(chunk_size, num_chains)
    if device.type != "cpu":
        return Plan(size, ceil_div(num_chains, size), 1)
    cores = available_cores()
    if chunk_size is None:
        # The same number of chunks for each core, so that none waits at the end.
        rounds = ceil_div(num_chains, size * cores)
        size = ceil_div(num_chains, min(rounds * cores, num_chains))
    num_chunks = ceil_div(num_chains, size)
    return Plan(size, num_chunks, min(cores, num_chunks))


def default_chunk(
    num_chains: int, num_parameters: int, batch_elements: int, device: torch.device
) -> int:
    """Most chains of so many that run well as one, whatever the number of cores."""
    weights = _CPU_CHUNK_WEIGHTS if device.type == "cpu" else _GPU_CHUNK_WEIGHTS
    return max(1, min(weights // max(num_parameters, batch_elements), _MOST_CHAINS, num_chains))


def available_cores() -> int:
    """Cores that this process may use, no more than PyTorch was told to."""
    return max(1, min(usable_cores(), torch.get_num_threads()))


def choose_device(device: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU.

    Raises:
        LambdascopeError: for a device that PyTorch does not know or this machine does not have.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise LambdascopeError(
            f"device={shown(device)}: auto, cpu, cuda or cuda:N is accepted."
        ) from error
    if chosen.type not in ("cpu", "cuda"):
        raise LambdascopeError(f"device={device!r}: auto, cpu, cuda or cuda:N is accepted.")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise LambdascopeError(f"device={device!r}: this machine shows no CUDA device; cpu works.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise LambdascopeError(
            f"device={device!r}: this machine shows {torch.cuda.device_count()} CUDA devices, "
            "numbered from 0."
        )
    return chosen


def ceil_div(one: int, other: int) -> int:
    """⌈one / other⌉, exact for any size."""
    return -(-one // other)
