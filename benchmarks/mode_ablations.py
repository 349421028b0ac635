"""Every mode kept alone, and removed, at 25 checkpoints: the single-mode ablations of a run.

    python -m benchmarks.mode_ablations [--p 53] [--repeats 5] [--out FILE.json]

The asked figure is 2 s on two cores at p = 53. The networks are those of the README example with
initial weights of 25 seeds: what the weights are does not change the work.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.environment import describe_environment, write_json
from lambdascope.modular_addition.ablation import (
    losses_with_modes_kept,
    losses_with_modes_removed,
)
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.modes import num_modes, single_modes
from lambdascope.modular_addition.network import ModularAdditionMLP

RESULT = Path(__file__).parent / "results" / "mode_ablations.json"
ASKED_SECONDS = 2.0
NUM_CHECKPOINTS = 25


def measure(p: int, repeats: int) -> dict[str, Any]:
    """Time the ablations in token space and in embedding space, after one run to warm up."""
    configs = [TrainConfig(p=p, seed=seed) for seed in range(NUM_CHECKPOINTS)]
    networks = [ModularAdditionMLP(config) for config in configs]
    states = [network.state_dict() for network in networks]
    weights = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    data, modes = make_data(configs[0]), single_modes(p)
    seconds: dict[str, list[float]] = {"tokens": [], "embedding": []}
    for _ in range(repeats + 1):
        for space, times in seconds.items():
            begun = time.perf_counter()
            for losses in (losses_with_modes_kept, losses_with_modes_removed):
                losses(networks[0], weights, data, modes, space=space)
            times.append(time.perf_counter() - begun)
    return {
        "p": p,
        "num_checkpoints": NUM_CHECKPOINTS,
        "evaluations": 2 * NUM_CHECKPOINTS * num_modes(p),
        "threads": torch.get_num_threads(),
        "seconds": {space: statistics.median(times[1:]) for space, times in seconds.items()},
        "seconds_each": {space: times[1:] for space, times in seconds.items()},
        "asked_seconds": ASKED_SECONDS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--p", type=int, default=53, help="the modulus")
    parser.add_argument("--repeats", type=int, default=5, help="times to repeat")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the JSON goes")
    arguments = parser.parse_args()
    environment = describe_environment()
    result = measure(arguments.p, arguments.repeats)
    for space, seconds in result["seconds"].items():
        print(
            f"{space:10} {result['evaluations']} evaluations (each mode kept, and removed) in "
            f"{seconds:.2f} s on {result['threads']} threads (asked: {ASKED_SECONDS:.0f} s)"
        )
    write_json(arguments.out, {"environment": environment, "result": result})
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
