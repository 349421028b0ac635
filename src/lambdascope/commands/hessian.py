"""`lambdascope hessian`: spectra of a run's checkpoints, as tables and figures."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lambdascope.commands.command_lines import arguments_of
from lambdascope.commands.hessian_config import DEFAULT_LOCALIZATION, HessianConfig
from lambdascope.commands.hessian_drawing import draw
from lambdascope.commands.hessian_estimates import matching_estimate, posterior_of_estimates
from lambdascope.commands.hessian_tables import (
    BINS_A_DECADE,
    density_rows,
    eigenvalue_rows,
    summary_row,
)
from lambdascope.commands.systems import LoadedRun, check_finished, chosen_checkpoints, load_run
from lambdascope.errors import LambdascopeError
from lambdascope.hessian import HessianOperator, HessianSpectrum, hessian_spectrum
from lambdascope.hessian.spectrum import check_counts
from lambdascope.posterior import CrossEntropy, LocalPosterior, Parameters
from lambdascope.progress import Progress
from lambdascope.reporting.hessian_text import spectra_text
from lambdascope.runs.files import check_writable, remove_file
from lambdascope.runs.history import record_command
from lambdascope.runs.settings import stands
from lambdascope.runs.tables import read_table, write_table
from lambdascope.sampling.plan import choose_device
from lambdascope.wording import checkpoints_named

_SUMMARY, _EIGENVALUES, _DENSITY = "hessian_summary.csv", "hessian.csv", "hessian_density.csv"
# In the summary beside the settings: counts made by another rule do not mix with these.
_DENSITY_RULE = "monotone cubic through half of each node, bins no narrower than the nodes"
_ERROR_RULE = "scatter of the starts, and weights apart to neighbouring nodes"


@dataclass(frozen=True)
class HessianResult:
    """What the command found and where it is.

    Attributes:
        summary: One row a checkpoint, as in hessian_summary.csv.
        eigenvalues: One row an eigenvalue, as in hessian.csv.
        density: One row a bin, as in hessian_density.csv.
        chosen: The checkpoints asked for; the tables hold those of earlier calls too.
        paths: Files written.
        stood: Those of `chosen` whose spectra stood already, and were not computed again.
        estimate: λ̂ of the same posterior, as in llc.csv; None where there is none.
        why: How λ̂ was made, or why there is none.
    """

    summary: pd.DataFrame
    eigenvalues: pd.DataFrame
    density: pd.DataFrame
    chosen: list[int]
    paths: list[Path]
    stood: list[int]
    estimate: pd.DataFrame | None
    why: str


def hessian(
    run: Path, config: HessianConfig, *, overwrite: bool = False, progress: bool = True
) -> HessianResult:
    """Compute spectra on the full training loss, one checkpoint after the other.

    Each finished checkpoint is written at once. Those that stand with the same settings are kept,
    so an interrupted call goes on where it stopped, and more checkpoints can be added later.

    Args:
        run: A run directory.
        config: What to compute.
        overwrite: Replace spectra of other settings.
        progress: Show a progress bar.

    Returns:
        The tables. Written are hessian.csv, hessian_density.csv, hessian_summary.csv and, under
        figures/, hessian_spectrum.png, hessian_density.png and hessian_effective_dimension.png.

    Raises:
        LambdascopeError: The run cannot be read or is not finished, a checkpoint does not exist,
            the directory holds spectra of other settings, the weight decay is no term of the loss
            (AdamW), or the spectrum is not resolved.
    """
    loaded = load_run(run)
    check_finished(loaded)
    wanted = config.checkpoints or (len(loaded.steps) - 1,)
    chosen = chosen_checkpoints(loaded, wanted)
    settings = _settings(loaded, config)
    folder = loaded.directory.path
    check_writable(folder)
    tables = _standing(folder, settings, overwrite=overwrite)
    done = _whole(tables, config)
    for index in (one for one in chosen if one not in done):
        label = {"checkpoint": index, "step": loaded.steps[index]}
        what = f"Hessian at checkpoint {index} ({chosen.index(index) + 1} of {len(chosen)})"
        with Progress(what, unit="product", wanted=progress) as bar:
            spectrum = _spectrum(loaded, index, config, settings, bar)
        new = {
            _EIGENVALUES: eigenvalue_rows(spectrum),
            _DENSITY: density_rows(spectrum),
            # Last: a checkpoint that is in the summary has all its rows.
            _SUMMARY: [{**summary_row(spectrum, settings), **settings}],
        }
        if not len(tables[_SUMMARY]):  # what stands there is of other settings
            remove_file(folder / _SUMMARY)
        for name, rows in new.items():
            held = tables[name]
            if len(held):  # rows that an interruption left without their summary
                held = held[held["checkpoint"] != index]
            table = pd.DataFrame([{**label, **row} for row in rows])
            table = pd.concat([held, table], ignore_index=True) if len(held) else table
            tables[name] = table.sort_values("checkpoint", kind="stable", ignore_index=True)
            write_table(folder / name, tables[name])
    # Checkpoints may come one call after the other: the record names them all.
    covered = tuple(tables[_SUMMARY]["checkpoint"].tolist())
    # And the posterior, which a later llc.csv may have another of.
    posterior = {"localization": settings["localization"]}
    if settings["nbeta"] != _usual_nbeta(loaded):
        posterior["nbeta"] = settings["nbeta"]
    whole = HessianConfig(**{**config.model_dump(), "checkpoints": covered, **posterior})
    record_command(folder, "hessian", arguments_of(whole))
    estimate, why = matching_estimate(folder / "llc.csv", settings, covered)
    figures = draw(
        loaded,
        tables[_SUMMARY],
        tables[_EIGENVALUES],
        tables[_DENSITY],
        settings,
        estimate,
        why,
        bins_a_decade=BINS_A_DECADE,
    )
    paths = [*(folder / name for name in tables), *figures]
    stood = [index for index in chosen if index in done]
    return HessianResult(
        tables[_SUMMARY],
        tables[_EIGENVALUES],
        tables[_DENSITY],
        chosen,
        paths,
        stood,
        estimate,
        why,
    )


def print_result(result: HessianResult) -> None:
    """One line a checkpoint, and where everything is, on standard output."""
    print(spectra_text(result.summary, result.estimate, result.why))
    if result.stood:
        which = checkpoints_named(result.stood, brief=True)
        print(f"Of {which} the spectrum stood already, and was not computed again.")
    print()
    for path in result.paths:
        print(path)


def _settings(loaded: LoadedRun, config: HessianConfig) -> dict[str, Any]:
    """The settings that decide the numbers, as columns of the summary."""
    if config.weight_decay and loaded.config.optimizer != "adam":
        raise LambdascopeError(
            f"weight_decay: the run was trained with optimizer={loaded.config.optimizer!r}, whose "
            "decay is no term of the loss; a run with 'adam' has one, or leave the flag out"
        )
    localization, nbeta = _posterior(loaded, config)
    return {
        "top": config.top,
        "bottom": config.bottom,
        "num_probes": config.num_probes,
        "num_lanczos_steps": config.num_lanczos_steps,
        "parameters": "all" if config.parameters is None else ",".join(config.parameters),
        "weight_decay": loaded.config.weight_decay if config.weight_decay else 0.0,
        "localization": localization,
        "nbeta": nbeta,
        "seed": config.seed,
        "density": _DENSITY_RULE,
        "dimension_error": _ERROR_RULE,
    }


def _posterior(loaded: LoadedRun, config: HessianConfig) -> tuple[float, float]:
    """γ and nβ: as given, else those of the λ̂ that stands, to compare with."""
    there = posterior_of_estimates(loaded.directory.path / "llc.csv")
    localization = config.localization or (DEFAULT_LOCALIZATION if there is None else there[0])
    if config.nbeta is not None:
        return localization, config.nbeta
    usual = _usual_nbeta(loaded)
    # A table may round, and what stands is compared digit by digit.
    if there is not None and not math.isclose(there[1], usual, rel_tol=1e-9):
        return localization, there[1]
    if math.isnan(usual):
        raise LambdascopeError(
            f"nbeta: n / log n does not exist for n = {len(loaded.data.train_index)} training "
            "pairs; give nbeta"
        )
    return localization, usual


def _usual_nbeta(loaded: LoadedRun) -> float:
    """Of the n training pairs n / log n; NaN where there is none."""
    num_train = len(loaded.data.train_index)
    return float(num_train / np.log(num_train)) if num_train > 1 else math.nan


def _standing(
    folder: Path, settings: dict[str, Any], *, overwrite: bool
) -> dict[str, pd.DataFrame]:
    """The tables of earlier calls with the same settings; empty ones where there are none."""
    names = (_EIGENVALUES, _DENSITY, _SUMMARY)
    found = {name: pd.DataFrame() for name in names}
    if stands(folder / _SUMMARY, settings, overwrite=overwrite):
        found |= {name: read_table(folder / name) for name in names if (folder / name).exists()}
    return found


def _whole(tables: dict[str, pd.DataFrame], config: HessianConfig) -> set[int]:
    """Checkpoints of which every eigenvalue stands, a density and a summary.

    A table may have been cut or removed since: what it lacks is worked out again.
    """
    if any(table.empty for table in tables.values()):
        return set()
    counts = tables[_EIGENVALUES].groupby("checkpoint").size()
    complete = set(counts.index[counts == config.top + config.bottom])
    complete &= set(tables[_DENSITY]["checkpoint"])
    return {int(index) for index in tables[_SUMMARY]["checkpoint"] if index in complete}


def _spectrum(
    loaded: LoadedRun, index: int, config: HessianConfig, settings: dict[str, Any], bar: Progress
) -> HessianSpectrum:
    return spectrum_of(
        loaded.network_at(index),
        loaded.data.train,
        config,
        nbeta=settings["nbeta"],
        weight_decay=settings["weight_decay"],
        on_product=bar.update,
    )


def spectrum_of(
    network: torch.nn.Module,
    train: tuple[torch.Tensor, torch.Tensor],
    config: HessianConfig,
    *,
    nbeta: float,
    weight_decay: float,
    on_product: Callable[[int], Any] | None = None,
) -> HessianSpectrum:
    """The spectrum around a network's weights.

    Args:
        network: With the weights; it is moved to the device.
        train: Inputs [sample, ...] and integer targets [sample].
        config: What to compute.
        nbeta: nβ, in 1/loss.
        weight_decay: wd of (wd/2)‖w‖² in the loss.
        on_product: Called with the number of products done.

    Raises:
        LambdascopeError: parameters that do not exist, or a spectrum that is not resolved.
    """
    device = choose_device(config.device)
    inputs, targets = train
    posterior = LocalPosterior(
        network.to(device),
        (inputs.to(device), targets.to(device)),
        loss=CrossEntropy(),
        nbeta=nbeta,
        weight_decay=weight_decay,
        restriction=None if config.parameters is None else Parameters(*config.parameters),
    )
    check_counts(int(posterior.num_free), config.top, config.bottom, ("top", "bottom"))
    return hessian_spectrum(
        HessianOperator(posterior, on_product=on_product),
        num_largest=config.top,
        num_smallest=config.bottom,
        num_probes=config.num_probes,
        num_lanczos_steps=config.num_lanczos_steps,
        seed=config.seed,
    )
