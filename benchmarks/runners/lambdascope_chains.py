"""lambdascope: all chains of 25 checkpoints as one batch, through the public interface.

What a call costs before its first step (tracing, looking up the compiled step) is seen from a call
of the fewest steps, taken off, and given as `startup_seconds`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.readme_example import (
    BATCH_SIZE,
    BURNIN,
    LOCALIZATION,
    STEP_SIZE,
    Example,
    load_example,
)
from benchmarks.worker import Reply, segment, serve

FEWEST_STEPS = 4


def make_example(path: Path, seed: int = 0) -> None:
    """Train the README example with the library and store it where all contestants can read it."""
    from lambdascope.modular_addition.config import TrainConfig
    from lambdascope.modular_addition.network import ModularAdditionMLP
    from lambdascope.modular_addition.training import train

    config = TrainConfig(seed=seed)
    (run,) = train([config])
    example = Example(*run.data.train, run.weights)
    assert_same_network(ModularAdditionMLP(config), example)
    example.save(path)


def assert_same_network(library_network: torch.nn.Module, example: Example) -> None:
    """Check that the library's network and the benchmark's own are one function of the weights.

    Raises:
        AssertionError: If the logits differ beyond rounding.
        RuntimeError: If parameters are missing, left over or of another shape.
    """
    library_network.load_state_dict(example.states[-1])
    ours, theirs = library_network.double(), example.network().double()
    with torch.no_grad():
        torch.testing.assert_close(ours(example.inputs), theirs(example.inputs))


def make_posteriors(
    example: Example, *, orthogonal: bool = False, ordinary: bool = False
) -> list[Any]:
    """One posterior a checkpoint.

    Args:
        example: Weights and data.
        orthogonal: Hold the chains to the hyperplane across the gradient.
        ordinary: Take a network and a loss as any user's, not the library's own.
    """
    import lambdascope as ls
    from lambdascope.modular_addition.config import TrainConfig
    from lambdascope.modular_addition.network import ModularAdditionMLP

    posteriors = []
    loss: Any = ls.cross_entropy
    if ordinary:
        loss = functools.partial(torch.nn.functional.cross_entropy, reduction="none")
    for checkpoint, state in enumerate(example.states):
        network: torch.nn.Module = example.network(checkpoint, ordinary=True)
        if not ordinary:
            network = ModularAdditionMLP(TrainConfig())
            network.load_state_dict(state)
        posteriors.append(
            ls.LocalPosterior(
                network,
                (example.inputs, example.targets),
                loss=loss,
                nbeta=example.nbeta,
                localization=LOCALIZATION,
                restriction=ls.OrthogonalToGradient() if orthogonal else None,
            )
        )
    return posteriors


def sample(
    posteriors: list[Any], num_chains: int, num_steps: int, seed: int, **options: Any
) -> Any:
    """`num_chains` chains in all, spread evenly over the checkpoints; returns the trace."""
    import lambdascope as ls

    assert num_chains % len(posteriors) == 0, "chains must spread evenly over the checkpoints"
    return ls.sample(
        posteriors,
        ls.SGLD(step_size=STEP_SIZE, batch_size=BATCH_SIZE),
        num_chains=num_chains // len(posteriors),
        num_steps=num_steps,
        seed=seed,
        checkpoints=list(range(len(posteriors))),
        progress=False,
        **options,
    )


def prepare(path: Path) -> Callable[..., Reply]:
    """Load the example, make both kinds of posterior and compile."""
    import lambdascope as ls

    example = load_example(path)
    kinds = {
        "plain": make_posteriors(example),
        "orthogonal": make_posteriors(example, orthogonal=True),
        "ordinary": make_posteriors(example, ordinary=True),
    }

    def measure(
        num_chains: int,
        num_steps: int,
        seed: int,
        orthogonal: bool = False,
        ordinary: bool = False,
    ) -> Reply:
        posteriors = kinds["orthogonal" if orthogonal else "ordinary" if ordinary else "plain"]
        start = time.perf_counter()
        sample(posteriors, num_chains, FEWEST_STEPS, seed)
        middle = time.perf_counter()
        trace = sample(posteriors, num_chains, num_steps, seed)
        end = time.perf_counter()
        curve = ls.estimate_llc(trace, burnin=BURNIN)
        assert isinstance(curve, ls.LLCCurve)
        return segment(
            (end - middle) - (middle - start),
            num_chains,
            num_steps - FEWEST_STEPS,
            [float(value) for value in curve[-1].per_chain],
            startup_seconds=middle - start,
        )

    return measure


if __name__ == "__main__":
    serve(prepare)
