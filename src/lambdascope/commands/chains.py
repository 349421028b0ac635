"""`lambdascope chains`: points and Fourier modes along chains, as tables, figures and a film."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lambdascope.commands.chain_pictures import ChainPictures
from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.command_lines import arguments_of
from lambdascope.commands.standing_traces import CHAINS_STOOD, StandingTraces
from lambdascope.commands.systems import LoadedRun, check_finished, chosen_checkpoints, load_run
from lambdascope.errors import LambdascopeError
from lambdascope.machine import host_memory
from lambdascope.modular_addition.observables import EmbeddingModes
from lambdascope.posterior import CrossEntropy, LocalPosterior, OrthogonalToGradient
from lambdascope.reporting.film import check_film
from lambdascope.runs.files import remove_files
from lambdascope.runs.history import record_command
from lambdascope.runs.settings import change
from lambdascope.runs.tables import write_table
from lambdascope.samplers import SGLD
from lambdascope.sampling import open_trace, sample
from lambdascope.sampling.plan import ceil_div
from lambdascope.sampling.points import PointSamples, trace_bytes
from lambdascope.sampling.runner import Observable
from lambdascope.wording import abbreviated, shown

_TRACE, _POINTS, _MODES = "chains_trace.zarr", "chains.csv", "chains_modes.csv"
_COMPARED = (
    "num_chains",
    "num_steps",
    "step_size",
    "batch_size",
    "localization",
    "thinning",
    "seed",
)


@dataclass(frozen=True)
class ChainsResult:
    """What was sampled and where it is.

    Attributes:
        points: A row for each checkpoint, chain and draw, as in chains.csv.
        modes: A row for each checkpoint, chain, draw and mode, as in chains_modes.csv.
        paths: Files written.
        stood: Whether the chains stood already, finished, and were not sampled again.
    """

    points: pd.DataFrame
    modes: pd.DataFrame
    paths: list[Path]
    stood: bool


def chains(
    run: Path, config: ChainsConfig, *, overwrite: bool = False, progress: bool = True
) -> ChainsResult:
    """Sample chains around checkpoints, keep points and modes along them, and draw both.

    An interrupted call goes on from its trace; a finished one reads it.

    Args:
        run: A run directory.
        config: How to sample and what to keep.
        overwrite: Replace a trace with other settings.
        progress: Say what the records take, and show progress bars.

    Returns:
        The tables. Written are chains.csv, chains_modes.csv, chains_trace.zarr and, under figures/
        and for each checkpoint, chains_pca_…, chains_modes_… and chains_two_modes_….png, and the
        film.

    Raises:
        LambdascopeError: The run cannot be read, a checkpoint does not exist, a pattern matches no
            parameter, the records would take too much room, the directory holds a trace with other
            settings, or every chain of a checkpoint diverged.
    """
    if config.film is not None:
        check_film(config.film)
    loaded = load_run(run)
    check_finished(loaded)
    last = [len(loaded.steps) - 1]
    chosen = chosen_checkpoints(loaded, last if config.checkpoints is None else config.checkpoints)
    posteriors = [_posterior(loaded, index, config) for index in chosen]
    kernel = SGLD(step_size=config.step_size, batch_size=config.batch_size)
    observables: dict[str, Observable] = {
        "modes": EmbeddingModes(loaded.config.p),
        "embedding": PointSamples("embedding", precision=config.precision),
        "points": PointSamples(*config.point_parameters or (), precision=config.precision),
    }
    sizes = trace_bytes(
        posteriors,
        kernel,
        num_chains=config.num_chains,
        num_steps=config.num_steps,
        thinning=config.thinning,
        observables=observables,
    )
    store = loaded.directory.path / _TRACE
    if not overwrite:
        _check_settings(store, chosen, config)
    traces = StandingTraces(store)
    said = _check_room(sizes, config)
    if progress:
        print(said)
    trace = sample(
        posteriors,
        kernel,
        num_chains=config.num_chains,
        num_steps=config.num_steps,
        seed=config.seed,
        checkpoints=chosen,
        thinning=config.thinning,
        observables=observables,
        store=store,
        overwrite=overwrite,
        device=config.device,
        progress=progress,
    )
    if overwrite:  # what another call drew, of other checkpoints or settings
        remove_files(loaded.directory.figures, "chains_*")
    points, modes, paths = [], [], []
    for position, index in enumerate(chosen):
        part = ChainPictures(loaded, index, trace.isel(checkpoint=position), config)
        points.append(part.points)
        modes.append(part.modes)
        paths += part.draw()
        if config.film is not None:
            paths.append(part.film(config.film, progress=progress))
    result = ChainsResult(
        pd.concat(points),
        pd.concat(modes),
        paths,
        stood=traces.left_alone(),
    )
    for name, table in ((_POINTS, result.points), (_MODES, result.modes)):
        write_table(loaded.directory.path / name, table)
        paths.append(loaded.directory.path / name)
    record_command(loaded.directory.path, "chains", arguments_of(config))
    return result


def print_result(result: ChainsResult) -> None:
    """What the components explain, and where everything is, on standard output."""
    for step, rows in result.points.groupby("training_step"):
        explained = [100 * float(rows[f"explained{i}"].iloc[0]) for i in (1, 2)]
        shares = " and ".join(f"{shown(share, '.0f')} %" for share in explained)
        print(
            f"Around step {step:,}: the first two principal components of {len(rows):,} points "
            f"hold {shares} of their variance."
        )
    if result.stood:
        print(CHAINS_STOOD)
    print()
    for path in result.paths:
        print(path)


def _check_settings(store: Path, chosen: Sequence[int], config: ChainsConfig) -> None:
    """Refuse chains with other settings, in their words; what else differs, `sample` says."""
    if not store.exists():
        return
    try:
        held = json.loads(open_trace(store).attrs["settings"])
    except LambdascopeError:
        return  # broken: `sample` says how
    asked = {"checkpoints": list(chosen), **{name: getattr(config, name) for name in _COMPARED}}
    changed = [
        change(name, _named(held[name]), _named(value))
        for name, value in asked.items()
        if held.get(name) != value
    ]
    if changed:
        raise LambdascopeError(
            f"{store} holds chains of other settings ({'; '.join(changed)}): give those, or "
            "--overwrite to replace them"
        )


def _named(value: Any) -> str:
    return f"[{abbreviated(value)}]" if isinstance(value, list) else str(value)


def _posterior(loaded: LoadedRun, index: int, config: ChainsConfig) -> LocalPosterior:
    network = loaded.network_at(index)
    return LocalPosterior(
        network,
        loaded.data.train,
        loss=CrossEntropy(),
        nbeta=config.nbeta,
        localization=config.localization,
        restriction=[OrthogonalToGradient()] if config.orthogonal_to_gradient else [],
    )


def _check_room(sizes: dict[str, int], config: ChainsConfig) -> str:
    """What the records will take, in a sentence; refused if it is too much."""
    total = sum(sizes.values()) / 1e6
    parts = sorted(sizes.items(), key=lambda item: -item[1])[:3]
    largest = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in parts)
    if total > config.max_megabytes:
        raise LambdascopeError(
            f"max_megabytes={config.max_megabytes:g}: the records would take {total:,.1f} MB "
            f"({largest}); a larger thinning, fewer chains, steps or checkpoints, some of the "
            "point_parameters, or more room is accepted"
        )
    # To draw, the points of one checkpoint are held as they were kept, once more without the chains
    # that diverged, and in float64; principal components take a matrix of the smaller side.
    checkpoints = len(config.checkpoints or (0,))
    width = {"float16": 2, "float32": 4}[config.precision]
    kept = sizes["points"] / checkpoints
    num_points = config.num_chains * ceil_div(config.num_steps, config.thinning)
    smaller = min(num_points, kept / width / num_points)
    held = kept * (2 + 8 / width) + 8 * smaller**2
    memory = host_memory()
    if memory is not None and held > memory:
        raise LambdascopeError(
            f"thinning={config.thinning}: drawing {num_points:,} points would take "
            f"{held / 1e6:,.1f} MB of memory, and this machine has {memory / 1e6:,.1f}; a larger "
            "thinning, fewer chains or steps, or some of the point_parameters are accepted"
        )
    said = f"memory to draw them: {held / 1e6:,.1f} MB"
    return f"records: {total:,.1f} MB on disk ({largest} MB); {said}"
