"""The weights of many networks of one shape, side by side in one vector."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn


class StackedWeights:
    """Parameters of several networks as [run, …] tensors that share one flat vector.

    Name by name and then run by run, so that each stacked parameter is one contiguous stretch: a
    backward pass adds into `gradient`, and an optimiser's update is a few passes over `flat`.

    Attributes:
        flat: [weight], the trained parameters of all networks.
        gradient: [weight], where a backward pass through `tensors` adds up.
        tensors: name → [run, …], views of `flat` that require a gradient; frozen parameters are
            tensors of their own that do not.

    Args:
        networks: of equal shape, with the same parameters frozen.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        each = [dict(network.named_parameters()) for network in networks]
        self._num_runs = len(networks)
        stacks = {name: torch.stack([own[name].detach() for own in each]) for name in each[0]}
        self._trained = {n: stacks[n] for n, weight in each[0].items() if weight.requires_grad}
        self.flat = torch.cat([stack.reshape(-1) for stack in self._trained.values()])
        self.gradient = torch.zeros_like(self.flat)
        self.tensors = dict(stacks)
        gradients = self._views(self.gradient)
        for name, view in self._views(self.flat).items():
            leaf = view.detach().requires_grad_()
            leaf.grad = gradients[name]
            self.tensors[name] = leaf

    def per_weight(self, values: Sequence[float]) -> Tensor:
        """Spread one value a run over the flat vector: [weight]."""
        column = torch.tensor(values)
        parts = [column.repeat_interleave(stack[0].numel()) for stack in self._trained.values()]
        return torch.cat(parts)

    def finite(self, vector: Tensor) -> Tensor:
        """Which runs' entries are all finite.

        Args:
            vector: [weight], laid out as `flat`.

        Returns:
            [run] bool.
        """
        parts = [view.isfinite().flatten(1).all(1) for view in self._views(vector).values()]
        return torch.stack(parts).all(0)

    def clear(self, vector: Tensor, runs: Iterable[int]) -> None:
        """Set the entries of some runs to zero.

        Args:
            vector: [weight], laid out as `flat`; changed in place.
            runs: their numbers.
        """
        for view in self._views(vector).values():
            for run in runs:
                view[run] = 0.0

    def state_dicts(self) -> list[dict[str, Tensor]]:
        """A copy of each network's parameters, frozen ones among them."""
        return [
            {name: stack[run].detach().clone() for name, stack in self.tensors.items()}
            for run in range(self._num_runs)
        ]

    def _views(self, flat: Tensor) -> Mapping[str, Tensor]:
        parts = flat.split([stack.numel() for stack in self._trained.values()])
        return {
            name: part.view_as(stack)
            for (name, stack), part in zip(self._trained.items(), parts, strict=True)
        }
