"""The samplers on the README example's last checkpoint: `python -m benchmarks.sampler_costs`.

Each prints µs of core time a chain-step (one thread; time of the process, so that a busy machine
shows little), λ̂ with its Monte Carlo error, and what the sampler reports of itself. The full-batch
ones should agree: MALA and HMC are exact, BAOAB nearly.

    python -m benchmarks.sampler_costs [--chains 4] [--steps 2000] [--only "HMC,BAOAB all"]

What a call costs before its first step is taken off by a call of the fewest steps.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
import xarray as xr

import lambdascope as ls
from benchmarks.readme_example import BATCH_SIZE, load_example
from benchmarks.runners.lambdascope_chains import FEWEST_STEPS, make_example, make_posteriors

# Chains a chunk on the full batch: two keep the activations in the second-level cache.
CHUNK_SIZE = 2

CONTESTANTS: dict[str, ls.SGLD | ls.BAOAB | ls.MALA | ls.HMC | ls.SGNHT] = {
    "SGLD m=64": ls.SGLD(step_size=1e-3, batch_size=BATCH_SIZE),
    "SGLD all": ls.SGLD(step_size=1e-3),
    "BAOAB m=64": ls.BAOAB(step_size=0.02, batch_size=BATCH_SIZE),
    "BAOAB all": ls.BAOAB(step_size=0.02),
    "SGNHT m=64": ls.SGNHT(step_size=0.02, batch_size=BATCH_SIZE),
    "MALA": ls.MALA(step_size=1e-4),
    "HMC": ls.HMC(step_size=0.02, num_leapfrog_steps=20, num_warmup_trajectories=25),
}


def main() -> None:
    """Run and print, one row a sampler."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--burnin", type=float, default=0.4, help="fraction of the steps")
    parser.add_argument("--only", default="", help="comma-separated beginnings of names")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make_example(Path(folder) / "example.pt")
        example = load_example(Path(folder) / "example.pt")
    posterior = make_posteriors(example)[-1]
    wanted = tuple(name for name in arguments.only.split(",") if name)
    print(f"{'sampler':14}  {'µs':>6}  {'λ̂':>7}  {'± s.e.':>6}  {'ESS':>6}  reported")
    for name, kernel in CONTESTANTS.items():
        if wanted and not name.startswith(wanted):
            continue

        def run(num_steps: int, kernel: ls.SGLD = kernel) -> tuple[xr.Dataset, float]:
            begun = time.process_time()
            trace = ls.sample(
                posterior,
                kernel,
                num_chains=arguments.chains,
                num_steps=num_steps,
                chunk_size=CHUNK_SIZE if kernel.batch_size is None else None,
                progress=False,
            )
            return trace, time.process_time() - begun

        run(FEWEST_STEPS)  # compiles
        _, fixed = run(FEWEST_STEPS)
        trace, whole = run(arguments.steps)
        estimate = ls.estimate_llc(trace, burnin=arguments.burnin)
        assert isinstance(estimate, ls.LLCEstimate)
        each = 1e6 * (whole - fixed) / (arguments.chains * (arguments.steps - FEWEST_STEPS))
        kept = trace.isel(step=slice(int(arguments.burnin * arguments.steps), None))
        reported = ", ".join(
            f"{one} {float(kept[one].mean()):.3f}" for one in kernel.info_names if one != "loss"
        )
        print(
            f"{name:14}  {each:6.0f}  {estimate.llc:7.1f}  {estimate.stderr:6.1f}  "
            f"{estimate.ess:6.0f}  {reported}",
            flush=True,
        )


if __name__ == "__main__":
    main()
