"""`lambdascope train`: one run, or several seeds as one batch, each into its own directory."""

import itertools
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from lambdascope.commands.command_lines import arguments_of
from lambdascope.commands.systems import MODULAR_ADDITION, save_data
from lambdascope.commands.training_record import (
    DATA,
    TRAINING,
    check_checkpoints,
    diverged_before,
    final_metrics,
    is_finished,
    save_divergence,
    save_metrics,
)
from lambdascope.commands.training_state import (
    STATE,
    TrainingBatch,
    other_batch,
    resumable_batch,
    save_state,
)
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.training import check_batch, divergence, train_checkpoints
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.files import remove_file
from lambdascope.runs.history import record_command
from lambdascope.wording import number, shown


@dataclass(frozen=True)
class TrainResult:
    """What was trained and where it is.

    Attributes:
        out: The run directory, or the folder of the run directories.
        directories: One a run, in the order of the seeds.
        num_trained: Runs that were trained now; the others stood already.
        seconds: Wall time.
        finals: Losses and accuracies at the last checkpoint, one a run.
    """

    out: Path
    directories: list[RunDirectory]
    num_trained: int
    seconds: float
    finals: Sequence[Mapping[str, float]]


def train(
    config: TrainConfig,
    out: Path,
    seeds: Sequence[int] | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
) -> TrainResult:
    """Train and keep data, checkpoints and a table of losses.

    Interrupted at any point, the same call goes on from the last checkpoint and ends with the bits
    it would have had; a run that is finished stays as it is, with all its results.

    Args:
        config: the settings; with `seeds`, those of every run but for the seed.
        out: the run directory; with several seeds, the folder of the run directories seed_0, ….
        seeds: one run for each, trained as one batch; None trains the one run of `config`.
        overwrite: replace runs of other settings, and train those anew that have lost a file.
        progress: show how far it is on stderr, and say where training goes on.

    Returns:
        the directories, one a run.

    Raises:
        LambdascopeError: a directory holds other settings, another command's run, an interrupted
            training of other seeds or other files, or cannot be written; a finished run has lost a
            file; a seed is given twice; the runs do not fit into memory; or a run diverges, once
            the others are trained. What stood is not lost.
    """
    started, out = time.perf_counter(), Path(out)
    places = _places(config, out, seeds)
    standing = _standing(places, overwrite=overwrite)
    broken = _broken(standing, overwrite=overwrite)
    wanted = [
        config
        for config, run in standing.items()
        if run is None or not is_finished(run) or config in broken
    ]
    runs = dict(standing)
    unasked = other_batch(out / STATE, places)
    if wanted and unasked and not overwrite:
        raise LambdascopeError(unasked)
    if wanted:
        runs |= _train(places, standing, wanted, out / STATE, overwrite, progress)
    if wanted or not unasked:
        remove_file(out / STATE)
    done = {each: run for each, run in runs.items() if run is not None}
    diverged = {i: diverged_before(run) for i, run in enumerate(done.values())}
    lost = {i: step for i, step in diverged.items() if step is not None}
    if lost:
        others = len(done) - len(lost)
        rest = f"; the other{'s are' if others > 1 else ' is'} trained" if others else ""
        raise LambdascopeError(divergence(list(done), lost) + rest)
    seconds = time.perf_counter() - started
    directories = list(done.values())
    finals = [final_metrics(directory) for directory in directories]
    return TrainResult(out, directories, len(wanted), seconds, finals)


def print_result(result: TrainResult) -> None:
    """What was done and where, on standard output."""
    count = f"{result.num_trained} run{'' if result.num_trained == 1 else 's'}"
    done = f"trained {count} in {result.seconds:.1f} s"
    nothing = "already trained with these settings, nothing to do"
    print(f"{result.out}: {done if result.num_trained else nothing}")
    print(f"  {_outcome(result.finals)}")


def _outcome(finals: Sequence[Mapping[str, float]]) -> str:
    """Losses and test accuracy at the last checkpoint; of several runs the means."""
    means = {name: fmean(one[name] for one in finals) for name in finals[0]}
    whose = "" if len(finals) == 1 else f", means of {len(finals)} runs"
    return (
        f"at step {means['step']:,.0f}{whose}: train loss {number(means['train_loss'])}, test loss "
        f"{number(means['test_loss'])}, test accuracy {shown(means['test_accuracy'], '.0%')}"
    )


def _places(config: TrainConfig, out: Path, seeds: Sequence[int] | None) -> dict[TrainConfig, Path]:
    """The settings of each run and where it goes."""
    if seeds is None:
        return {config: out}
    if not seeds:
        raise LambdascopeError("seeds is empty: give at least one seed, such as 0..24")
    twice = sorted({seed for seed in seeds if list(seeds).count(seed) > 1})
    if twice:
        raise LambdascopeError(f"seeds holds {twice[0]} more than once: give each seed once")
    configs = [TrainConfig(**{**config.model_dump(), "seed": seed}) for seed in seeds]
    if len(configs) == 1:
        return {configs[0]: out}
    if (out / "config.json").exists():
        raise LambdascopeError(
            f"{out} holds one run, where {len(configs)} seeds need a folder for a directory each: "
            "give another directory"
        )
    return {each: out / f"seed_{each.seed}" for each in configs}


def _how(config: TrainConfig, *, overwrite: bool) -> dict[str, Any]:
    """What a run directory is asked for."""
    return {
        "system": MODULAR_ADDITION,
        "config": config.model_dump(mode="json"),
        "overwrite": overwrite,
        "defaults": TrainConfig().model_dump(mode="json"),
    }


def _standing(
    places: Mapping[TrainConfig, Path], *, overwrite: bool
) -> dict[TrainConfig, RunDirectory | None]:
    """The runs that stand with these settings; None where one is to be made."""
    return {
        config: RunDirectory.check(path, **_how(config, overwrite=overwrite))
        for config, path in places.items()
    }


def _broken(
    standing: Mapping[TrainConfig, RunDirectory | None], *, overwrite: bool
) -> list[TrainConfig]:
    """The finished runs that have lost a file, refused unless they are to be trained anew."""
    broken = []
    for config, run in standing.items():
        if run is not None and is_finished(run):
            try:
                check_checkpoints(run)
            except LambdascopeError:
                if not overwrite:
                    raise
                broken.append(config)
    return broken


def _train(
    places: Mapping[TrainConfig, Path],
    standing: Mapping[TrainConfig, RunDirectory | None],
    wanted: Sequence[TrainConfig],
    state_path: Path,
    overwrite: bool,
    progress: bool,
) -> dict[TrainConfig, RunDirectory]:
    """Train runs to the end; nothing that stands is touched before they are known to fit."""
    check_batch(wanted)
    batch = resumable_batch(state_path, standing, wanted) or TrainingBatch(
        [*wanted], [[] for _ in wanted]
    )
    if batch.state is not None and progress:
        print(f"{state_path.parent}: resuming from step {batch.state.step}", file=sys.stderr)
    data = [make_data(config) for config in batch.configs]
    checkpoints = train_checkpoints(batch.configs, data, progress=progress, resume=batch.state)
    first = list(itertools.islice(checkpoints, 1))

    runs = {
        config: RunDirectory.create(places[config], **_how(config, overwrite=overwrite))
        for config in batch.configs
    }
    tables = {}
    if batch.state is not None:
        for directory, part in zip(runs.values(), data, strict=True):
            if not (directory.path / DATA).is_file():  # removed since
                save_data(directory, part)
    else:
        for (config, directory), part in zip(runs.items(), data, strict=True):
            if is_finished(directory):  # a broken one
                tables[config] = _table_bytes(directory)
            directory.clear_training()
            save_data(directory, part)
    directories = list(runs.values())
    for checkpoint in itertools.chain(first, checkpoints):
        for run, directory in enumerate(directories):
            if run not in checkpoint.state.diverged:
                directory.save_checkpoint(checkpoint.step, checkpoint.weights[run])
                batch.metrics[run].append(checkpoint.metrics[run])
        # After the weights: a state always stands on checkpoints that are all there.
        save_state(state_path, batch, checkpoint)
        batch = replace(batch, state=checkpoint.state)
    _finish(batch, directories)
    for config, table in tables.items():
        if _table_bytes(runs[config]) != table:
            warnings.warn(
                f"{runs[config].path} came out otherwise than before: what was computed from the "
                "earlier weights should be computed again, with --overwrite",
                stacklevel=3,
            )
    return runs


def _finish(batch: TrainingBatch, directories: Sequence[RunDirectory]) -> None:
    """Write the tables, which mark the runs as finished."""
    assert batch.state is not None  # there is a checkpoint at the end of training
    for run, (directory, rows) in enumerate(zip(directories, batch.metrics, strict=True)):
        if run in batch.state.diverged:
            save_divergence(directory, batch.state.diverged[run])
        record_command(directory.path, "train", arguments_of(batch.configs[run]))
        save_metrics(directory, batch.configs[run].checkpoint_steps[: len(rows)], rows)


def _table_bytes(run: RunDirectory) -> bytes:
    return (run.path / TRAINING).read_bytes()
