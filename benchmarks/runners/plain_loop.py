"""One chain at a time in plain PyTorch: what one would write in an afternoon."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.readme_example import (
    BATCH_SIZE,
    BURNIN,
    LOCALIZATION,
    STEP_SIZE,
    Example,
    load_example,
)
from benchmarks.worker import Reply, segment, serve


def prepare(path: Path) -> Callable[..., Reply]:
    """Load the example and warm up."""
    example = load_example(path)
    sample_chain(example, 100)

    def measure(num_chains: int, num_steps: int, seed: int) -> Reply:
        torch.manual_seed(seed)
        start = time.perf_counter()
        losses = torch.stack([sample_chain(example, num_steps) for _ in range(num_chains)])
        seconds = time.perf_counter() - start
        kept = losses[:, int(BURNIN * num_steps) :]
        return segment(seconds, num_chains, num_steps, example.llc(kept).tolist())

    return measure


def sample_chain(example: Example, num_steps: int) -> Tensor:
    """Run SGLD from the last checkpoint; the minibatch losses before each step, [step]."""
    network = example.network()
    parameters = list(network.parameters())
    w_star = [parameter.detach().clone() for parameter in parameters]
    losses = torch.empty(num_steps)
    for step in range(num_steps):
        index = torch.randint(len(example.inputs), (BATCH_SIZE,))
        loss = functional.cross_entropy(network(example.inputs[index]), example.targets[index])
        gradients = torch.autograd.grad(loss, parameters)
        losses[step] = loss.detach()
        with torch.no_grad():
            for parameter, centre, gradient in zip(parameters, w_star, gradients, strict=True):
                drift = example.nbeta * gradient + LOCALIZATION * (parameter - centre)
                noise = torch.randn_like(parameter)
                parameter.add_(STEP_SIZE**0.5 * noise - 0.5 * STEP_SIZE * drift)
    return losses


if __name__ == "__main__":
    serve(prepare)
