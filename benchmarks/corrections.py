"""Ways to a λ̂ free of bias, on time to a given total error: `python -m benchmarks.corrections`.

Each way estimates λ̂ at the four kept checkpoints (`reference_example`), and is held against the
exact references there. Its time to a total error of 2 % is

    t · mc² / ((0.02·λ)² − bias²)        t, mc: seconds and Monte Carlo error of the run as it was

and infinite where the bias alone is more. The bias is the difference to the reference; one below
two of its own errors counts as zero. Seconds leave out compiling and are those of the run: compare
them within one table.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lambdascope as ls
from benchmarks.environment import describe_environment, write_json
from benchmarks.reference_example import CHECKPOINTS, reference_posteriors, references
from lambdascope.estimates.extrapolation import extrapolated_llc

RESULTS = Path(__file__).resolve().parent / "results" / "corrections.json"
TARGET = 0.02
FRICTION = math.sqrt(5.0)
# BAOAB's longer step of the two at each kept checkpoint: h·ω near one.
LONG_STEP = 0.028

Posteriors = Sequence[ls.LocalPosterior]
Found = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Way:
    """A way to λ̂: `run(posteriors, shorter)` gives λ̂ and its Monte Carlo error, [checkpoint]."""

    name: str
    run: Callable[[Posteriors, int], Found]


def _plain(kernel: Any, num_chains: int, num_steps: int, burnin: float) -> Any:
    def run(posteriors: Posteriors, shorter: int) -> Found:
        curve = ls.estimate_llc(
            _trace(posteriors, kernel, num_chains, num_steps // shorter), burnin
        )
        return list(curve.llc), list(curve.stderr)

    return run


def _two_steps(kernel: Any, num_chains: int, num_steps: int, burnin: float) -> Any:
    def run(posteriors: Posteriors, shorter: int) -> Found:
        half = num_chains // 2
        factors = [[2.0] * half + [1.0] * half] * len(posteriors)
        steps = num_steps // shorter
        trace = _trace(posteriors, kernel, num_chains, steps, step_factors=factors)
        curve = extrapolated_llc(trace, [int(burnin * steps)] * len(posteriors))
        return list(curve.llc), list(curve.stderr)

    return run


def _two_batches(small: int, large: int, step_size: float, num_chains: int, num_steps: int) -> Any:
    """The bias of minibatches goes as 1/m: λ̂ = λ̂(M) − (λ̂(m) − λ̂(M)) · m/(M − m)."""

    def run(posteriors: Posteriors, shorter: int) -> Found:
        curves = []
        for batch_size in (small, large):
            kernel = ls.SGLD(step_size=step_size, batch_size=batch_size)
            trace = _trace(posteriors, kernel, num_chains // 2, num_steps // shorter)
            curves.append(ls.estimate_llc(trace, 0.25))
        low, high = curves
        a = small / (large - small)
        llc = high.llc + a * (high.llc - low.llc)
        stderr = np.hypot((1 + a) * high.stderr, a * low.stderr)
        return list(llc), list(stderr)

    return run


def _automatic(posteriors: Posteriors, shorter: int) -> Found:
    curve = ls.estimate_llc(
        list(posteriors),
        checkpoints=list(CHECKPOINTS),
        max_steps=6000 if shorter == 1 else 300,
        localizations=shorter == 1,
        progress=False,
    )
    return list(curve.llc), list(curve.stderr)


def _trace(
    posteriors: Posteriors, kernel: Any, num_chains: int, num_steps: int, **more: Any
) -> Any:
    return ls.sample(
        list(posteriors),
        kernel,
        num_chains=num_chains,
        num_steps=num_steps,
        seed=3,
        checkpoints=list(CHECKPOINTS),
        progress=False,
        **more,
    )


def _sgld(batch_size: int, step_size: float = 1e-3) -> ls.SGLD:
    return ls.SGLD(step_size=step_size, batch_size=batch_size)


WAYS = (
    Way("SGLD m = 64, uncorrected", _plain(_sgld(64), 4, 3000, 0.25)),
    Way("SGLD m = 64 and 256, extrapolated to all data", _two_batches(64, 256, 1e-3, 8, 3000)),
    Way("SGLD m = 256, steps ε and 2ε extrapolated", _two_steps(_sgld(256, 5e-4), 8, 3000, 0.25)),
    Way(
        "BAOAB m = 1024, uncorrected",
        _plain(ls.BAOAB(step_size=LONG_STEP / 2, friction=FRICTION, batch_size=1024), 4, 800, 0.3),
    ),
    Way(
        "BAOAB full batch, steps h and 2h",
        _two_steps(ls.BAOAB(step_size=LONG_STEP / 2, friction=FRICTION), 4, 600, 0.3),
    ),
    Way("automatic", _automatic),
)


def measure(way: Way, shorter: int) -> dict[str, Any]:
    """One way's row: a first short call compiles and is not timed."""
    posteriors, exact = reference_posteriors(), references()
    way.run(posteriors, 40)
    begun = time.perf_counter()
    llc, stderr = way.run(posteriors, shorter)
    seconds = time.perf_counter() - begun
    rows = []
    for found, error, row in zip(llc, stderr, exact, strict=True):
        truth = row["llc"]
        known = math.hypot(error, row["stderr"])
        bias = found - truth if abs(found - truth) > 2 * known else 0.0
        room = (TARGET * truth) ** 2 - bias**2
        rows.append(
            {
                "checkpoint": row["checkpoint"],
                "llc": float(found),
                "stderr": float(error),
                "exact": truth,
                "exact_stderr": row["stderr"],
                "off_by": float(found / truth - 1),
                "seconds_to_target": seconds / len(exact) * error**2 / room if room > 0 else None,
            }
        )
    return {"way": way.name, "seconds_a_checkpoint": seconds / len(exact), "rows": rows}


def _line(result: dict[str, Any]) -> str:
    cells = [
        f"{row['llc']:.1f} ± {row['stderr']:.1f} ({row['off_by']:+.1%}; "
        + (f"{row['seconds_to_target']:.2f} s" if row["seconds_to_target"] is not None else "never")
        + ")"
        for row in result["rows"]
    ]
    return f"| {result['way']} | {result['seconds_a_checkpoint']:.2f} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run all ways, print the table and store it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shorter", type=int, default=1, help="divisor of all lengths: a try")
    parser.add_argument("--only", default="", help="part of a way's name")
    options = parser.parse_args()
    exact = [f"{row['llc']:.1f} ± {row['stderr']:.1f}" for row in references()]
    print("| way | s a checkpoint | " + " | ".join(f"checkpoint {c}" for c in CHECKPOINTS) + " |")
    print("|---|---|---|---|---|---|")
    print("| exact | | " + " | ".join(exact) + " |", flush=True)
    results = []
    for way in WAYS:
        if options.only in way.name:
            results.append(measure(way, options.shorter))
            print(_line(results[-1]), flush=True)
    if options.shorter == 1 and not options.only:
        write_json(
            RESULTS,
            {
                "benchmark": "corrections",
                "environment": describe_environment(),
                "target": TARGET,
                "ways": results,
            },
        )


if __name__ == "__main__":
    main()
