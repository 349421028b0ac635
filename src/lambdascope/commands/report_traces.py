"""The losses along a run's chains, thin enough for a page."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lambdascope.errors import LambdascopeError
from lambdascope.reporting.page.record import LossTraceRecord
from lambdascope.sampling import open_trace

_PLAIN, _AUTOMATIC = "llc_trace.zarr", "llc_automatic"
_ROUND = re.compile(r"^round_(\d+)\.zarr$")
# Of all checkpoints and chains together; a chain keeps between the two numbers below.
_MOST_POINTS = 60_000
_FEWEST, _MOST = 40, 200


def loss_traces(folder: Path, table: pd.DataFrame) -> dict[int, LossTraceRecord]:
    """The traces that stand, by checkpoint; of an automatic estimate, those of the last round.

    Args:
        folder: A run directory.
        table: The estimates that were made from them, as in llc.csv.

    Raises:
        LambdascopeError: A trace cannot be read, or is not the one of the estimates.
    """
    automatic = bool((table["sampler"] == "automatic").any())
    last: dict[int, tuple[xr.Dataset, int]] = {}
    for trace in _traces(folder, automatic=automatic):
        for position, checkpoint in enumerate(trace["checkpoint"].values.tolist()):
            last[checkpoint] = (trace, position)
    for row in table.to_dict("records"):
        if row["checkpoint"] in last:
            _check_same(folder, row, *last[row["checkpoint"]])
    chains = sum(trace.sizes["chain"] for trace, _ in last.values())
    points = min(_MOST, max(_FEWEST, _MOST_POINTS // max(1, chains)))
    return {checkpoint: _record(*last[checkpoint], points) for checkpoint in sorted(last)}


def _check_same(folder: Path, row: Mapping[Any, Any], trace: xr.Dataset, position: int) -> None:
    """Refuse a trace that another call sampled than the one that wrote the table."""
    one, steps = trace.isel(checkpoint=position), trace.sizes["step"]
    exact = {"num_chains": trace.sizes["chain"], "num_steps": steps}
    close = {name: float(one[name]) for name in ("nbeta", "localization", "initial_loss")}
    differing = [n for n, value in exact.items() if n in row and row[n] != value]
    differing += [
        n for n, v in close.items() if n in row and not math.isclose(row[n], v, rel_tol=1e-6)
    ]
    if differing:
        raise LambdascopeError(
            f"llc.csv and the trace in {folder} are of different settings "
            f"({', '.join(differing)} of checkpoint {row['checkpoint']}), as an interrupted "
            "--overwrite leaves them: give the `lambdascope llc` command again"
        )


def _traces(folder: Path, *, automatic: bool) -> Iterator[xr.Dataset]:
    if not automatic:
        if (folder / _PLAIN).exists():
            yield open_trace(folder / _PLAIN)
        return
    rounds = [
        (int(match.group(1)), path)
        for path in (folder / _AUTOMATIC).glob("round_*.zarr")
        if (match := _ROUND.match(path.name))
    ]
    for _, path in sorted(rounds):
        yield open_trace(path)


def _record(trace: xr.Dataset, position: int, points: int) -> LossTraceRecord:
    one = trace.isel(checkpoint=position)
    loss = one["loss"].transpose("chain", "step").values.astype(float)
    num_chains, num_steps = loss.shape
    block = -(-num_steps // points)
    # The last block may be shorter; a mean over it is as good a point as the others.
    starts = np.arange(0, num_steps, block)
    sizes = np.diff(np.append(starts, num_steps))
    factors = one["step_factor"].values if "step_factor" in one else np.ones(num_chains)
    with np.errstate(all="ignore"):
        means = np.add.reduceat(loss, starts, axis=1) / sizes
    return LossTraceRecord(
        steps=starts + (sizes - 1) / 2,
        loss=means,
        # The chosen step itself differs between checkpoints; a page tells the coarse chains apart.
        step_factors=(factors / factors.min()).tolist(),
        num_steps=num_steps,
        block=block,
        initial_loss=float(one["initial_loss"]),
        nbeta=float(one["nbeta"]),
    )
