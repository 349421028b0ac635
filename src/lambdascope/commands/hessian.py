"""`lambdascope hessian`: spectra of a run's checkpoints, as tables and figures."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lambdascope.commands.command_lines import arguments_of
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.llc_target import ACROSS_THE_GRADIENT
from lambdascope.commands.systems import LoadedRun, check_finished, chosen_checkpoints, load_run
from lambdascope.errors import LambdascopeError
from lambdascope.hessian import HessianOperator, HessianSpectrum, hessian_spectrum
from lambdascope.posterior import CrossEntropy, LocalPosterior, Parameters
from lambdascope.progress import Progress
from lambdascope.reporting.hessian_figures import (
    density_figure,
    effective_dimension_figure,
    spectrum_figure,
)
from lambdascope.reporting.llc_text import SAMPLING_ERROR_ONLY
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes, check_writable, remove_file
from lambdascope.runs.history import record_command
from lambdascope.runs.settings import abbreviated, stands
from lambdascope.runs.tables import read_table, write_table
from lambdascope.sampling.plan import choose_device
from lambdascope.wording import NORMAL_95, estimated, number, shown

_SUMMARY, _EIGENVALUES, _DENSITY = "hessian_summary.csv", "hessian.csv", "hessian_density.csv"
# Finer bins, or bins nearer to zero, would pretend to more than the nodes of the quadrature know.
_BINS_A_DECADE = 3
# In the summary beside the settings: counts made by another rule do not mix with these.
_DENSITY_RULE = "monotone cubic through half of each node, bins no narrower than the nodes"
_READ_OF_ESTIMATES = ("checkpoint", "step", "llc", "llc_stderr", "status", "sampler")
# Eigenvalues closer to zero than this part of the largest share the middle bin, which is wider
# where the nodes are further apart.
_SMALLEST_BIN = 1e-3


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
    """

    summary: pd.DataFrame
    eigenvalues: pd.DataFrame
    density: pd.DataFrame
    chosen: list[int]
    paths: list[Path]
    stood: list[int]


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
    done = set(tables[_SUMMARY]["checkpoint"]) if len(tables[_SUMMARY]) else set()
    for index in (one for one in chosen if one not in done):
        label = {"checkpoint": index, "step": loaded.steps[index]}
        what = f"Hessian at checkpoint {index} ({chosen.index(index) + 1} of {len(chosen)})"
        with Progress(what, unit="product", wanted=progress) as bar:
            spectrum = _spectrum(loaded, index, config, settings, bar)
        new = {
            _EIGENVALUES: _eigenvalue_rows(spectrum),
            _DENSITY: _density_rows(spectrum),
            # Last: a checkpoint that is in the summary has all its rows.
            _SUMMARY: [{**_summary_row(spectrum, settings), **settings}],
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
    whole = HessianConfig(**{**config.model_dump(), "checkpoints": covered})
    record_command(folder, "hessian", arguments_of(whole))
    paths = [folder / name for name in tables] + _draw(loaded, tables, settings)
    stood = [index for index in chosen if index in done]
    return HessianResult(
        tables[_SUMMARY], tables[_EIGENVALUES], tables[_DENSITY], chosen, paths, stood
    )


def print_result(result: HessianResult) -> None:
    """One line a checkpoint, and where everything is, on standard output."""
    for row in result.summary.itertuples():
        print(
            f"checkpoint {row.checkpoint} (step {row.step:,d}): largest eigenvalue "
            f"{row.largest:.4g}, smallest {shown(row.smallest, '.3g')}, trace "
            f"{estimated(row.trace, NORMAL_95 * row.trace_stderr)}, effective dimension "
            f"{estimated(row.effective_dimension, NORMAL_95 * row.effective_dimension_stderr)} "
            f"(± 95 %; half of the {row.num_parameters:,d} parameters at most)"
        )
    if result.stood:
        which = f"checkpoint{'s' if len(result.stood) > 1 else ''} {abbreviated(result.stood)}"
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
    num_train = len(loaded.data.train_index)
    if config.nbeta is None and num_train < 2:
        raise LambdascopeError(
            f"nbeta: n / log n does not exist for n = {num_train} training pairs; give nbeta"
        )
    return {
        "top": config.top,
        "bottom": config.bottom,
        "num_probes": config.num_probes,
        "num_lanczos_steps": config.num_lanczos_steps,
        "parameters": "all" if config.parameters is None else ",".join(config.parameters),
        "weight_decay": loaded.config.weight_decay if config.weight_decay else 0.0,
        "localization": config.localization,
        "nbeta": config.nbeta or float(num_train / np.log(num_train)),
        "seed": config.seed,
        "density": _DENSITY_RULE,
    }


def _standing(
    folder: Path, settings: dict[str, Any], *, overwrite: bool
) -> dict[str, pd.DataFrame]:
    """The tables of earlier calls with the same settings; empty ones where there are none."""
    names = (_EIGENVALUES, _DENSITY, _SUMMARY)
    if stands(folder / _SUMMARY, settings, overwrite=overwrite):
        return {name: read_table(folder / name) for name in names}
    return {name: pd.DataFrame() for name in names}


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
    return hessian_spectrum(
        HessianOperator(posterior, on_product=on_product),
        num_largest=config.top,
        num_smallest=config.bottom,
        num_probes=config.num_probes,
        num_lanczos_steps=config.num_lanczos_steps,
        seed=config.seed,
    )


def _eigenvalue_rows(spectrum: HessianSpectrum) -> list[dict[str, Any]]:
    ends = {
        "largest": (spectrum.largest, spectrum.largest_residual),
        "smallest": (spectrum.smallest, spectrum.smallest_residual),
    }
    return [
        {"end": end, "rank": rank, "eigenvalue": value, "residual": residual}
        for end, (values, residuals) in ends.items()
        for rank, (value, residual) in enumerate(zip(values, residuals, strict=True), start=1)
    ]


def _density_rows(spectrum: HessianSpectrum) -> list[dict[str, Any]]:
    """Eigenvalues in bins: equal ratios on either side of a middle bin around zero."""
    exact = spectrum.quadrature.exact
    scale = float(np.abs(exact).max()) or 1.0
    decades = -np.log10(_SMALLEST_BIN)
    sizes = scale * 1.000001 * np.logspace(-decades, 0, int(decades * _BINS_A_DECADE) + 1)
    spacing = np.maximum(spectrum.quadrature.spacing(sizes), spectrum.quadrature.spacing(-sizes))
    too_close = np.flatnonzero(spacing[:-1] > sizes[:-1])
    sizes = sizes[too_close[-1] + 1 :] if len(too_close) else sizes
    edges = np.concatenate([-sizes[::-1], sizes])
    columns = ("eigenvalues", "eigenvalues_stderr", "eigenvalues_resolution")
    return [
        {"low": low, "high": high, **dict(zip(columns, values, strict=True))}
        for (low, high), *values in zip(
            itertools.pairwise(edges), *spectrum.quadrature.histogram(edges), strict=True
        )
    ]


def _summary_row(spectrum: HessianSpectrum, settings: dict[str, Any]) -> dict[str, Any]:
    dimension, error = spectrum.effective_dimension(settings["localization"] / settings["nbeta"])
    return {
        "num_parameters": spectrum.num_parameters,
        "largest": spectrum.largest[0],
        "smallest": spectrum.smallest[0] if len(spectrum.smallest) else np.nan,
        "trace": spectrum.trace,
        "trace_stderr": spectrum.trace_stderr,
        "effective_dimension": dimension,
        "effective_dimension_stderr": error,
    }


def _draw(
    loaded: LoadedRun, tables: dict[str, pd.DataFrame], settings: dict[str, Any]
) -> list[Path]:
    figures = loaded.directory.figures
    ratio = settings["localization"] / settings["nbeta"]
    count = int(tables[_SUMMARY]["num_parameters"].iloc[0])
    terms = "training loss + weight decay" if settings["weight_decay"] else "training loss"
    covered = "" if settings["parameters"] == "all" else f" ({settings['parameters']})"
    note = f"Hessian of the {terms} on all {len(loaded.data.train_index):,} training pairs"
    of = f"{count:,} parameters{covered}"
    estimate, why = matching_estimate(loaded.directory.path / "llc.csv", settings)
    drawn = {
        "hessian_spectrum.png": spectrum_figure(
            tables[_EIGENVALUES],
            ratio=ratio,
            title="Leading eigenvalues of the Hessian",
            caption=f"{note}, {of} · dotted: γ/nβ, above which a direction counts in λ̂",
        ),
        "hessian_density.png": density_figure(
            tables[_DENSITY],
            title="Where the Hessian's eigenvalues lie",
            caption=f"{note}, {of} · {_BINS_A_DECADE} bins a decade; the middle bin holds all "
            "that is closer to zero, or closer than the quadrature's nodes are to each other · "
            f"the {settings['top']} largest and {settings['bottom']} smallest are counted one by "
            "one, the others from Lanczos quadrature · bars: standard error over its "
            f"{settings['num_probes']} random starts, and how many eigenvalues may lie on the "
            f"other side of a bin's edge, unresolved by {settings['num_lanczos_steps']} steps (an "
            "estimate, no bound)",
        ),
        "hessian_effective_dimension.png": effective_dimension_figure(
            tables[_SUMMARY],
            estimate,
            title="Effective dimension"
            + (" over training" if len(tables[_SUMMARY]) > 1 else " at one checkpoint"),
            caption="½ Σ h/(h + γ/nβ) over the Hessian's eigenvalues h, negative ones as zero: λ̂ "
            "if the loss were its quadratic part; it differs where chains feel more than that · "
            f"γ = {settings['localization']:g}, nβ = {number(settings['nbeta'])} "
            f"· {why}",
        ),
    }
    for name, figure in drawn.items():
        atomic_write_bytes(figures / name, png_bytes(figure))
    return [figures / name for name in drawn]


def matching_estimate(path: Path, settings: dict[str, Any]) -> tuple[pd.DataFrame | None, str]:
    """λ̂ where it was estimated for the same posterior, and a word on why not otherwise.

    Args:
        path: llc.csv, which need not exist.
        settings: `localization`, `nbeta`, `parameters` and `weight_decay` of the Hessian.
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
    note = "λ̂ with 95 % bars from llc.csv"
    if table["sampler"].iloc[0] != "automatic":
        note += f", {SAMPLING_ERROR_ONLY}"
    if "orthogonal_to_gradient" in table.columns and bool(table["orthogonal_to_gradient"].iloc[0]):
        note += f", {ACROSS_THE_GRADIENT}"
    return table, note
