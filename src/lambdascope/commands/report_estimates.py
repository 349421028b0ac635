"""Whether the estimates in a folder of runs are of one quantity, so that they can be averaged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lambdascope.commands.sweep_labels import LABELS, lower
from lambdascope.commands.systems import load_run
from lambdascope.posterior.scalars import inverse_temperature
from lambdascope.reporting.llc_text import TARGET_SETTINGS

# Of plain SGLD: both leave a bias in λ̂, which other values would make another.
_STEP_SETTINGS = ("step_size", "batch_size")


def differing_settings(tables: Mapping[Path, pd.DataFrame]) -> dict[str, dict[Path, Any]]:
    """The settings of estimates in which runs differ: name → run → value.

    nβ follows from the number of training pairs unless it was given: it differs where one of the
    runs has another than its own n / log n with its multipliers. Settings of the step count where
    all were sampled in the same way, and not automatically.

    Args:
        tables: llc.csv by run; empty ones say nothing.

    Raises:
        LambdascopeError: nβ differs, and a run cannot be read.
    """
    rows = {run: table.iloc[0] for run, table in tables.items() if len(table)}
    if len(rows) < 2:
        return {}
    found: dict[str, dict[Path, Any]] = {}
    for name in ("sampler", *TARGET_SETTINGS):
        values = {run: row[name] for run, row in rows.items()}
        if _differ(values) and not (
            name == "nbeta" and all(map(_is_own_nbeta, rows, rows.values()))
        ):
            found[name] = values
    samplers = {row["sampler"] for row in rows.values()}
    if len(samplers) == 1 and "automatic" not in samplers:
        for name in _STEP_SETTINGS:
            values = {run: row.get(name) for run, row in rows.items()}
            if _differ(values):
                found[name] = values
    return found


def why_not_averaged(differing: Mapping[str, Mapping[Path, Any]]) -> str:
    """The sentence that says why λ̂ of these runs is in no figure.

    Args:
        differing: As `differing_settings` found; not empty.
    """
    parts = []
    for name, values in differing.items():
        title = lower(f"llc.{name}") if f"llc.{name}" in LABELS else name.replace("_", " ")
        kinds = dict.fromkeys(
            f"{value:g}" if isinstance(value, float) else str(value) for value in values.values()
        )
        parts.append(f"{title} ({', '.join(kinds)})")
    said = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    return f"λ̂ is in no figure and no mean, since the runs' estimates differ in {said}."


def _differ(values: Mapping[Path, Any]) -> bool:
    held = list(values.values())
    if all(isinstance(value, float | int | np.number) for value in held):
        return not np.allclose(
            np.array(held, float), float(held[0]), rtol=1e-9, atol=0.0, equal_nan=True
        )
    return len(set(held)) > 1


def _is_own_nbeta(run: Path, row: pd.Series) -> bool:
    n = len(load_run(run).data.train_index)
    own = inverse_temperature(n, None, float(row["n_multiplier"]), float(row["temp_multiplier"]))
    return bool(np.isclose(row["nbeta"], own, rtol=1e-9))
