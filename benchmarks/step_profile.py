"""Where the time of one SGLD step goes: `python -m benchmarks.step_profile`.

One worker, one thread, one chunk of the README example; the compiler names its kernels after the
operations they fuse. Prints microseconds of one core for each chain-step.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

import lambdascope as ls
from benchmarks.readme_example import BATCH_SIZE, STEP_SIZE, load_example
from benchmarks.runners.lambdascope_chains import make_example, make_posteriors
from lambdascope.sampling import compiler
from lambdascope.sampling.plan import Plan
from lambdascope.sampling.randomness import chain_keys
from lambdascope.sampling.runner import ChunkRunner
from lambdascope.sampling.stack import PosteriorStack

_STEPS = 200


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=25, help="chains in the chunk")
    parser.add_argument("--orthogonal", action="store_true", help="restrict to the hyperplane")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # Named kernels need the Python wrapper; its own overhead is the row of the graph call.
    compiler._CPU_OPTIONS = {
        "cpp.threads": 1,
        "cpp.enable_kernel_profile": True,
        "cpp.descriptive_names": "original_aten",
    }
    with tempfile.TemporaryDirectory() as folder:
        make_example(Path(folder) / "example.pt")
        example = load_example(Path(folder) / "example.pt")
    posteriors = make_posteriors(example, orthogonal=arguments.orthogonal)
    stack = PosteriorStack(posteriors[:1], torch.device("cpu"))
    plan = Plan(arguments.chains, 1, 1)
    keys = chain_keys(0, [(0, chain) for chain in plan.chunk(0, arguments.chains)])
    chains = stack.of_chains([0] * arguments.chains, keys)
    kernel = ls.SGLD(step_size=STEP_SIZE, batch_size=BATCH_SIZE)
    runner = ChunkRunner(stack, kernel, _STEPS, 10, {}, True)
    runner.prepare(chains)
    state, number = runner._start(chains)
    loop = runner._loop(chains, state, number)
    for _ in range(20):
        loop.advance()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(_STEPS):
            loop.advance()
    rows = sorted(profiler.key_averages(), key=lambda row: -row.self_cpu_time_total)
    scale = 1 / (_STEPS * arguments.chains)
    print(f"{'µs/chain-step':>13}  {'calls/step':>10}  operation")
    for row in rows[:16]:
        print(
            f"{row.self_cpu_time_total * scale:13.2f}  {row.count / _STEPS:10.1f}  {row.key[:100]}"
        )
    print(
        f"{sum(row.self_cpu_time_total for row in rows) * scale:13.2f}  {'':10}  in all, one core"
    )


if __name__ == "__main__":
    main()
