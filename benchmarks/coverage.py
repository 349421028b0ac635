"""How often nominal 95 % intervals hold the exact finite-n value, system by system.

    python -m benchmarks.coverage                 400 replications of every system
    python -m benchmarks.coverage --replications 40

Each replication is an automatic estimate with random streams of its own. The exact value is a
closed form or a quadrature; where there is neither it is a long run of HMC, whose error is given
and is small beside that of one replication. Estimates of each length are also counted apart: those
that stopped early are as good as the others only if what stopped them is not in them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.environment import describe_environment, write_json
from lambdascope import HMC, LocalPosterior, cross_entropy, estimate_llc, gaussian_nll, sample
from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc
from lambdascope.toys import (
    crossing_potential,
    power_potential,
    product_potential,
    quadratic_potential,
    reduced_rank,
)

RESULTS = Path(__file__).resolve().parent / "results" / "coverage.json"
NOMINAL = 0.95
SETTINGS = AutomaticSettings()
# Estimates of a length, below which their coverage is not told: sampling alone makes it vary.
FEWEST_OF_A_LENGTH = 20


class Curved(nn.Module):
    """A few tanh units: three make a small nonlinear network of 10 parameters."""

    def __init__(self, seed: int = 0, units: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.inner = nn.Parameter(torch.randn(units, 2, generator=generator))
        self.outer = nn.Parameter(torch.randn(units, generator=generator))
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `inputs` [batch, 2] to [batch, 1]."""
        return (torch.tanh(inputs @ self.inner.T) @ self.outer)[:, None] + self.shift


def curved_posterior(seed: int = 0, units: int = 3, num_samples: int = 200) -> LocalPosterior:
    """Around the teacher itself, on samples without noise."""
    network = Curved(seed, units)
    generator = torch.Generator().manual_seed(seed + 1)
    inputs = torch.randn(num_samples, 2, generator=generator)
    with torch.no_grad():
        targets = network(inputs)
    return LocalPosterior(network, (inputs, targets), loss=gaussian_nll, localization=1.0)


def softmax_posterior() -> LocalPosterior:
    """Three classes by two numbers, 90 samples, at the optimum; a shift of all logits is flat."""
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(90, 2, generator=generator)
    scores = inputs @ torch.tensor([[1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    targets = torch.multinomial(scores.softmax(dim=1), 1, generator=generator)[:, 0]
    network = nn.Linear(2, 3)
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=500, tolerance_grad=1e-9)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.reset_parameters()
    optimiser.step(closure)
    return LocalPosterior(network, (inputs, targets), loss=cross_entropy, localization=2.0)


@dataclass(frozen=True)
class System:
    """A posterior and its exact λ̂, or None where HMC gives it."""

    name: str
    posterior: LocalPosterior
    exact: float | None


def systems() -> list[System]:
    """Quadratics, singular potentials, a reduced-rank regression, a small network."""
    toys: list[tuple[str, Any, dict[str, Any]]] = [
        ("quadratic, 1", quadratic_potential([1.0]), {}),
        ("quadratic, 10 equal", quadratic_potential([1.0] * 10), {}),
        ("quadratic, 40, spread", quadratic_potential(np.geomspace(1e-3, 3, 40).tolist()), {}),
        ("normal crossing x²y²", crossing_potential([2, 2]), {}),
        ("powers w⁴ + w⁶", power_potential([4, 6]), {}),
        ("(x² + .05)(y² + .05)", product_potential(0.05), {}),
        ("reduced rank 4,3,3 of 1", reduced_rank(4, 3, 3, 1, num_samples=200), {"nbeta": None}),
    ]
    found = []
    for name, toy, settings in toys:
        posterior = toy.posterior(**{"nbeta": 100.0, "localization": 1.0, **settings})
        found.append(System(name, posterior, toy.localized_llc(posterior)))
    tuned = [*found, System("tanh network, 10 parameters", curved_posterior(), None)]
    return [*tuned, *held_out_systems()]


def held_out_systems() -> list[System]:
    """Systems that no constant of the automatic estimate was chosen by."""
    wide = quadratic_potential(np.geomspace(1e-3, 3, 5000).tolist())
    posterior = wide.posterior(nbeta=100.0, localization=1.0)
    crossing = crossing_potential([4, 2])
    narrow = crossing.posterior(nbeta=400.0, localization=3.0)
    return [
        System("quadratic, 5,000, spread", posterior, wide.localized_llc(posterior)),
        System("normal crossing x⁴y²", narrow, crossing.localized_llc(narrow)),
        System("tanh network, 21 parameters", curved_posterior(3, 5, 60), None),
        System("softmax regression", softmax_posterior(), None),
    ]


def reference(posterior: LocalPosterior) -> tuple[float, float]:
    """λ̂ by long HMC, with its standard error."""
    kernel = HMC(step_size=0.05, num_leapfrog_steps=12, num_warmup_trajectories=100)
    trace = sample(posterior, kernel, num_chains=200, num_steps=12_000, seed=7, progress=False)
    estimate = estimate_llc(trace, burnin=2 * kernel.num_warmup_steps)
    return estimate.llc, estimate.stderr


def replicate(system: System, count: int, report: Callable[[str], None]) -> dict[str, Any]:
    """The coverage of one system."""
    begun = time.perf_counter()
    exact, exact_error = (system.exact, 0.0) if system.exact else reference(system.posterior)
    assert exact is not None
    reference_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    result = automatic_llc(
        [system.posterior] * count, SETTINGS, checkpoints=range(count), progress=False
    )
    llc, stderr = result.curve.llc, result.curve.stderr
    inside = np.abs(llc - exact) <= 1.959964 * stderr
    steps = np.array([one.num_steps for one in result.curve])
    mean_stderr = float(np.std(llc) / math.sqrt(count))
    row = {
        "system": system.name,
        "exact": exact,
        "exact_stderr": exact_error,
        "mean": float(np.mean(llc)),
        "mean_stderr": mean_stderr,
        "z": float(np.mean(llc) - exact) / math.hypot(mean_stderr, exact_error),
        "stderr_median": float(np.median(stderr)),
        "spread": float(np.std(llc)),
        "coverage": float(inside.mean()),
        "converged": float(np.mean([one.status == "converged" for one in result.curve])),
        "by_length": [
            {
                "steps": int(length),
                "count": int((steps == length).sum()),
                "mean": float(llc[steps == length].mean()),
                "coverage": float(inside[steps == length].mean()),
            }
            for length in np.unique(steps)
        ],
        "seconds": round(time.perf_counter() - begun, 1),
        "reference_seconds": round(reference_seconds, 1),
    }
    report(
        f"{system.name:28s} exact {exact:8.4f} ± {exact_error:.4f}  mean {row['mean']:8.4f} ± "
        f"{row['mean_stderr']:.4f} (z {row['z']:+.1f})  spread {row['spread']:.4f}  "
        f"stated {row['stderr_median']:.4f}  coverage {row['coverage']:.1%}  "
        f"converged {row['converged']:.0%}  {row['seconds']} s"
    )
    for part in row["by_length"]:
        if part["count"] >= FEWEST_OF_A_LENGTH:
            report(
                f"    {part['steps']:6,} steps  {part['count']:4d} estimates  "
                f"mean {part['mean']:8.4f}  coverage {part['coverage']:.1%}"
            )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--only", help="part of a system's name")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for system in systems():
        if options.only and options.only not in system.name:
            continue
        rows.append(replicate(system, options.replications, lambda line: print(line, flush=True)))
        if options.replications >= 400 and not options.only:  # as they come: it takes a while
            write_json(
                RESULTS,
                {
                    "benchmark": "coverage",
                    "environment": describe_environment(),
                    "replications": options.replications,
                    "nominal": NOMINAL,
                    "rows": rows,
                },
            )


if __name__ == "__main__":
    main()
