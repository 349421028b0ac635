"""devinterp 1.3.2, chain by chain.

Its nbeta defaults to batch / log(batch): here it is set to n / log n, as everywhere. Two ways of
use are measured: as its guide has it (`SGMCMC.sgld`, a DataLoader that collates sample by sample),
and the fastest we found (the deprecated `SGLD` class, a loader that hands over whole batches).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from benchmarks.readme_example import (
    BATCH_SIZE,
    BURNIN,
    LOCALIZATION,
    STEP_SIZE,
    Example,
    load_example,
)
from benchmarks.worker import Reply, segment, serve


class WholeBatches(Dataset[tuple[Tensor, ...]]):
    """A dataset that indexes its tensors once a batch instead of once a sample."""

    def __init__(self, *tensors: Tensor) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        """Fetch a whole batch; torch's loader calls this where it exists."""
        return tuple(tensor[indices] for tensor in self.tensors)


def already_a_batch(batch: Any) -> Any:
    """Collate nothing."""
    return batch


def make_loader(example: Example, size: int, *, whole_batches: bool) -> DataLoader[Any]:
    """Reshuffled batches of exactly `size` (the last, short one is dropped)."""
    if whole_batches:
        data: Dataset[Any] = WholeBatches(example.inputs, example.targets)
        collate: Callable[[Any], Any] | None = already_a_batch
    else:
        data, collate = TensorDataset(example.inputs, example.targets), None
    return DataLoader(data, batch_size=size, shuffle=True, drop_last=True, collate_fn=collate)


def prepare(path: Path) -> Callable[..., Reply]:
    """Import devinterp, load the example and warm up."""
    from devinterp.optim.sgld import SGLD  # type: ignore[import-not-found]
    from devinterp.optim.sgmcmc import SGMCMC  # type: ignore[import-not-found]
    from devinterp.slt.sampler import (  # type: ignore[import-not-found]
        estimate_learning_coeff_with_summary,
    )
    from devinterp.utils import evaluate_ce  # type: ignore[import-not-found]

    example = load_example(path)

    def run(
        num_chains: int,
        num_steps: int,
        seed: int,
        cores: int,
        fastest: bool,
        size: int = BATCH_SIZE,
    ) -> list[float]:
        num_burnin_steps = int(BURNIN * num_steps)
        result = estimate_learning_coeff_with_summary(
            example.network(),
            make_loader(example, size, whole_batches=fastest),
            evaluate=evaluate_ce,
            sampling_method=SGLD if fastest else SGMCMC.sgld,
            optimizer_kwargs={
                "lr": STEP_SIZE,
                "localization": LOCALIZATION,
                "nbeta": example.nbeta,
            },
            num_draws=num_steps - num_burnin_steps,
            num_burnin_steps=num_burnin_steps,
            num_chains=num_chains,
            init_loss=example.initial_loss(),
            cores=cores,
            seed=seed,
            verbose=False,
        )
        return example.llc(torch.as_tensor(result["loss/trace"])).tolist()

    def measure(
        num_chains: int,
        num_steps: int,
        seed: int,
        cores: int = 1,
        fastest: bool = False,
        batch_size: int = BATCH_SIZE,
    ) -> Reply:
        if cores == 1:
            start = time.perf_counter()
            llc = run(num_chains, num_steps, seed, cores, fastest, batch_size)
            return segment(time.perf_counter() - start, num_chains, num_steps, llc)
        # New processes start at each call. What a step costs beyond that is seen from two lengths.
        short_steps = max(num_steps // 4, 8)
        start = time.perf_counter()
        run(num_chains, short_steps, seed, cores, fastest, batch_size)
        middle = time.perf_counter()
        llc = run(num_chains, short_steps + num_steps, seed, cores, fastest, batch_size)
        seconds = (time.perf_counter() - middle) - (middle - start)
        return segment(seconds, num_chains, num_steps, llc)

    run(1, 100, 0, 1, False, BATCH_SIZE)
    run(1, 100, 0, 1, True, BATCH_SIZE)
    return measure


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    serve(prepare)
