"""One chunk of chains from its first step to its last: the loop, and nothing in it but steps."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from lambdascope.errors import LambdascopeError
from lambdascope.samplers.base import Kernel
from lambdascope.samplers.moves import placed
from lambdascope.sampling.checks import observable_failed
from lambdascope.sampling.compiler import compile_step, compiler_missing
from lambdascope.sampling.gradients import explained_gradients
from lambdascope.sampling.loop import CudaGraphLoop, DirectLoop, Info, Loop, State, Step
from lambdascope.sampling.plan import ceil_div
from lambdascope.sampling.randomness import ChainNoise
from lambdascope.sampling.recorder import Recorder
from lambdascope.sampling.stack import ChainTensors, PosteriorStack
from lambdascope.sampling.target import ChunkTarget, distances

Observable = Callable[[dict[str, Tensor]], Tensor]

# Most steps between two looks at the outside world: records written, snapshot, progress,
# interruption. Of slow steps so many as take two seconds, or ten times as long as the writing.
BLOCK = 250
_FIRST_BLOCK = 10
_BLOCK_SECONDS, _STEPS_TO_WRITING = 2.0, 10.0


def tensor_of(drawn: Any) -> Tensor:
    """What an observable returned, if it is a tensor.

    Raises:
        TypeError: if it is not.
    """
    if not isinstance(drawn, Tensor):
        raise TypeError(f"it returned a {type(drawn).__name__}")
    return drawn


class Interrupted(Exception):
    """Another thread asked the chunk to stop; its snapshot stands."""


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
        self.compile_seconds = 0.0
        self.stop = threading.Event()
        self._compiled_step: Step | None = None

    @property
    def may_compile(self) -> bool:
        """Whether `prepare` will try to compile."""
        return self.wanted_compile is not False and compiler_missing(self.stack.device) is None

    def prepare(self, chains: ChainTensors) -> None:
        """Compile the step, if that is wanted and possible, by rehearsing it on these chains.

        Raises:
            LambdascopeError: if the loss has no gradient, or none for several chains at once.
        """
        start = self._start(chains)
        begun = time.perf_counter()

        def rehearse(step: Step, times: int) -> None:
            state, number = start
            for _ in range(times):
                state, _, number = step(chains, state, number)

        with explained_gradients(self.stack, chains, lambda some: self._target(some, start[1])[0]):
            self._compiled_step, self.compiled = compile_step(
                self._step, self.stack.device, self.wanted_compile, rehearse, self._kind(chains)
            )
        self.compile_seconds = time.perf_counter() - begun

    def observe(self, chains: ChainTensors, w: Tensor) -> dict[str, Tensor]:
        """The draw's records at `w` [chain, param], each [chain, ...]."""
        distance, norm = distances(w, chains.w_star)
        drawn = {"distance": distance, "weight_norm": norm}
        if self.observables:
            parameters = self.stack.objective.layout.unravel(w)
            shared = {n: chains.held[n] for n in self.stack.shared_held}
            own = {n: t for n, t in chains.held.items() if n not in shared}
            for name, function in self.observables.items():
                try:
                    drawn[name] = vmap(lambda one, f=function: tensor_of(f({**shared, **one})))(
                        {**parameters, **own}
                    )
                except Exception as error:
                    accepted = (
                        "a function of one chain's parameters by name that returns a tensor, "
                        "written with torch operations,"
                    )
                    names = (*parameters, *own)
                    raise observable_failed(name, error, names, accepted) from error
                # A copy: an observable may hand back a view of the weights, which move on.
                drawn[name] = drawn[name].clone()
                if drawn[name].is_complex():
                    raise LambdascopeError(
                        f"observable {name!r} returns {drawn[name].dtype}; real numbers are "
                        "accepted (torch.view_as_real turns complex ones into pairs)."
                    )
        return drawn

    def run(
        self,
        chunk: int,
        chains: ChainTensors,
        recorder: Recorder,
        report: Callable[[int], None],
        resumed: Callable[[int], None],
    ) -> None:
        """All steps of one chunk, from its snapshot if there is one.

        Args:
            chunk: Its number in the plan.
            chains: Its chains.
            recorder: Takes the records and the snapshots.
            report: Called with the number of steps done since the last call.
            resumed: Called with the number of steps that a snapshot is ahead.

        Raises:
            Interrupted: after `stop` was set.
        """
        state, number = self._start(chains)
        begun = recorder.resume(chunk)
        if begun is not None:
            done, state = begun
            state = {name: tensor.to(self.stack.device) for name, tensor in state.items()}
            number.fill_(done)
            resumed(done)
        loop = self._loop(chains, state, number)
        start, block = int(number), min(_FIRST_BLOCK, BLOCK)
        while start < self.num_steps:
            if self.stop.is_set():
                raise Interrupted
            end = min(start + block, self.num_steps)
            times = [time.perf_counter()]
            draws: list[Info] = []
            for step in range(start, end):
                if step % self.thinning == 0:
                    draws.append(self.observe(chains, loop.state["w"]))
                loop.advance()
            records = {name: one.cpu().numpy() for name, one in loop.take_records().items()}
            times.append(time.perf_counter())
            for name, record in records.items():
                recorder.write(chunk, name, start, record)
            for name in draws[0] if draws else ():
                drawn = torch.stack([draw[name] for draw in draws])
                recorder.write(chunk, name, ceil_div(start, self.thinning), drawn.cpu().numpy())
            recorder.commit(chunk, end, loop.state)
            times.append(time.perf_counter())
            report(end - start)
            block, start = _next_block(end - start, times[1] - times[0], times[2] - times[1]), end

    def _kind(self, chains: ChainTensors) -> Hashable:
        """All that the step's code depends on: kernel, model, loss, and the shapes of tensors."""
        held = tuple(chains.held.values())
        own = [getattr(chains, field.name) for field in fields(chains) if field.name != "held"]
        shapes = tuple(
            None if tensor is None else (tensor.shape, tensor.dtype)
            for tensor in (*own, *held, *self.stack.data)
        )
        shared = frozenset(self.stack.shared_held)
        return (repr(self.kernel), self.stack.objective.digest, shared, shapes, self.stack.device)

    def _start(self, chains: ChainTensors) -> tuple[State, Tensor]:
        """The state at the start and the number of the first step."""
        number = torch.zeros((), dtype=torch.int32, device=self.stack.device)
        w = chains.w_star.clone()
        if self.kernel.start_jitter is not None:
            noise = ChainNoise(chains.keys, number, self.stack.dtype)
            xi = noise.normal_at_start(w.shape[1])
            target = ChunkTarget(self.stack, chains, [], shared_batch=True)
            w = placed(target, self.kernel.start_jitter * xi, self.kernel.bounding_box)
        state = self.kernel.init(w)
        return {name: tensor.contiguous() for name, tensor in state.items()}, number

    def _loop(self, chains: ChainTensors, state: State, number: Tensor) -> Loop:
        assert self._compiled_step is not None
        if self.stack.device.type == "cuda":
            return CudaGraphLoop(self._compiled_step, chains, state, number, BLOCK)
        return DirectLoop(self._compiled_step, chains, state, number)

    def _step(
        self, chains: ChainTensors, state: State, number: Tensor
    ) -> tuple[State, Info, Tensor]:
        """One step of every chain; nothing is changed in place.

        A compiled step that wrote into its inputs would save a copy, but PyTorch 2.13's CPU
        compiler fails on it where a restriction's reduction reads the new weights.
        """
        target, noise = self._target(chains, number)
        new, info = self.kernel.step(state, target, noise)
        return new, info, number + 1

    def _target(self, chains: ChainTensors, number: Tensor) -> tuple[ChunkTarget, ChainNoise]:
        """What step `number` sees of the posterior, and its random numbers."""
        noise = ChainNoise(chains.keys, number, self.stack.dtype)
        return ChunkTarget.on_step(self.stack, chains, self.kernel, noise), noise


def _next_block(steps: int, stepping: float, writing: float) -> int:
    """Steps until the next look, after a block that took so many seconds."""
    wanted = max(_BLOCK_SECONDS, _STEPS_TO_WRITING * writing)
    return max(1, min(BLOCK, int(wanted * steps / max(stepping, 1e-9))))
