"""The innermost loop: a step's outputs become the next step's inputs, its records pile up."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from lambdascope.sampling.stack import ChainTensors

State = dict[str, Tensor]
Info = dict[str, Tensor]
# (chains, state, step number) → new state, info, next step number
Step = Callable[[ChainTensors, State, Tensor], tuple[State, Info, Tensor]]

_WARM_UP_CALLS = 3


class Loop(ABC):
    """Chains of one chunk on their way.

    Attributes:
        state: The kernel's state now, each [chain, ...].
    """

    state: State

    @abstractmethod
    def advance(self) -> None:
        """One step of every chain."""

    @abstractmethod
    def take_records(self) -> Info:
        """What the steps since the last call reported, each [step, chain]."""


class DirectLoop(Loop):
    """Calls the step; nothing is copied."""

    def __init__(self, step: Step, chains: ChainTensors, state: State, number: Tensor) -> None:
        self._step, self._chains = step, chains
        self.state, self._number = state, number
        self._infos: list[Info] = []

    def advance(self) -> None:
        """One step of every chain."""
        self.state, info, self._number = self._step(self._chains, self.state, self._number)
        self._infos.append(info)

    def take_records(self) -> Info:
        """The steps' infos, stacked."""
        infos, self._infos = self._infos, []
        return {name: torch.stack([info[name] for info in infos]) for name in infos[0]}


class CudaGraphLoop(Loop):
    """Replays one captured CUDA graph a step, so that the interpreter is not in the loop.

    Args:
        step: The step; it launches kernels and never waits for them.
        chains: The chains.
        state: Where they start.
        number: Number of the next step, int32 scalar.
        capacity: Most steps between two calls of `take_records`.
    """

    def __init__(
        self, step: Step, chains: ChainTensors, state: State, number: Tensor, capacity: int
    ) -> None:
        self.state = {name: tensor.clone() for name, tensor in state.items()}
        self._number = number.clone()
        self._slot = torch.zeros(1, dtype=torch.int64, device=number.device)
        self._taken = 0
        # Libraries allocate their workspaces in the first calls, which a capture forbids.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_CALLS):
                _, info, _ = step(chains, self.state, self._number)
        torch.cuda.current_stream().wait_stream(stream)
        self._records = {
            name: values.new_full((capacity, *values.shape), float("nan"))
            for name, values in info.items()
        }
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            new, info, next_number = step(chains, self.state, self._number)
            for name, record in self._records.items():
                record.index_copy_(0, self._slot, info[name][None])
            for name, tensor in self.state.items():
                tensor.copy_(new[name])
            self._number.copy_(next_number)
            self._slot.add_(1)

    def advance(self) -> None:
        """One launch."""
        self._graph.replay()
        self._taken += 1

    def take_records(self) -> Info:
        """The rows written since the last call."""
        rows = {name: record[: self._taken].clone() for name, record in self._records.items()}
        self._slot.zero_()
        self._taken = 0
        return rows
