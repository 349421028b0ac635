"""`sample`: chains of one or many posteriors, as one batch."""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from tqdm.auto import tqdm

from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.traits import digest, traits
from lambdascope.samplers.base import Kernel
from lambdascope.sampling.checks import (
    check_box,
    check_compile,
    check_kernel,
    check_labels,
    check_observables,
    check_posteriors,
    check_step_factors,
    whole_number,
)
from lambdascope.sampling.memory import check_memory
from lambdascope.sampling.plan import Plan, choose_device, make_plan
from lambdascope.sampling.points import recorded_dtype
from lambdascope.sampling.randomness import chain_keys
from lambdascope.sampling.recorder import MemoryRecorder, Recorder, Series
from lambdascope.sampling.runner import ChunkRunner, Interrupted, Observable
from lambdascope.sampling.stack import ChainTensors, PosteriorStack
from lambdascope.sampling.store import TraceStore
from lambdascope.sampling.trace import TraceDescription, build_trace

_FEWEST_STEPS = 4


def sample(
    posteriors: LocalPosterior | Sequence[LocalPosterior],
    kernel: Kernel,
    *,
    num_chains: int,
    num_steps: int,
    seed: int = 0,
    checkpoints: Sequence[int] | None = None,
    thinning: int = 10,
    step_factors: Any = None,
    observables: Mapping[str, Observable] | None = None,
    store: Path | str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    compile: bool | str = "auto",  # noqa: A002 (the name that PyTorch gave it)
    chunk_size: int | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Sample around one or many checkpoints; all chains of all of them run as one batch.

    Each chain has its own minibatches and noise, a function of (seed, checkpoint, chain) and
    nothing else: which other chains run, and how they are cut into chunks, changes results by
    rounding only (relative 1e-6 a step in float32; tests/sampling state how far it grows).

    Args:
        posteriors: One posterior, or several of equal shape (checkpoints).
        kernel: The sampler with its settings, for instance `SGLD(step_size=1e-3, batch_size=64)`.
        num_chains: Independent chains a posterior, each starting at w* (or about it, where the
            kernel has a `start_jitter`).
        num_steps: Steps a chain, at least 4.
        seed: Any integer.
        checkpoints: An integer label for each posterior, part of its chains' random streams;
            default 0, 1, 2, …
        thinning: Steps between two draws of the observables (the loss is kept at every step).
        step_factors: Factors on the kernel's step size, [posterior, chain], so that chains of
            several step sizes run as one batch; None: all 1.
        observables: By name, functions `f(parameters) -> tensor`, where `parameters` holds one
            chain's tensors by name; recorded at every draw, as [checkpoint, chain, draw, ...].
        store: A `.zarr` path that the trace is written to as it comes. If it holds the finished
            trace of the same call, that is returned; if it was interrupted, it is resumed, to the
            same bits as without the interruption (on the same machine, compiled or not as before).
        overwrite: Replace a trace of other settings in `store`, instead of refusing.
        device: `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.
        compile: "auto" (compile where that works, else one warning), True or False.
        chunk_size: Chains a chunk; None: chosen by the number of parameters and cores, or as the
            trace in `store` was begun.
        progress: Show a progress bar where the output is a terminal.

    Returns:
        The trace: `loss[checkpoint, chain, step]` (minibatch mean at the weights before that step,
        so that step 0 is at w*), `distance` (‖w − w*‖) and `weight_norm` (‖w‖) as [checkpoint,
        chain, draw], `initial_loss`, `nbeta`, `localization`, `num_samples` as [checkpoint], the
        observables, and in `attrs` all that is needed to say how it was made. A chain that diverged
        holds the NaN it produced. Numbers are recorded in float64 where the weights are, else in
        float32; an observable that returns float16 (such as `PointSamples`) in that.

    Raises:
        LambdascopeError: for impossible settings, posteriors that do not fit each other, a full
            batch that does not fit into memory, a store that holds something else, or a disk that
            is full (what was written stays to be resumed).
    """
    many = check_posteriors(posteriors)
    check_kernel(kernel)
    check_box(kernel, many)
    check_compile(compile)
    labels = check_labels(checkpoints, len(many))
    watched = check_observables(observables, kernel.info_names)
    num_chains = whole_number("num_chains", num_chains, 1)
    num_steps = whole_number("num_steps", num_steps, _FEWEST_STEPS)
    thinning = whole_number("thinning", thinning, 1)
    seed = whole_number("seed", seed)
    factors = check_step_factors(step_factors, kernel, len(many), num_chains)
    if chunk_size is not None:
        chunk_size = whole_number("chunk_size", chunk_size, 1)
    chosen = choose_device(device)
    elements = batch_elements(many[0], kernel)
    total, size = len(many) * num_chains, many[0].num_parameters
    plan = make_plan(total, size, elements, chosen, chunk_size)
    description = TraceDescription(
        kernel=kernel,
        posteriors=many,
        checkpoints=labels,
        num_chains=num_chains,
        num_steps=num_steps,
        thinning=thinning,
        seed=seed,
        chunk_size=plan.chunk_size,
        device=chosen.type,
        observables={name: digest(traits(f, name))[:16] for name, f in watched.items()},
        single=isinstance(posteriors, LocalPosterior),
        step_factors=factors,
    )
    trace_store = None
    if store is not None:
        trace_store = TraceStore(Path(store), description, overwrite, keep_cut=chunk_size is None)
        if trace_store.is_complete():
            return trace_store.open()
        cut = trace_store.description.chunk_size
        plan = make_plan(total, size, elements, chosen, cut)
        description = dataclasses.replace(description, chunk_size=cut)
    check_memory(many[0], kernel, plan, chosen)
    stack = PosteriorStack(many, chosen)
    if kernel.batch_size is None:
        stack.full_batch()  # refuses different data sets before anything runs
    job = _Job(stack, kernel, plan, labels, num_chains, num_steps, seed, factors)
    runner = ChunkRunner(stack, kernel, num_steps, thinning, watched, compile)
    started = time.perf_counter()
    first = job.chains(0)
    drawn = runner.observe(first, first.w_star)
    draws = math.ceil(num_steps / thinning)
    dtype = str(stack.dtype).removeprefix("torch.")
    series = {
        **{name: Series(num_steps, (), dtype) for name in kernel.info_names},
        **{
            name: Series(draws, tuple(one.shape[1:]), recorded_dtype(one.dtype, dtype))
            for name, one in drawn.items()
        },
    }
    recorder: Recorder
    if trace_store is None:
        recorder = MemoryRecorder(plan, job.total, series)
    else:
        recorder = trace_store.recorder(plan, job.total, series)
    try:
        _run(job, runner, recorder, first, progress)
        facts = {
            "compiled": runner.compiled,
            "compile_seconds": round(runner.compile_seconds, 3),
            "sampling_seconds": round(time.perf_counter() - started, 3),
        }
        if trace_store is None:
            return build_trace(recorder, description, facts)
        return trace_store.finish(facts)
    finally:
        if trace_store is not None:
            trace_store.close()


def batch_elements(posterior: LocalPosterior, kernel: Kernel) -> int:
    """Numbers that one chain reads of the data at once."""
    num_samples = kernel.batch_size or posterior.samples.num_samples
    if kernel.microbatch_size is not None:
        num_samples = min(num_samples, kernel.microbatch_size)
    return num_samples * sum(tensor[:1].numel() for tensor in posterior.samples.tensors)


class _Job:
    """Which chains there are: all chains of the first checkpoint, then of the next."""

    def __init__(
        self,
        stack: PosteriorStack,
        kernel: Kernel,
        plan: Plan,
        labels: Sequence[int],
        num_chains: int,
        num_steps: int,
        seed: int,
        step_factors: list[list[float]] | None,
    ) -> None:
        self.stack, self.kernel, self.plan, self.seed = stack, kernel, plan, seed
        self.labels, self.num_chains, self.num_steps = labels, num_chains, num_steps
        self.step_factors = step_factors
        self.total = len(labels) * num_chains

    def chains(self, chunk: int) -> ChainTensors:
        """The tensors of one chunk."""
        positions = self.plan.chunk(chunk, self.total)
        pairs = [divmod(position, self.num_chains) for position in positions]
        keys = chain_keys(self.seed, [(self.labels[which], chain) for which, chain in pairs])
        factors = None
        if self.step_factors is not None:
            factors = [self.step_factors[which][chain] for which, chain in pairs]
        return self.stack.of_chains([which for which, _ in pairs], keys, factors)


def _run(
    job: _Job, runner: ChunkRunner, recorder: Recorder, first: ChainTensors, progress: bool
) -> None:
    """All chunks, several at a time."""
    threads = torch.get_num_threads()
    workers = job.plan.num_workers

    def work(chunk: int) -> None:
        if runner.stop.is_set():
            return
        if workers > 1:
            torch.set_num_threads(1)  # of this worker; the cores are taken by the other workers
        real = job.plan.real(chunk, job.total)
        runner.run(chunk, job.chains(chunk), recorder, lambda steps: bar.update(steps * real))

    with tqdm(
        total=job.total * job.num_steps,
        desc="sampling",
        unit="step",
        unit_scale=True,
        disable=None if progress else True,
        smoothing=0.05,
    ) as bar:
        try:
            if workers > 1:
                # A compiled step is made for the threads it is traced with.
                torch.set_num_threads(1)
            runner.prepare(first)
            if not runner.compiled:
                # Eager, `functional_call` puts a chunk's weights into the one module for a moment:
                # two threads at that would compute with each other's.
                workers = 1
                torch.set_num_threads(threads)
            with ThreadPoolExecutor(workers) as pool:
                futures = [pool.submit(work, chunk) for chunk in range(job.plan.num_chunks)]
                try:
                    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                except BaseException:
                    runner.stop.set()
                    raise
                if any(future.exception() for future in done):
                    runner.stop.set()
            for future in futures:
                error = future.exception()
                if error is not None and not isinstance(error, Interrupted):
                    raise error
        finally:
            torch.set_num_threads(threads)
