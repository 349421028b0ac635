"""canonical-interp 0.1.5: all chains of one checkpoint as one vmapped, compiled batch.

All its chains see the same minibatch, and it goes through the same few batches in the same order
for ever (it caches the loader's first pass). It compiles anew at each call, so the timed part
begins once that is done; the seconds before are given as `startup_seconds`.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.readme_example import (
    BATCH_SIZE,
    BURNIN,
    LOCALIZATION,
    STEP_SIZE,
    load_example,
)
from benchmarks.worker import Reply, segment, serve

WARM_UP_STEPS = 20


def batched(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """`itertools.batched` of Python 3.12, which canonical-interp imports, for Python 3.11."""
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch


def prepare(path: Path) -> Callable[..., Reply]:
    """Import canonical-interp (with the shim where it is needed) and load the example."""
    if not hasattr(itertools, "batched"):
        itertools.batched = batched  # type: ignore[attr-defined]
    from canonical_interp import LLCEstimator  # type: ignore[import-not-found]

    logging.disable(logging.WARNING)
    example = load_example(path)
    data = TensorDataset(example.inputs, example.targets)

    def measure(
        num_chains: int,
        num_steps: int,
        seed: int,
        ordinary: bool = False,
        batch_size: int = BATCH_SIZE,
    ) -> Reply:
        loader = DataLoader(data, batch_size=batch_size, shuffle=True, drop_last=True)
        torch.manual_seed(seed)
        fetched_at: list[float] = []

        def unpack(batch: list[Tensor]) -> tuple[Tensor, Tensor]:
            fetched_at.append(time.perf_counter())  # called once a step, before it
            return batch[0], batch[1]

        num_steps += WARM_UP_STEPS
        num_burnin_steps = int(BURNIN * num_steps)
        estimator = LLCEstimator(
            draws=num_steps - num_burnin_steps,
            chains=num_chains,
            burnin_steps=num_burnin_steps,
            steps_bw_draws=1,
            learning_rate=STEP_SIZE,
            localization=LOCALIZATION,
            nbeta=example.nbeta,
        )
        begin = time.perf_counter()
        estimator.estimate_llc(
            example.network(ordinary=ordinary),
            loader,
            seed=seed,
            unpack_fn=unpack,
            show_progress=False,
        )
        end = time.perf_counter()
        # One pass over the loader for the initial loss comes before the steps.
        first_timed = len(loader) + WARM_UP_STEPS
        assert len(fetched_at) == len(loader) + num_steps, "it fetched another number of batches"
        llc = example.llc(estimator.get_metrics()["losses"].detach())
        return segment(
            end - fetched_at[first_timed],
            num_chains,
            num_steps - WARM_UP_STEPS,
            llc.tolist(),
            startup_seconds=fetched_at[first_timed] - begin,
        )

    return measure


if __name__ == "__main__":
    serve(prepare)
