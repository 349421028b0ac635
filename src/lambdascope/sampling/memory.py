"""Whether the gradients on all data fit into memory, told before anything runs."""

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from lambdascope.errors import LambdascopeError
from lambdascope.machine import GIB, host_memory
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers.base import Kernel
from lambdascope.sampling.plan import Plan

# Two sizes of batch, whose difference is what each further sample adds.
_FEW, _MORE = 2, 6


def check_memory(
    posterior: LocalPosterior, kernel: Kernel, plan: Plan, device: torch.device
) -> None:
    """Refuse a full batch whose backward pass can't fit into the machine's memory.

    What the backward pass keeps is measured on a few samples and scaled up; compiled, a step may
    keep somewhat less.

    Raises:
        LambdascopeError: with both sizes and the alternatives.
    """
    n = posterior.samples.num_samples
    if kernel.batch_size is not None or n <= _MORE:
        return
    total = total_memory(device)
    at_once = plan.chunk_size * plan.num_workers
    each = bytes_per_sample(posterior) * at_once
    needed = each * min(n, kernel.microbatch_size or n)
    if total is None or needed <= total:
        return
    fitting = max(1, int(total / 4 / each))
    raise LambdascopeError(
        f"batch_size=None: the gradient on all {n} samples keeps about {needed / GIB:.3g} GiB for "
        f"its backward pass, {at_once} chains at once, and this machine has {total / GIB:.3g} "
        f"GiB; microbatch_size={fitting} gives the same numbers in parts, a smaller chunk_size "
        "runs fewer chains at once, and samplers without an acceptance test (SGLD, BAOAB) take a "
        "batch_size."
    )


def bytes_per_sample(posterior: LocalPosterior) -> float:
    """Memory that one more sample costs in the backward pass of one chain."""
    return (_kept(posterior, _MORE) - _kept(posterior, _FEW)) / (_MORE - _FEW)


def total_memory(device: torch.device) -> int | None:
    """Bytes of the machine's, or the device's, memory; None where it can't be told."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return host_memory()


def _kept(posterior: LocalPosterior, num_samples: int) -> int:
    """Bytes kept for the backward pass of the first samples' loss, each storage counted once."""
    sizes: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no address is used twice

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    batch = posterior.samples.batch([t[:num_samples] for t in posterior.samples.tensors])
    w = posterior.w_star.clone().requires_grad_()
    with torch.enable_grad(), saved_tensors_hooks(count, lambda tensor: tensor):
        posterior.objective(w, posterior.held, batch).mean()
    return sum(sizes.values())
