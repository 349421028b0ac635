"""Training 25 seeds of the README example: as one batch, and one after another.

    python -m benchmarks.training_throughput [--seeds 25] [--repeats 3] [--out FILE.json]

Three ways to the same 25 × 25 checkpoints, timed in one process after a warm-up of each:

- batch: `train` on all seeds at once;
- alone: `train` on one seed after another;
- plain: one seed after another in ordinary PyTorch (`nn.Module`, `torch.optim.Adam`), with the
  same data, batch size, initial laws, and the same losses at the same checkpoints, and with the
  number of threads that a short trial finds faster for it.

Nothing is written during training. The final losses are printed beside the times: all three must
have learned the task.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.environment import describe_environment, write_json
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData, make_data
from lambdascope.modular_addition.training import train

RESULT = Path(__file__).parent / "results" / "training_throughput.json"
ASKED_SPEEDUP = 8.0
TRIAL_STEPS = 200

Losses = tuple[float, float]


class PlainNetwork(nn.Module):
    """The README example as one would write it."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.p, config.embed_dim)
        self.linear_left = nn.Linear(config.embed_dim, config.hidden_size)
        self.linear_right = nn.Linear(config.embed_dim, config.hidden_size)
        self.unembedding = nn.Linear(config.hidden_size, config.p, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [batch, 2] to logits [batch, p]."""
        embedded = self.embedding(tokens)
        x = self.linear_left(embedded[:, 0]) + self.linear_right(embedded[:, 1])
        return self.unembedding(functional.gelu(x))


def train_plainly(config: TrainConfig, data: ModularData) -> Losses:
    """Train one network in an ordinary loop; the final train and test loss."""
    torch.manual_seed(config.seed)
    model = PlainNetwork(config)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    inputs, targets = data.train
    checkpoints = set(config.checkpoint_steps)
    kept = []
    losses = (float("nan"), float("nan"))
    for step in range(config.num_steps + 1):
        if step in checkpoints:
            losses = (_loss(model, *data.train), _loss(model, *data.test))
            kept.append({name: w.clone() for name, w in model.state_dict().items()})
        if step == config.num_steps:
            break
        chosen = torch.randint(len(inputs), (config.batch_size,))
        optimiser.zero_grad()
        functional.cross_entropy(model(inputs[chosen]), targets[chosen]).backward()
        optimiser.step()
    assert len(kept) == config.num_checkpoints
    return losses


@torch.no_grad()
def _loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    return functional.cross_entropy(model(inputs), targets).item()


def train_ours(configs: list[TrainConfig]) -> list[Losses]:
    """Train with the library, as one batch; the final train and test losses."""
    return [(run.metrics[-1].train_loss, run.metrics[-1].test_loss) for run in train(configs)]


def measure(num_seeds: int, repeats: int) -> dict[str, Any]:
    """Time the three ways.

    Returns:
        seconds of each way (batch: the median of `repeats`), their ratios, final losses.
    """
    configs = [TrainConfig(seed=seed) for seed in range(num_seeds)]
    data = [make_data(config) for config in configs]
    threads = torch.get_num_threads()
    short = TrainConfig(num_steps=TRIAL_STEPS)
    trials = {count: _trial(short, data[0], count) for count in sorted({1, threads})}
    plain_threads = min(trials, key=trials.__getitem__)
    train_ours([config.model_copy(update={"num_steps": 24}) for config in configs])

    batch = [_timed(lambda: train_ours(configs)) for _ in range(repeats)]
    alone = _timed(lambda: [train_ours([config])[0] for config in configs])
    torch.set_num_threads(plain_threads)
    plain = _timed(lambda: [train_plainly(*run) for run in zip(configs, data, strict=True)])
    torch.set_num_threads(threads)

    seconds = {
        "batch": statistics.median(time for time, _ in batch),
        "alone": alone[0],
        "plain": plain[0],
    }
    losses = {"batch": batch[0][1], "alone": alone[1], "plain": plain[1]}
    return {
        "num_seeds": num_seeds,
        "num_steps": configs[0].num_steps,
        "threads": threads,
        "plain_threads": plain_threads,
        "seconds": seconds,
        "batch_seconds_each": [time for time, _ in batch],
        "microseconds_per_step": {
            name: 1e6 * value / configs[0].num_steps / (1 if name == "batch" else num_seeds)
            for name, value in seconds.items()
        },
        "batch_against_plain": seconds["plain"] / seconds["batch"],
        "batch_against_alone": seconds["alone"] / seconds["batch"],
        "asked_batch_against_plain": ASKED_SPEEDUP,
        "median_final_losses": {
            name: [statistics.median(column) for column in zip(*runs, strict=True)]
            for name, runs in losses.items()
        },
    }


def _timed(work: Callable[[], list[Losses]]) -> tuple[float, list[Losses]]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def _trial(config: TrainConfig, data: ModularData, threads: int) -> float:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    # Twice: torch imports its compiler when an optimiser takes its first step.
    seconds = [_timed(lambda: [train_plainly(config, data)])[0] for _ in range(2)]
    torch.set_num_threads(before)
    return seconds[-1]


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'':8}{'seconds':>9}{'µs a step':>11}{'final losses (train, test)':>29}"]
    for name, seconds in result["seconds"].items():
        losses = ", ".join(f"{loss:.3f}" for loss in result["median_final_losses"][name])
        step = result["microseconds_per_step"][name]
        lines.append(f"{name:8}{seconds:9.2f}{step:11.0f}{losses:>29}")
    lines.append(
        f"one batch is {result['batch_against_plain']:.1f} × as fast as the plain loop "
        f"(asked: {ASKED_SPEEDUP:.0f}), {result['batch_against_alone']:.1f} × as fast as one "
        "after another"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=25, help="networks to train")
    parser.add_argument("--repeats", type=int, default=3, help="times to train the batch")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the JSON goes")
    arguments = parser.parse_args()
    environment = describe_environment()
    result = measure(arguments.seeds, arguments.repeats)
    print(_table(result))
    write_json(arguments.out, {"environment": environment, "result": result})
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
