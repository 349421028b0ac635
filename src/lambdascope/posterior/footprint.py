"""What a sample costs in memory, measured on a few of them."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from lambdascope.posterior.objective import Objective
from lambdascope.posterior.samples import SampleSet

# Two sizes of batch, whose difference is what each further sample adds.
_FEW, _MORE = 2, 6


def bytes_per_sample(
    objective: Objective, w: Tensor, held: Mapping[str, Tensor], samples: SampleSet
) -> float:
    """What one more sample makes the backward pass of the mean loss keep, in bytes.

    Args:
        objective: The loss.
        w: [param].
        held: The tensors that stay put.
        samples: The data; fewer than are looked at are used several times.
    """

    def kept(num_samples: int) -> int:
        """Each storage counted once."""
        sizes: dict[int, int] = {}
        alive: list[Tensor] = []  # so that no address is used twice

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
            return tensor

        # Views, where there are enough samples: what the data hold anyway is no cost of a batch.
        repeats = -(-num_samples // samples.num_samples)
        whole = (torch.cat([t] * repeats) if repeats > 1 else t for t in samples.tensors)
        batch = samples.batch([tensor[:num_samples] for tensor in whole])
        point = w.detach().clone().requires_grad_()
        with torch.enable_grad(), saved_tensors_hooks(count, lambda tensor: tensor):
            objective(point, held, batch).mean()
        return sum(sizes.values())

    return (kept(_MORE) - kept(_FEW)) / (_MORE - _FEW)
