"""Whether gradients and records fit into memory, told before anything runs."""

from collections.abc import Mapping
from pathlib import Path

import torch

from lambdascope.errors import LambdascopeError
from lambdascope.machine import GIB, disk_size, host_memory
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers.base import Kernel
from lambdascope.sampling.plan import Plan
from lambdascope.sampling.recorder import Series

# Of one draw of a minibatch: its index, and the random words that it is made of.
_DRAW_BYTES = 8 + 4


def check_gradients(
    posterior: LocalPosterior, kernel: Kernel, plan: Plan, device: torch.device
) -> None:
    """Refuse batches whose backward pass can't fit into the machine's memory.

    What the backward pass keeps is measured on a few samples and scaled up; compiled, a step may
    keep somewhat less.

    Raises:
        LambdascopeError: with both sizes and the alternatives.
    """
    total, n = total_memory(device), posterior.samples.num_samples
    if total is None or n == 0:
        return
    at_once = plan.chunk_size * plan.num_workers
    size = kernel.batch_size or n
    each = at_once * posterior.bytes_per_sample
    drawn = 0.0
    if kernel.batch_size is not None:
        drawn = float(at_once * size * _DRAW_BYTES)
        each += at_once * sum(t[:1].nbytes for t in posterior.samples.tensors)
    needed = drawn + each * min(size, kernel.microbatch_size or size)
    if needed <= total:
        return
    fitting = max(1, int(total / 4 / max(each, 1.0)))
    sizes = (
        f"keeps about {_gib(needed)} for its backward pass, {at_once} chains at once, and this "
        f"machine has {_gib(total)}"
    )
    if kernel.batch_size is not None:
        raise LambdascopeError(
            f"batch_size={size}: the gradient {sizes}; a smaller batch_size is needed, or a "
            f"microbatch_size such as {fitting}, which gives the same numbers in parts, or a "
            "smaller chunk_size, which runs fewer chains at once."
        )
    raise LambdascopeError(
        f"batch_size=None: the gradient on all {n} samples {sizes}; microbatch_size={fitting} "
        "gives the same numbers in parts, a smaller chunk_size runs fewer chains at once, and "
        "samplers without an acceptance test (SGLD, BAOAB) take a batch_size."
    )


def check_records(
    series: Mapping[str, Series], num_chains: int, num_checkpoints: int, store: Path | None
) -> None:
    """Refuse records that can't fit into memory, or onto the disk.

    Args:
        series: What is recorded.
        num_chains: Chains a checkpoint.
        num_checkpoints: How many.
        store: Where the trace goes; None: memory.

    Raises:
        LambdascopeError: with both sizes and the alternatives.
    """
    of_one = {name: num_chains * one.nbytes for name, one in series.items()}
    whole, memory = sum(of_one.values()) * num_checkpoints, total_memory(torch.device("cpu"))
    fewer = "fewer num_steps or num_chains, or a larger thinning (for the observables), take less"
    if store is None:
        if memory is not None and whole > memory:
            raise LambdascopeError(
                f"the records take {_gib(whole)}, and this machine has {_gib(memory)} of memory; "
                f"store=PATH keeps them on disk; {fewer}."
            )
        return
    # A trace is put together checkpoint by checkpoint, one quantity at a time.
    largest = max(of_one, key=lambda name: of_one[name])
    if memory is not None and of_one[largest] > memory:
        raise LambdascopeError(
            f"the records of {largest!r} take {_gib(of_one[largest])} a checkpoint, and this "
            f"machine has {_gib(memory)} of memory; {fewer}."
        )
    disk = disk_size(store)
    if disk is not None and whole > disk:
        raise LambdascopeError(
            f"the records take {_gib(whole)}, and the disk under {store} holds {_gib(disk)}; "
            f"{fewer}."
        )


def total_memory(device: torch.device) -> int | None:
    """Bytes of memory of the device, or of what this process may use of the machine's.

    None where it can't be told.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return host_memory()


def _gib(number: float) -> str:
    return f"{number / GIB:.3g} GiB"
