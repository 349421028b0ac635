"""One chunk of chains from its first step to its last: the loop, and nothing in it but steps."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from lambdascope.samplers.base import Kernel
from lambdascope.sampling.compiler import compile_step
from lambdascope.sampling.randomness import ChainNoise
from lambdascope.sampling.recorder import Recorder
from lambdascope.sampling.stack import ChainTensors, PosteriorStack
from lambdascope.sampling.target import ChunkTarget, distances

Observable = Callable[[dict[str, Tensor]], Tensor]

# Steps between two looks at the outside world: records written, snapshot, progress, interruption.
BLOCK = 250


class Interrupted(Exception):
    """Another thread asked the chunk to stop; its snapshot stands."""


@dataclass
class Buffers:
    """What one chunk's loop changes in place.

    Attributes:
        state: The kernel's state, each [chain, ...].
        records: By name, [block, chain].
        step: Number of the step, int32 scalar: the counter of the random streams.
        slot: Row of `records` to write next, int64 [1].
    """

    state: dict[str, Tensor]
    records: dict[str, Tensor]
    step: Tensor
    slot: Tensor

    def clone(self) -> "Buffers":
        """A copy to rehearse on."""
        return Buffers(
            {name: tensor.clone() for name, tensor in self.state.items()},
            {name: tensor.clone() for name, tensor in self.records.items()},
            self.step.clone(),
            self.slot.clone(),
        )


class ChunkRunner:
    """Runs any chunk of a plan; the step is compiled once, by the first chunk's shapes.

    Args:
        stack: The posteriors.
        kernel: The sampler.
        num_steps: Steps a chain.
        thinning: Steps between two draws of the observables; the first is at w*.
        observables: By name, functions of one chain's parameters by name.
        wanted_compile: True, False or "auto".
    """

    def __init__(
        self,
        stack: PosteriorStack,
        kernel: Kernel,
        num_steps: int,
        thinning: int,
        observables: Mapping[str, Observable],
        wanted_compile: bool | str,
    ) -> None:
        self.stack = stack
        self.kernel = kernel
        self.num_steps = num_steps
        self.thinning = thinning
        self.observables = dict(observables)
        self.wanted_compile = wanted_compile
        self.compiled = False
        self.stop = threading.Event()
        self._advance: Callable[..., None] | None = None

    def prepare(self, chains: ChainTensors) -> None:
        """Compile the step, if that is wanted and possible, by rehearsing it on these chains."""
        buffers = self._fresh(chains)

        def rehearse(step: Callable[..., None]) -> None:
            self._call(step, chains, buffers.clone())

        self._advance, self.compiled = compile_step(
            self._step, self.stack.device, self.wanted_compile, rehearse
        )

    def observe(self, chains: ChainTensors, w: Tensor) -> dict[str, Tensor]:
        """The draw's records at `w` [chain, param], each [chain, ...]."""
        distance, norm = distances(w, chains.w_star)
        drawn = {"distance": distance, "weight_norm": norm}
        if self.observables:
            parameters = self.stack.objective.layout.unravel(w)
            shared = {n: chains.held[n] for n in self.stack.shared_held}
            own = {n: t for n, t in chains.held.items() if n not in shared}
            for name, function in self.observables.items():
                drawn[name] = vmap(lambda one, f=function: f({**shared, **one}))(
                    {**parameters, **own}
                )
        return drawn

    def run(
        self,
        chunk: int,
        chains: ChainTensors,
        recorder: Recorder,
        report: Callable[[int], None],
    ) -> None:
        """All steps of one chunk, from its snapshot if there is one.

        Args:
            chunk: Its number in the plan.
            chains: Its chains.
            recorder: Takes the records and the snapshots.
            report: Called with the number of steps done since the last call.

        Raises:
            Interrupted: after `stop` was set.
        """
        buffers = self._fresh(chains)
        begun = recorder.resume(chunk)
        if begun is not None:
            done, state = begun
            for name, tensor in state.items():
                buffers.state[name].copy_(tensor)
            buffers.step.fill_(done)
            report(done)
        advance = self._graph(chains, buffers)
        for start in range(int(buffers.step), self.num_steps, BLOCK):
            if self.stop.is_set():
                raise Interrupted
            end = min(start + BLOCK, self.num_steps)
            draws: list[dict[str, Tensor]] = []
            buffers.slot.zero_()
            for step in range(start, end):
                if step % self.thinning == 0:
                    draws.append(self.observe(chains, buffers.state["w"]))
                advance()
            for name, record in buffers.records.items():
                recorder.write(chunk, name, start, record[: end - start].cpu().numpy())
            first = -(-start // self.thinning)
            for name in draws[0] if draws else ():
                stacked = torch.stack([draw[name] for draw in draws])
                recorder.write(chunk, name, first, stacked.cpu().numpy())
            recorder.commit(chunk, end, buffers.state)
            report(end - start)

    def _fresh(self, chains: ChainTensors) -> Buffers:
        num_chains, device = len(chains.w_star), self.stack.device
        state = {
            name: tensor.contiguous().clone()
            for name, tensor in self.kernel.init(chains.w_star.clone()).items()
        }
        records = {
            name: torch.full((BLOCK, num_chains), float("nan"), dtype=self.stack.dtype, device=device)
            for name in self.kernel.info_names
        }
        return Buffers(
            state,
            records,
            torch.zeros((), dtype=torch.int32, device=device),
            torch.zeros(1, dtype=torch.int64, device=device),
        )

    def _graph(self, chains: ChainTensors, buffers: Buffers) -> Callable[[], None]:
        """A call without arguments that makes one step; on CUDA, one launch of a captured graph."""
        assert self._advance is not None
        step = self._advance
        if self.stack.device.type == "cuda":
            from lambdascope.sampling.cuda_graph import capture

            scratch = buffers.clone()
            return capture(
                lambda: self._call(step, chains, buffers),
                warm_up=lambda: self._call(step, chains, scratch),
            )
        return lambda: self._call(step, chains, buffers)

    @staticmethod
    def _call(step: Callable[..., None], chains: ChainTensors, buffers: Buffers) -> None:
        step(chains, buffers.state, buffers.records, buffers.step, buffers.slot)

    def _step(
        self,
        chains: ChainTensors,
        state: dict[str, Tensor],
        records: dict[str, Tensor],
        step: Tensor,
        slot: Tensor,
    ) -> None:
        """One step of every chain, in place; everything it needs lies on the device."""
        noise = ChainNoise(chains.keys, step, self.stack.dtype)
        target = ChunkTarget.on_step(self.stack, chains, self.kernel.batch_size, noise)
        new, info = self.kernel.step(state, target, noise)
        for name, tensor in state.items():
            tensor.copy_(new[name])
        for name, record in records.items():
            record.index_copy_(0, slot, info[name][None].to(record.dtype))
        step.add_(1)
        slot.add_(1)
