"""`sample`: chains of one or many posteriors, as one batch."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from lambdascope.errors import fits_into_memory
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.module_globals import globals_read
from lambdascope.posterior.traits import digest, traits
from lambdascope.progress import Progress
from lambdascope.samplers.base import Kernel
from lambdascope.sampling.checks import (
    check_box,
    check_compile,
    check_flag,
    check_kernel,
    check_labels,
    check_observables,
    check_posteriors,
    check_seed,
    check_step_factors,
    check_store,
    whole_number,
)
from lambdascope.sampling.job import Job
from lambdascope.sampling.memory import check_gradients, check_records
from lambdascope.sampling.plan import ceil_div, choose_device, make_plan
from lambdascope.sampling.points import recorded_dtype
from lambdascope.sampling.recorder import MemoryRecorder, Recorder, Series
from lambdascope.sampling.runner import ChunkRunner, Interrupted, Observable
from lambdascope.sampling.stack import ChainTensors, PosteriorStack
from lambdascope.sampling.store import TraceStore
from lambdascope.sampling.trace import TraceDescription, build_trace
from lambdascope.threads import denormals_flushed

_FEWEST_STEPS = 4
_COMPILING = "compiling the sampling step (once per shape; some 20 s the first time)"


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
        seed: Any integer of up to 128 bits.
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
            The same call means equal settings, weights, data, model and loss, with the globals that
            these read, and equal L_n(w*) within rounding.
        overwrite: Replace a trace of other settings, or a damaged one, in `store`, instead of
            refusing.
        device: `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.
        compile: "auto" (compile where that works, else one warning), True or False.
        chunk_size: Chains a chunk; None: chosen by the number of parameters and cores, or as the
            trace in `store` was begun. 1 takes models that `torch.func.vmap` does not.
        progress: Show a progress bar on a terminal, or a line a minute in a log.

    Returns:
        The trace: `loss[checkpoint, chain, step]` (minibatch mean at the weights before that step,
        so that step 0 is at w*), `distance` (‖w − w*‖) and `weight_norm` (‖w‖) as [checkpoint,
        chain, draw], `initial_loss`, `nbeta`, `localization`, `num_samples` as [checkpoint], the
        observables, and in `attrs` all that is needed to say how it was made. A chain that diverged
        holds the NaN it produced. `attrs["num_warmup_steps"]` are steps in which the sampler still
        adapted, which `estimate_llc` leaves out. Numbers are recorded in float64 where the weights
        are, else in float32; an observable that returns float16 (such as `PointSamples`) in that.

    Raises:
        LambdascopeError: for impossible settings, posteriors that do not fit each other, a loss
            that has changed since they were made or has no gradient, batches or records that do
            not fit into memory, a store that holds something else, or a disk that is full (what
            was written stays to be resumed).
    """
    many = check_posteriors(posteriors)
    path = check_store(store)
    check_kernel(kernel, many[0].w_star.dtype)
    check_box(kernel, many)
    check_compile(compile)
    check_flag("overwrite", overwrite)
    check_flag("progress", progress)
    labels = check_labels(checkpoints, len(many))
    watched = check_observables(observables, kernel.info_names)
    num_chains = whole_number("num_chains", num_chains, 1)
    num_steps = whole_number("num_steps", num_steps, _FEWEST_STEPS)
    thinning = whole_number("thinning", thinning, 1)
    seed = check_seed(seed)
    factors = check_step_factors(step_factors, kernel, len(many), num_chains)
    if chunk_size is not None:
        chunk_size = whole_number("chunk_size", chunk_size, 1)
    chosen = choose_device(device)
    for posterior in many:
        posterior.check_unchanged()
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
        globals_read={**many[0].objective.globals_read(), **globals_read(*watched.values())},
        single=isinstance(posteriors, LocalPosterior),
        step_factors=factors,
    )
    trace_store = None
    if path is not None:
        trace_store = TraceStore(path, description, overwrite, keep_cut=chunk_size is None)
        if trace_store.is_complete():
            return trace_store.open()
        cut = trace_store.description.chunk_size
        plan = make_plan(total, size, elements, chosen, cut)
        description = dataclasses.replace(description, chunk_size=cut)
    check_gradients(many[0], kernel, plan, chosen)
    with fits_into_memory(
        f"sampling {total} chains of {size} parameters, {plan.chunk_size * plan.num_workers} at "
        f"once, with batch_size={kernel.batch_size} and num_steps={num_steps},",
        "a smaller chunk_size, a smaller batch_size or microbatch_size, or fewer num_chains or "
        "num_steps take less",
    ):
        stack = PosteriorStack(many, chosen)
        if kernel.batch_size is None:
            stack.full_batch()  # refuses different data sets before anything runs
        job = Job(stack, kernel, plan, labels, num_chains, num_steps, seed, factors)
        runner = ChunkRunner(stack, kernel, num_steps, thinning, watched, compile)
        return _sampled(job, runner, description, trace_store, progress)


def _sampled(
    job: Job,
    runner: ChunkRunner,
    description: TraceDescription,
    trace_store: TraceStore | None,
    progress: bool,
) -> xr.Dataset:
    """Run all chunks; the trace."""
    started = time.perf_counter()
    first = job.chains(0)
    series = _series(runner, first)
    path = None if trace_store is None else trace_store.path
    check_records(series, job.num_chains, len(job.labels), path)
    recorder: Recorder
    if trace_store is None:
        recorder = MemoryRecorder(job.plan, job.total, series)
    else:
        recorder = trace_store.recorder(job.plan, job.total, series)
    try:
        _run(job, runner, recorder, first, description.posteriors, progress)
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


def _series(runner: ChunkRunner, chains: ChainTensors) -> dict[str, Series]:
    """What is recorded, from a look at the chains' first draw."""
    dtype = str(runner.stack.dtype).removeprefix("torch.")
    draws = ceil_div(runner.num_steps, runner.thinning)
    return {
        **{name: Series(runner.num_steps, (), dtype) for name in runner.kernel.info_names},
        **{
            name: Series(draws, tuple(one.shape[1:]), recorded_dtype(one.dtype, dtype))
            for name, one in runner.observe(chains, chains.w_star).items()
        },
    }


def batch_elements(posterior: LocalPosterior, kernel: Kernel) -> int:
    """Numbers that one chain reads of the data at once."""
    num_samples = kernel.batch_size or posterior.samples.num_samples
    if kernel.microbatch_size is not None:
        num_samples = min(num_samples, kernel.microbatch_size)
    return num_samples * sum(tensor[:1].numel() for tensor in posterior.samples.tensors)


def _run(
    job: Job,
    runner: ChunkRunner,
    recorder: Recorder,
    first: ChainTensors,
    posteriors: Sequence[LocalPosterior],
    progress: bool,
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
        runner.run(
            chunk,
            job.chains(chunk),
            recorder,
            report=lambda steps: bar.update(steps * real),
            resumed=lambda steps: bar.skip(steps * real),
        )

    with (
        Progress("sampling", total=job.total * job.num_steps, wanted=progress) as bar,
        denormals_flushed(),
    ):
        try:
            if workers > 1:
                # A compiled step is made for the threads it is traced with.
                torch.set_num_threads(1)
            if runner.may_compile:
                bar.say(_COMPILING)
            runner.prepare(first)
            for posterior in posteriors:
                posterior.slope  # noqa: B018 (kept there: should it fail, then before chains run)
            bar.say()
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
