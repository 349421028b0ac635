"""The figures of `lambdascope hessian`, and which λ̂ may stand in them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lambdascope.commands.llc_target import ACROSS_THE_GRADIENT
from lambdascope.commands.systems import LoadedRun
from lambdascope.reporting.hessian_figures import (
    density_figure,
    effective_dimension_figure,
    spectrum_figure,
)
from lambdascope.reporting.llc_text import SAMPLING_ERROR_ONLY
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes
from lambdascope.runs.tables import read_table
from lambdascope.wording import number

_READ_OF_ESTIMATES = ("checkpoint", "step", "llc", "llc_stderr", "status", "sampler")


def draw(
    loaded: LoadedRun,
    summary: pd.DataFrame,
    eigenvalues: pd.DataFrame,
    density: pd.DataFrame,
    settings: dict[str, Any],
    *,
    bins_a_decade: int,
) -> list[Path]:
    """Write the three figures of one run.

    Args:
        loaded: The run.
        summary: As in hessian_summary.csv.
        eigenvalues: As in hessian.csv.
        density: As in hessian_density.csv.
        settings: Those that decide the numbers, as columns of the summary.
        bins_a_decade: Of the density.

    Returns:
        The files.
    """
    figures = loaded.directory.figures
    ratio = settings["localization"] / settings["nbeta"]
    count = int(summary["num_parameters"].iloc[0])
    terms = "training loss + weight decay" if settings["weight_decay"] else "training loss"
    covered = "" if settings["parameters"] == "all" else f" ({settings['parameters']})"
    note = f"Hessian of the {terms} on all {len(loaded.data.train_index):,} training pairs"
    of = f"{count:,} parameters{covered}"
    estimate, why = matching_estimate(
        loaded.directory.path / "llc.csv", settings, summary["checkpoint"]
    )
    drawn = {
        "hessian_spectrum.png": spectrum_figure(
            eigenvalues,
            ratio=ratio,
            title="Leading eigenvalues of the Hessian",
            caption=f"{note}, {of} · dotted: γ/nβ, above which a direction counts in λ̂",
        ),
        "hessian_density.png": density_figure(
            density,
            title="Where the Hessian's eigenvalues lie",
            caption=f"{note}, {of} · {bins_a_decade} bins a decade; the middle bin holds all "
            "that is closer to zero, or closer than the quadrature's nodes are to each other · "
            f"the {settings['top']} largest and {settings['bottom']} smallest are counted one by "
            "one, the others from Lanczos quadrature · bars: standard error over its "
            f"{settings['num_probes']} random starts, and how many eigenvalues may lie on the "
            f"other side of a bin's edge, unresolved by {settings['num_lanczos_steps']} steps (an "
            "estimate, no bound)",
        ),
        "hessian_effective_dimension.png": effective_dimension_figure(
            summary,
            estimate,
            title="Effective dimension"
            + (" over training" if len(summary) > 1 else " at one checkpoint"),
            caption="½ Σ h/(h + γ/nβ) over the Hessian's eigenvalues h, negative ones as zero: λ̂ "
            "if the loss were its quadratic part; it differs where chains feel more than that · "
            f"γ = {settings['localization']:g}, nβ = {number(settings['nbeta'])} "
            f"· {why}",
        ),
    }
    for name, figure in drawn.items():
        atomic_write_bytes(figures / name, png_bytes(figure))
    return [figures / name for name in drawn]


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
        return None, f"no λ̂ beside it: llc.csv has another {other[0]}"
    if not table["checkpoint"].isin(list(checkpoints)).any():
        return None, "no λ̂ beside it: llc.csv has other checkpoints"
    note = "λ̂ with 95 % bars from llc.csv"
    if table["sampler"].iloc[0] != "automatic":
        note += f", {SAMPLING_ERROR_ONLY}"
    if "orthogonal_to_gradient" in table.columns and bool(table["orthogonal_to_gradient"].iloc[0]):
        note += f", {ACROSS_THE_GRADIENT}"
    return table, note
