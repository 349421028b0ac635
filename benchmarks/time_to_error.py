"""Time to a λ̂ within 2 % of the exact value, ours and the peers'.

    python -m benchmarks.time_to_error

At the last checkpoint of the README's example, whose exact localised value is kept
(`reference_example`). The peers sample by SGLD. Any SGLD of the same step size and batch size has
the same bias and needs as many steps, whoever runs it; so both are read from long chains of ours,
and each peer is timed at a step of that batch:

    steps = burn-in + V / ((0.02·λ)² − bias²)

with a burn-in of 5/(ε·γ), or of a fifth of our chains if that is more (on all data the loss still
falls for some 8,000 steps of ε = 5·10⁻⁴), and V the variance of λ̂ times the steps that it came
from. A setting that has converged, and whose bias alone is above 2 %, never gets there; one that
has not converged is not there after the steps that were run, whose time is given. A bias below two
of its own standard errors counts as zero.

That favours the peers: one chain, no step lost to finding the setting, and chains that share their
minibatches (canonical-interp) credited with as many independent draws as chains that do not. Ours
is the automatic estimate, pilots and choice of the step included, compiling left out as for the
peers.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import lambdascope as ls
from benchmarks.environment import describe_environment, write_json
from benchmarks.make_peer_environment import peer_python
from benchmarks.readme_example import LOCALIZATION
from benchmarks.reference_example import (
    CHECKPOINTS,
    reference_example,
    reference_posteriors,
    references,
)
from benchmarks.worker import Worker

RESULTS = Path(__file__).resolve().parent / "results" / "time_to_error.json"
TARGET = 0.02
SEEDS = 5
ALL = 0
# Step size, batch size (0: all data), chains of ours and their steps, timed steps of the peers.
SETTINGS = (
    (1e-3, 64, 16, 6_000, 400),
    (2.5e-4, 64, 16, 16_000, 400),
    (2.5e-4, 256, 8, 16_000, 200),
    (1e-3, ALL, 4, 24_000, 40),
    (5e-4, ALL, 4, 40_000, 40),
)
PEERS = {
    "devinterp 1.3.2": ("benchmarks.runners.devinterp_chains", {"fastest": True}, 1),
    "canonical-interp 0.1.5": ("benchmarks.runners.canonical_chains", {}, 25),
}


def needed_steps(setting: tuple[float, int, int, int, int]) -> dict[str, Any]:
    """Bias of SGLD with one setting, and the steps it takes to the target."""
    step_size, batch_size, num_chains, num_steps, _ = setting
    posterior, exact = reference_posteriors()[-1], references()[-1]
    kernel = ls.SGLD(step_size=step_size, batch_size=batch_size or None)
    trace = ls.sample(
        posterior, kernel, num_chains=num_chains, num_steps=num_steps, seed=5, progress=False
    )
    burnin = max(int(5 / (step_size * LOCALIZATION)), num_steps // 5)
    estimate = ls.estimate_llc(trace, burnin)
    assert isinstance(estimate, ls.LLCEstimate)  # of one posterior
    truth = exact["llc"]
    known = math.hypot(estimate.stderr, exact["stderr"])
    bias = estimate.llc - truth
    counted = bias if abs(bias) > 2 * known else 0.0
    kept = num_chains * (num_steps - estimate.num_burnin_steps)
    room = (TARGET * truth) ** 2 - counted**2
    return {
        "step_size": step_size,
        "batch_size": batch_size or posterior.samples.num_samples,
        "llc": estimate.llc,
        "stderr": estimate.stderr,
        "bias": bias / truth,
        "status": str(estimate.status),
        "num_steps": num_steps,
        "steps": burnin + kept * estimate.stderr**2 / room if room > 0 else None,
    }


def ours() -> dict[str, Any]:
    """The automatic estimate of the last checkpoint, timed once compiled, mean of five seeds.

    By chance one of them runs its chains again, another does not.
    """
    posterior, truth = reference_posteriors()[-1], references()[-1]["llc"]
    settings: dict[str, Any] = {
        "checkpoints": [CHECKPOINTS[-1]],
        "target_error": TARGET,
        "localizations": False,
        "progress": False,
    }
    estimates, seconds = [], []
    for seed in range(1 + SEEDS):
        begun = time.perf_counter()
        (estimate,) = ls.estimate_llc([posterior], seed=seed, **settings)  # type: ignore[misc]
        estimates.append(estimate)
        seconds.append(time.perf_counter() - begun)
    del estimates[0], seconds[0]  # which compiled
    return {
        "llc": [one.llc for one in estimates],
        "stderr": [one.stderr for one in estimates],
        "off_by": math.sqrt(statistics.fmean((one.llc / truth - 1) ** 2 for one in estimates)),
        "status": [str(one.status) for one in estimates],
        "seconds": statistics.fmean(seconds),
        "seconds_each": seconds,
    }


def main() -> None:
    """Measure, print the table and store it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    exact, found = references()[-1], ours()
    print(f"exact {exact['llc']:.1f} ± {exact['stderr']:.1f}")
    each = ", ".join(
        f"{llc:.1f} ± {stderr:.1f}"
        for llc, stderr in zip(found["llc"], found["stderr"], strict=True)
    )
    print(
        f"automatic {each}: off by {found['off_by']:.1%} (root mean square), "
        f"{found['seconds']:.1f} s",
        flush=True,
    )
    rows = [needed_steps(setting) for setting in SETTINGS]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example.pt"
        reference_example().save(path)
        for name, (module, options, num_chains) in PEERS.items():
            worker = Worker(peer_python(), module, path, threads=2)
            for row, setting in zip(rows, SETTINGS, strict=True):
                reply = worker.request(
                    num_chains=num_chains,
                    num_steps=setting[-1],
                    seed=0,
                    batch_size=row["batch_size"],
                    **options,
                )
                cost = reply["us_per_chain_step"] * 1e-6
                row[name] = {
                    "us_per_chain_step": 1e6 * cost,
                    "seconds": None if row["steps"] is None else cost * row["steps"],
                    "seconds_of_a_chain": cost * row["num_steps"],
                }
            worker.close()
    for row in rows:
        print(_line(row, found["seconds"]), flush=True)
    write_json(
        RESULTS,
        {
            "benchmark": "time_to_error",
            "environment": describe_environment(),
            "target": TARGET,
            "exact": exact,
            "automatic": found,
            "rows": rows,
        },
    )


def _line(row: dict[str, Any], ours_seconds: float) -> str:
    if row["steps"] is not None:
        steps, of = f"{row['steps']:,.0f} steps", "seconds"
    elif row["status"] == "converged":
        steps, of = "never", ""
    else:
        steps, of = f"not after {row['num_steps']:,} steps", "seconds_of_a_chain"
    times = []
    for name in PEERS:
        said = f"{name} {row[name]['us_per_chain_step']:,.0f} us"
        if of:
            said += f", {row[name][of]:.1f} s ({row[name][of] / ours_seconds:.1f} x)"
        times.append(said)
    return (
        f"SGLD ε = {row['step_size']:g}, m = {row['batch_size']}: {row['llc']:.1f} ± "
        f"{row['stderr']:.1f} ({row['bias']:+.1%}, {row['status']}): {steps}; {'; '.join(times)}"
    )


if __name__ == "__main__":
    main()
