"""What an interrupted training leaves to go on from: the whole batch at its last checkpoint."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lambdascope.commands.training_record import is_finished
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.evaluation import Metrics
from lambdascope.modular_addition.training_batch import Checkpoint, TrainingState
from lambdascope.runs.checkpoints import load_checkpoint, load_metadata, save_checkpoint
from lambdascope.runs.directory import RunDirectory

STATE = "training_state.safetensors"


@dataclass(frozen=True)
class TrainingBatch:
    """Runs that train together.

    Attributes:
        configs: one a run.
        metrics: the rows of each run so far.
        state: where to go on; None at the beginning.
    """

    configs: list[TrainConfig]
    metrics: list[list[Metrics]]
    state: TrainingState | None = None


def save_state(path: Path, batch: TrainingBatch, checkpoint: Checkpoint) -> None:
    """Write where a batch is, in one rename.

    Args:
        path: The file.
        batch: The runs with their rows so far.
        checkpoint: The last one, whose weights stand in the run directories.
    """
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
        "diverged": json.dumps(dict(state.diverged)),
    }
    save_checkpoint(path, tensors, metadata)


def other_batch(path: Path, places: Mapping[TrainConfig, Path]) -> str:
    """A sentence on runs that were interrupted and are not asked for; empty if there are none.

    Args:
        path: The state.
        places: The runs asked for.
    """
    try:
        metadata = load_metadata(path) if path.is_file() else {"configs": "[]"}
    except LambdascopeError:
        return ""  # damaged: `resumable_batch` says so
    configs = _configs(metadata)
    others = {config.seed for config in configs if config not in places}
    if not any((path.parent / f"seed_{seed}").is_dir() for seed in others):
        return ""
    seeds = ",".join(str(config.seed) for config in configs)
    return (
        f"{path.parent} holds the interrupted training of other runs, at step {metadata['step']}: "
        f"give its seeds and settings to go on (--seeds {seeds}), another directory, or "
        "--overwrite to drop what it has reached"
    )


def resumable_batch(
    path: Path,
    runs: Mapping[TrainConfig, RunDirectory | None],
    wanted: Sequence[TrainConfig],
) -> TrainingBatch | None:
    """The batch that was interrupted, if it is part of what is asked for and all that is left."""
    broken = [config for config in wanted if (run := runs[config]) and is_finished(run)]
    if not path.is_file() or broken:
        return None
    try:
        metadata, tensors = load_metadata(path), load_checkpoint(path)
    except LambdascopeError as error:
        warnings.warn(f"{error}; training begins afresh", stacklevel=4)
        return None
    configs = _configs(metadata)
    # The whole batch goes on, even if some of its tables were written already: with the same shape
    # it ends with the same bits.
    if not set(wanted) <= set(configs) <= set(runs):
        return None
    step, diverged = int(metadata["step"]), json.loads(metadata.get("diverged", "{}"))
    state = TrainingState(
        step=step,
        **tensors,
        diverged={int(run): at for run, at in diverged.items()},
    )
    for number, config in enumerate(configs):
        run, reached = runs[config], state.diverged.get(number, step + 1)
        due = {each for each in config.checkpoint_steps if each <= step and each < reached}
        if run is None or not due <= set(run.checkpoint_steps):
            return None  # it was removed since
    metrics = [[Metrics(**row) for row in rows] for rows in json.loads(metadata["metrics"])]
    return TrainingBatch(configs, metrics, state)


def _configs(metadata: Mapping[str, str]) -> list[TrainConfig]:
    """The runs of a state, as `save_state` wrote them."""
    return [TrainConfig(**values) for values in json.loads(metadata["configs"])]
