"""Sampling on one CUDA device: 25 checkpoints × 100 chains × 3,000 steps of the README example.

    PYTHONPATH=src python -m benchmarks.gpu_llc

needs nothing but the working tree and the library's own requirements. It prints one JSON object:
for several chunk sizes the seconds after warm-up and the microseconds a chain-step, and where the
device's time goes (torch.profiler). Where there is no CUDA device it says so and exits with 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.environment import describe_environment, write_json
from benchmarks.readme_example import Example, load_example
from benchmarks.runners.lambdascope_chains import (
    FEWEST_STEPS,
    make_example,
    make_posteriors,
    sample,
)

CHAINS_PER_CHECKPOINT = 100
NUM_STEPS = 3000
PROFILED_STEPS = 200
CHUNK_SIZES = (None, 2500, 1250, 625, 250)
REPEATS = 3


def measure_chunk_size(
    posteriors: list[Any],
    chunk_size: int | None,
    device: str,
    num_chains: int,
    num_steps: int,
    repeats: int,
) -> dict[str, Any]:
    """Time whole calls and steps alone.

    Args:
        posteriors: One a checkpoint.
        chunk_size: Chains a chunk; None: the library's own choice.
        device: Torch's name for it.
        num_chains: In all.
        num_steps: A chain.
        repeats: Timed calls, after one that warms up.

    Returns:
        `first_call_seconds` (compilation and capture included); `call_seconds` of later whole
        calls; `step_seconds`, those less what a call of four steps takes, and from these
        `us_per_chain_step`; `peak_device_mib`.
    """

    def timed(steps: int, seed: int) -> float:
        start = time.perf_counter()
        sample(posteriors, num_chains, steps, seed, device=device, chunk_size=chunk_size)
        return time.perf_counter() - start

    on_cuda = torch.device(device).type == "cuda"
    if on_cuda:
        torch.cuda.reset_peak_memory_stats()
    first = timed(num_steps, 0)
    calls = [timed(num_steps, 1 + repeat) for repeat in range(repeats)]
    fixed = statistics.median(timed(FEWEST_STEPS, 100 + repeat) for repeat in range(repeats))
    steps = [call - fixed for call in calls]
    per_chain_step = 1e6 / (num_chains * (num_steps - FEWEST_STEPS))
    return {
        "chunk_size": chunk_size,
        "first_call_seconds": first,
        "call_seconds": calls,
        "call_of_four_steps_seconds": fixed,
        "step_seconds": steps,
        "us_per_chain_step": statistics.median(steps) * per_chain_step,
        "us_per_chain_step_whole_call": statistics.median(calls) * 1e6 / (num_chains * num_steps),
        "peak_device_mib": torch.cuda.max_memory_allocated() / 2**20 if on_cuda else None,
    }


def profile_kernels(
    posteriors: list[Any], device: str, num_chains: int, num_steps: int, top: int = 15
) -> dict[str, Any]:
    """Where the time of a short call goes, by kernel, the longest first.

    Returns:
        `kernels`: name, calls, microseconds in all and a step; `device_us_per_step`: their sum.
    """
    on_cuda = torch.device(device).type == "cuda"
    activity = torch.profiler.ProfilerActivity
    activities = [activity.CPU, activity.CUDA] if on_cuda else [activity.CPU]
    with torch.profiler.profile(activities=activities) as profiler:
        sample(posteriors, num_chains, num_steps, 0, device=device)
        if on_cuda:
            torch.cuda.synchronize()
    kernels = []
    for event in profiler.key_averages():
        microseconds = event.self_device_time_total if on_cuda else event.self_cpu_time_total
        if microseconds > 0:
            kernels.append(
                {
                    "name": event.key[:120],
                    "calls": event.count,
                    "us": microseconds,
                    "us_per_step": microseconds / num_steps,
                }
            )
    kernels.sort(key=lambda kernel: kernel["us"], reverse=True)
    return {
        "num_steps": num_steps,
        "device_us_per_step": sum(kernel["us"] for kernel in kernels) / num_steps,
        "kernels": kernels[:top],
    }


def measure(
    example: Example,
    device: str,
    chains_per_checkpoint: int = CHAINS_PER_CHECKPOINT,
    num_steps: int = NUM_STEPS,
    repeats: int = REPEATS,
) -> dict[str, Any]:
    """Everything for one device; λ̂ at the last checkpoint beside it as a check."""
    import lambdascope as ls

    posteriors = make_posteriors(example, orthogonal=False)
    num_chains = chains_per_checkpoint * len(posteriors)
    by_chunk_size = [
        measure_chunk_size(posteriors, size, device, num_chains, num_steps, repeats)
        for size in CHUNK_SIZES
        if size is None or size <= num_chains
    ]
    curve = ls.estimate_llc(sample(posteriors, num_chains, num_steps, 0, device=device))
    assert isinstance(curve, ls.LLCCurve)
    last = curve[-1]
    return {
        "num_checkpoints": len(posteriors),
        "chains_per_checkpoint": chains_per_checkpoint,
        "num_steps": num_steps,
        "by_chunk_size": by_chunk_size,
        "llc_at_last_checkpoint": {"llc": float(last.llc), "stderr": float(last.stderr)},
        "profile": profile_kernels(posteriors, device, num_chains, min(PROFILED_STEPS, num_steps)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="also store the JSON object there")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a CUDA device, and PyTorch sees none here.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "readme_example.pt"
        make_example(path)
        example = load_example(path)
    result = {
        "benchmark": "gpu_llc",
        "environment": describe_environment(),
        **measure(example, "cuda"),
    }
    print(json.dumps(result, indent=2))
    if options.output is not None:
        write_json(options.output, result)


if __name__ == "__main__":
    main()
