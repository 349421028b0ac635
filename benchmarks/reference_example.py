"""Four checkpoints of the README example, kept, and λ̂ there by long exact chains.

    python -m benchmarks.reference_example            makes both anew: half an hour on two cores

Training is the same to the bit only on one kind of processor, so the weights that the references
belong to are kept beside them. A reference is full-batch BAOAB at two steps a factor of two apart,
whose difference bounds the step's bias (of second order, and small), and beside it HMC, which has
none: two kernels that must agree.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

import lambdascope as ls
from benchmarks.environment import describe_environment, write_json
from benchmarks.readme_example import Example, load_example
from benchmarks.runners.lambdascope_chains import make_example, make_posteriors

CHECKPOINTS = (4, 9, 14, 24)
RESULTS = Path(__file__).resolve().parent / "results"
WEIGHTS, REFERENCES = RESULTS / "reference_example.safetensors", RESULTS / "reference_llc.json"
# h·ω is about a half at the longer step, at all four.
STEP_SIZE, NUM_CHAINS, NUM_STEPS, BURNIN = 0.014, 8, 1000, 250
AGREEMENT = 3.0


def reference_example() -> Example:
    """The data and the four kept checkpoints, `states` in the order of `CHECKPOINTS`."""
    tensors = load_file(WEIGHTS)
    inputs, targets = tensors.pop("inputs").long(), tensors.pop("targets").long()
    states = [
        {
            name.partition("/")[2]: tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{checkpoint}/")
        }
        for checkpoint in CHECKPOINTS
    ]
    return Example(inputs, targets, states)


def references() -> list[dict[str, Any]]:
    """The stored references, a row a checkpoint: `llc`, `stderr` and how they came about."""
    rows: list[dict[str, Any]] = json.loads(REFERENCES.read_text())["rows"]
    return rows


def reference_posteriors() -> list[ls.LocalPosterior]:
    """Around the four checkpoints, across the gradient, γ = 5, nβ = n / log n."""
    return make_posteriors(reference_example(), orthogonal=True)


def keep_weights() -> None:
    """Train the example and keep its data and four of its checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        make_example(Path(folder) / "example.pt")
        example = load_example(Path(folder) / "example.pt")
    tensors = {
        f"{checkpoint}/{name}": tensor.contiguous()
        for checkpoint in CHECKPOINTS
        for name, tensor in example.states[checkpoint].items()
    }
    tensors |= {"inputs": example.inputs.short(), "targets": example.targets.short()}
    save_file(tensors, WEIGHTS)


def measure(store: Path) -> list[dict[str, Any]]:
    """The references, their traces kept in `store` meanwhile, so that a second call goes on."""
    posteriors = reference_posteriors()
    common: dict[str, Any] = {"checkpoints": list(CHECKPOINTS), "seed": 11, "chunk_size": 2}
    factors = [[2.0] * NUM_CHAINS + [1.0] * NUM_CHAINS] * len(CHECKPOINTS)
    begun = time.perf_counter()
    trace = ls.sample(
        posteriors,
        ls.BAOAB(step_size=STEP_SIZE / 2, friction=math.sqrt(5.0)),
        num_chains=2 * NUM_CHAINS,
        num_steps=NUM_STEPS,
        step_factors=factors,
        store=store / "baoab.zarr",
        **common,
    )
    halves = [
        ls.estimate_llc(trace.isel(chain=slice(start, start + NUM_CHAINS)), burnin=BURNIN)
        for start in (0, NUM_CHAINS)
    ]
    kernel = ls.HMC(step_size=0.012, num_leapfrog_steps=25, num_warmup_trajectories=12)
    exact = ls.sample(
        posteriors, kernel, num_chains=6, num_steps=1100, store=store / "hmc.zarr", **common
    )
    by_hmc = ls.estimate_llc(exact, burnin=kernel.num_warmup_steps + 50)
    seconds = time.perf_counter() - begun
    rows = []
    for checkpoint, coarse, fine, hmc in zip(CHECKPOINTS, *halves, by_hmc, strict=True):
        weights = [1 / coarse.stderr**2, 1 / fine.stderr**2]
        llc = (weights[0] * coarse.llc + weights[1] * fine.llc) / sum(weights)
        stderr = 1 / math.sqrt(sum(weights))
        row = {
            "checkpoint": checkpoint,
            "llc": llc,
            "stderr": stderr,
            "relative_stderr": stderr / llc,
            "baoab": {f"h = {STEP_SIZE}": _of(coarse), f"h = {STEP_SIZE / 2}": _of(fine)},
            "hmc": _of(hmc),
            "hmc_difference_in_stderr": (hmc.llc - llc) / math.hypot(hmc.stderr, stderr),
            "step_difference_in_stderr": (coarse.llc - fine.llc)
            / math.hypot(coarse.stderr, fine.stderr),
            "seconds_in_all": round(seconds, 1),
        }
        rows.append(row)
        print(
            f"checkpoint {checkpoint:2d}: {llc:.1f} ± {stderr:.1f} ({stderr / llc:.2%}); "
            f"BAOAB {coarse.llc:.1f} ± {coarse.stderr:.1f} and {fine.llc:.1f} ± {fine.stderr:.1f}, "
            f"HMC {hmc.llc:.1f} ± {hmc.stderr:.1f}"
        )
    return rows


def _of(estimate: ls.LLCEstimate) -> dict[str, Any]:
    return {
        "llc": estimate.llc,
        "stderr": estimate.stderr,
        "rhat": estimate.rhat,
        "ess": estimate.ess,
        "status": str(estimate.status),
    }


def main() -> None:
    """Make and store weights and references."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", action="store_true", help="train anew, too")
    parser.add_argument("--store", type=Path, help="folder for the traces, to go on from")
    options = parser.parse_args()
    if options.weights or not WEIGHTS.exists():
        keep_weights()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.store or Path(folder))
    worst = max(
        abs(row[name])
        for row in rows
        for name in ("hmc_difference_in_stderr", "step_difference_in_stderr")
    )
    print(f"largest disagreement: {worst:.1f} standard errors")
    if worst > AGREEMENT:
        raise SystemExit(f"the kernels disagree by more than {AGREEMENT} standard errors")
    write_json(
        REFERENCES,
        {"benchmark": "reference_llc", "environment": describe_environment(), "rows": rows},
    )


if __name__ == "__main__":
    main()
