"""The figures of `lambdascope hessian`."""

from pathlib import Path
from typing import Any

import pandas as pd

from lambdascope.commands.systems import LoadedRun
from lambdascope.reporting.hessian_figures import (
    density_figure,
    effective_dimension_figure,
    spectrum_figure,
)
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes
from lambdascope.wording import number


def draw(
    loaded: LoadedRun,
    summary: pd.DataFrame,
    eigenvalues: pd.DataFrame,
    density: pd.DataFrame,
    settings: dict[str, Any],
    estimate: pd.DataFrame | None,
    why: str,
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
        estimate: λ̂ of the same posterior, from `matching_estimate`.
        why: How it was made, or why there is none, likewise.
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
    posterior = f"γ = {settings['localization']:g}, nβ = {number(settings['nbeta'])}"
    drawn = {
        "hessian_spectrum.png": spectrum_figure(
            eigenvalues,
            ratio=ratio,
            title="Leading eigenvalues of the Hessian",
            caption=f"{note}, {of} · dotted: γ/nβ at {posterior}, above which a direction counts "
            "in λ̂",
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
            title=_dimension_title(summary, estimate),
            caption="½ Σ h/(h + γ/nβ) over the Hessian's eigenvalues h, negative ones as zero: λ̂ "
            "if the loss were its quadratic part; it differs where chains feel more than that · "
            f"{posterior} · {why}",
        ),
    }
    for name, figure in drawn.items():
        atomic_write_bytes(figures / name, png_bytes(figure))
    return [figures / name for name in drawn]


def _dimension_title(summary: pd.DataFrame, estimate: pd.DataFrame | None) -> str:
    if len(summary) > 1:
        return "Effective dimension over training"
    if estimate is not None and len(estimate) > 1:
        return "λ̂ over training, and the effective dimension at one checkpoint"
    return "Effective dimension at one checkpoint"
