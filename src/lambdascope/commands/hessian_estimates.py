"""Which λ̂ may stand beside a Hessian's spectrum."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lambdascope.commands.llc_target import ACROSS_THE_GRADIENT
from lambdascope.reporting.llc_text import SAMPLING_ERROR_ONLY
from lambdascope.runs.tables import read_table

_READ_OF_ESTIMATES = ("checkpoint", "step", "llc", "llc_stderr", "status", "sampler")


def matching_estimate(
    path: Path, settings: dict[str, Any], checkpoints: Iterable[int]
) -> tuple[pd.DataFrame | None, str]:
    """λ̂ where it was estimated for the same posterior, and a word on why not otherwise.

    Args:
        path: llc.csv, which need not exist.
        settings: `localization`, `nbeta`, `parameters` and `weight_decay` of the Hessian.
        checkpoints: Those with a spectrum; λ̂ of others alone would be compared with nothing.
    """
    if not path.exists():
        return None, "no λ̂ beside it: there is no llc.csv"
    table = read_table(path)
    lacking = [name for name in _READ_OF_ESTIMATES if name not in table.columns]
    if lacking:
        return None, f"no λ̂ beside it: llc.csv lacks the column {lacking[0]}"
    names: Sequence[str] = ("localization", "nbeta", "parameters", "weight_decay")
    # In the estimate, weight decay is a setting of the potential, of the same meaning.
    other = [
        name
        for name in names
        if name not in table.columns
        or (
            not np.isclose(table[name].iloc[0], settings[name])
            if isinstance(settings[name], float)
            else table[name].iloc[0] != settings[name]
        )
    ]
    if "logit_scale" in table.columns and table["logit_scale"].iloc[0] != 1:
        other.append("logit_scale")
    if other:
        there = f" ({table[other[0]].iloc[0]})" if other[0] in table.columns else ""
        return None, f"no λ̂ beside it: llc.csv has another {other[0]}{there}"
    if not table["checkpoint"].isin(list(checkpoints)).any():
        return None, "no λ̂ beside it: llc.csv has other checkpoints"
    note = "λ̂ and its 95 % interval from llc.csv"
    if table["sampler"].iloc[0] != "automatic":
        note += f", {SAMPLING_ERROR_ONLY}"
    if "orthogonal_to_gradient" in table.columns and bool(table["orthogonal_to_gradient"].iloc[0]):
        note += f", {ACROSS_THE_GRADIENT}"
    return table, note


def posterior_of_estimates(path: Path) -> tuple[float, float] | None:
    """γ > 0 and nβ of the λ̂ that stands.

    Args:
        path: llc.csv, which need not exist.

    Returns:
        In 1/parameter² and 1/loss; None where it does not tell, or nothing held the chains (γ = 0).
    """
    if not path.exists():
        return None
    table = read_table(path)
    if not len(table) or not {"localization", "nbeta"} <= set(table.columns):
        return None
    localization, nbeta = (float(table[name].iloc[0]) for name in ("localization", "nbeta"))
    return (localization, nbeta) if localization > 0 and nbeta > 0 else None
