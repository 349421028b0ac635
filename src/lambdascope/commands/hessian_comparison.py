"""Spectra of several runs beside each other: `lambdascope hessian` with more than one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lambdascope.commands.hessian import HessianResult, hessian
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.llc_target import ACROSS_THE_GRADIENT
from lambdascope.errors import LambdascopeError
from lambdascope.reporting.hessian_comparison import comparison_figure
from lambdascope.reporting.hessian_text import dimension_text, unresolved, with_estimates
from lambdascope.reporting.llc_text import SAMPLING_ERROR_ONLY
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes, make_folder
from lambdascope.runs.tables import write_table

_TABLE, _FIGURE = "hessian_comparison.csv", "hessian_comparison.png"


@dataclass(frozen=True)
class HessianComparison:
    """What was found of each run, and of them together.

    Attributes:
        results: One a run, in the order given.
        summary: One row a run and checkpoint, as in hessian_comparison.csv.
        paths: Files that show the runs together.
    """

    results: tuple[HessianResult, ...]
    summary: pd.DataFrame
    paths: tuple[Path, ...]


def compare_hessians(
    runs: Sequence[Path],
    config: HessianConfig,
    out: Path,
    *,
    overwrite: bool = False,
    progress: bool = True,
) -> HessianComparison:
    """Compute the spectra of several runs, each in its own directory, and draw them together.

    Args:
        runs: Run directories, with names that differ.
        config: What to compute, the same for all.
        out: The folder of the table and the figure that hold all runs.
        overwrite: Replace spectra of other settings.
        progress: Show progress bars.

    Raises:
        LambdascopeError: two runs have one name, or what `hessian` refuses of any of them.
    """
    names = _names(runs)
    results = [hessian(run, config, overwrite=overwrite, progress=progress) for run in runs]
    summaries, spectra, across = [], [], False
    plain: list[str] = []
    for name, result in zip(names, results, strict=True):
        wanted = result.chosen
        summary = result.summary[result.summary["checkpoint"].isin(wanted)]
        summary = summary.assign(run=name, ratio=summary["localization"] / summary["nbeta"])
        across = across or ACROSS_THE_GRADIENT in result.why
        if SAMPLING_ERROR_ONLY in result.why:
            plain.append(name)
        summaries.append(with_estimates(summary, result.estimate))
        largest = result.eigenvalues[result.eigenvalues["end"] == "largest"]
        spectra.append(largest[largest["checkpoint"].isin(wanted)].assign(run=name))
    table = pd.concat(summaries, ignore_index=True)
    table = table[["run", *(name for name in table.columns if name != "run")]]
    figure = comparison_figure(
        pd.concat(spectra, ignore_index=True),
        table,
        title=f"The Hessian's leading eigenvalues in {len(runs)} runs",
        caption="full training loss · pale: earlier checkpoints · dotted: γ/nβ, above which a "
        "direction counts in λ̂ · effective dimension: ½ Σ h/(h + γ/nβ), which is λ̂ if the "
        "loss were its quadratic part · bars: 95 %"
        + (f", of λ̂ in {', '.join(plain)} with the {SAMPLING_ERROR_ONLY}" if plain else "")
        + (f" · λ̂ with orthogonal_to_gradient {ACROSS_THE_GRADIENT}" if across else ""),
    )
    make_folder(out)
    write_table(out / _TABLE, table)
    atomic_write_bytes(out / _FIGURE, png_bytes(figure))
    return HessianComparison(tuple(results), table, (out / _TABLE, out / _FIGURE))


def print_comparison(comparison: HessianComparison) -> None:
    """One line a run and checkpoint, and where everything is, on standard output."""
    width = max(len(str(name)) for name in comparison.summary["run"])
    for row in comparison.summary.itertuples():
        print(
            f"{row.run:<{width}}  step {row.step:>7,d}  largest {row.largest:.4g}, trace "
            f"{row.trace:.4g}, {dimension_text(row)} (± 95 %)"
        )
    for run, rows in comparison.summary.groupby("run", sort=False):
        if said := unresolved(rows):
            print(f"{run}: {said}")
    print()
    for path in (
        *(one for result in comparison.results for one in result.paths),
        *comparison.paths,
    ):
        print(path)


def _names(runs: Sequence[Path]) -> list[str]:
    """What tells the runs apart: the shortest ends of their paths that differ."""
    paths = [Path(run).resolve() for run in runs]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise LambdascopeError(f"{twice} is given twice: each run is accepted once")
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("different paths have different names")
