"""`lambdascope train`: one run, or several seeds as one batch, each into its own directory."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lambdascope.commands.systems import (
    MODULAR_ADDITION,
    check_checkpoints,
    is_finished,
    save_data,
    save_metrics,
)
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.evaluation import Metrics
from lambdascope.modular_addition.training import Checkpoint, TrainingState, train_checkpoints
from lambdascope.runs.checkpoints import load_checkpoint, load_metadata, save_checkpoint
from lambdascope.runs.directory import RunDirectory

_STATE = "training_state.safetensors"


@dataclass(frozen=True)
class _Batch:
    """Runs that train together.

    Attributes:
        configs: one a run.
        metrics: the rows of each run so far.
        state: where to go on; None at the beginning.
    """

    configs: list[TrainConfig]
    metrics: list[list[Metrics]]
    state: TrainingState | None = None


@dataclass(frozen=True)
class TrainResult:
    """What was trained and where it is.

    Attributes:
        out: The run directory, or the folder of the run directories.
        directories: One a run, in the order of the seeds.
        num_trained: Runs that were trained now; the others stood already.
        seconds: Wall time.
    """

    out: Path
    directories: list[RunDirectory]
    num_trained: int
    seconds: float


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
    it would have had; finished, it leaves everything as it stands.

    Args:
        config: the settings; with `seeds`, those of every run but for the seed.
        out: the run directory; with several seeds, the folder of the run directories seed_0, ….
        seeds: one run for each, trained as one batch; None trains the one run of `config`.
        overwrite: begin afresh, whatever run stands there.
        progress: show a bar on stderr if that is a terminal, and say where training goes on.

    Returns:
        the directories, one a run.

    Raises:
        LambdascopeError: a directory holds other settings or other files or cannot be written, a
            seed is given twice, or a run diverges; what stood is not lost.
    """
    started, out = time.perf_counter(), Path(out)
    runs = _claim(_places(config, out, seeds), overwrite=overwrite)
    state_path = out / _STATE
    if overwrite:
        state_path.unlink(missing_ok=True)
    unfinished = [each for each, run in runs.items() if not is_finished(run)]
    for each, run in runs.items():
        if each not in unfinished:
            check_checkpoints(run)
    if unfinished:
        batch = _resumable(state_path, runs, unfinished) or _Batch(
            unfinished, [[] for _ in unfinished]
        )
        if progress and batch.state is not None:
            print(f"{out}: resuming from step {batch.state.step}", file=sys.stderr)
        _train(batch, runs, state_path, progress=progress)
    state_path.unlink(missing_ok=True)
    seconds = time.perf_counter() - started
    return TrainResult(out, list(runs.values()), len(unfinished), seconds)


def print_result(result: TrainResult) -> None:
    """What was done and where, on standard output."""
    count = f"{result.num_trained} run{'' if result.num_trained == 1 else 's'}"
    done = f"trained {count} in {result.seconds:.1f} s"
    print(f"{result.out}: {done if result.num_trained else 'already trained, nothing to do'}")


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


def _claim(
    places: Mapping[TrainConfig, Path], *, overwrite: bool
) -> dict[TrainConfig, RunDirectory]:
    """Make or take up the run directories, all of them or none."""
    settings = [(path, each.model_dump(mode="json")) for each, path in places.items()]
    how: dict[str, Any] = {
        "exist_ok": True,
        "overwrite": overwrite,
        "defaults": TrainConfig().model_dump(mode="json"),
    }
    for path, config in settings:
        RunDirectory.check(path, MODULAR_ADDITION, config, **how)
    runs = [RunDirectory.create(path, MODULAR_ADDITION, config, **how) for path, config in settings]
    return dict(zip(places, runs, strict=True))


def _train(
    batch: _Batch, runs: Mapping[TrainConfig, RunDirectory], state_path: Path, *, progress: bool
) -> None:
    directories = [runs[config] for config in batch.configs]
    data = [make_data(config) for config in batch.configs]
    if batch.state is None:
        for directory, part in zip(directories, data, strict=True):
            save_data(directory, part)
    for checkpoint in train_checkpoints(batch.configs, data, progress=progress, resume=batch.state):
        for directory, weights in zip(directories, checkpoint.weights, strict=True):
            directory.save_checkpoint(checkpoint.step, weights)
        for rows, metrics in zip(batch.metrics, checkpoint.metrics, strict=True):
            rows.append(metrics)
        # After the weights: a state always stands on checkpoints that are all there.
        _save_state(state_path, batch, checkpoint)
    steps = batch.configs[0].checkpoint_steps
    for directory, rows in zip(directories, batch.metrics, strict=True):
        save_metrics(directory, steps, rows)


def _save_state(path: Path, batch: _Batch, checkpoint: Checkpoint) -> None:
    state = checkpoint.state
    tensors = {
        "weights": state.weights,
        "first_moment": state.first_moment,
        "second_moment": state.second_moment,
    }
    metadata = {
        "step": str(state.step),
        "configs": json.dumps([config.model_dump(mode="json") for config in batch.configs]),
        "metrics": json.dumps([[asdict(row) for row in rows] for rows in batch.metrics]),
    }
    save_checkpoint(path, tensors, metadata)


def _resumable(
    path: Path, runs: Mapping[TrainConfig, RunDirectory], unfinished: Sequence[TrainConfig]
) -> _Batch | None:
    """The batch that was interrupted, if it is part of what is asked for and all that is left."""
    if not path.is_file():
        return None
    metadata = load_metadata(path)
    configs = [TrainConfig(**values) for values in json.loads(metadata["configs"])]
    # The whole batch goes on, even if some of its tables were written already: with the same shape
    # it ends with the same bits.
    if not set(unfinished) <= set(configs) <= set(runs):
        return None
    metrics = [[Metrics(**row) for row in rows] for rows in json.loads(metadata["metrics"])]
    return _Batch(configs, metrics, TrainingState(int(metadata["step"]), **load_checkpoint(path)))
