"""Training: many seeds or settings of one shape as one batch, deterministic and resumable."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from lambdascope.errors import LambdascopeError, fits_into_memory
from lambdascope.machine import GIB, host_memory
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData, make_data
from lambdascope.modular_addition.evaluation import Metrics
from lambdascope.modular_addition.threads import ThreadChoice
from lambdascope.modular_addition.training_batch import Checkpoint, TrainingBatch, TrainingState
from lambdascope.progress import Progress
from lambdascope.threads import one_thread

# Settings in which runs of one batch may differ: they leave shapes and schedule alone.
FREE_SETTINGS = frozenset(
    {
        "seed",
        "data_seed",
        "task",
        "train_fraction",
        "learning_rate",
        "weight_decay",
        "embed_scale",
        "linear_scale",
    }
)

# Below, a second thread gains under 15 % at best (up to four runs of the default settings).
_PRODUCTS_WORTH_THREADS = 4_000_000


@dataclass(frozen=True)
class TrainedRun:
    """One run with all its checkpoints.

    Attributes:
        config: its settings.
        data: what it was trained on.
        steps: optimiser steps before each checkpoint; of a run that diverged, up to there.
        weights: one state dict a checkpoint.
        metrics: one a checkpoint.
        diverged: step of the checkpoint at which its loss or weights were first not finite.
    """

    config: TrainConfig
    data: ModularData
    steps: list[int] = field(default_factory=list)
    weights: list[dict[str, Tensor]] = field(default_factory=list)
    metrics: list[Metrics] = field(default_factory=list)
    diverged: int | None = None


def train(
    configs: Sequence[TrainConfig], *, progress: bool = False, divergence_ok: bool = False
) -> list[TrainedRun]:
    """Train runs as one batch and keep every checkpoint in memory.

    See `train_checkpoints` for what the runs may differ in and what they have in common.

    Args:
        configs: one a run.
        progress: show how far it is on stderr.
        divergence_ok: give runs that diverged too, marked, up to where they did.

    Raises:
        LambdascopeError: the runs do not fit into one batch or into memory, or one of them diverged
            (the others are trained to the end all the same).
    """
    check_batch(configs)
    data = [make_data(config) for config in configs]
    weights: list[list[dict[str, Tensor]]] = [[] for _ in configs]
    metrics: list[list[Metrics]] = [[] for _ in configs]
    diverged: Mapping[int, int] = {}
    for checkpoint in train_checkpoints(configs, data, progress=progress):
        diverged = checkpoint.state.diverged
        for run in range(len(configs)):
            if run not in diverged:
                weights[run].append(checkpoint.weights[run])
                metrics[run].append(checkpoint.metrics[run])
    if diverged and not divergence_ok:
        raise LambdascopeError(divergence(configs, diverged))
    return [
        TrainedRun(
            config,
            data[run],
            config.checkpoint_steps[: len(metrics[run])],
            weights[run],
            metrics[run],
            diverged.get(run),
        )
        for run, config in enumerate(configs)
    ]


def divergence(configs: Sequence[TrainConfig], diverged: Mapping[int, int]) -> str:
    """Which runs diverged, in a sentence.

    Args:
        configs: one a run.
        diverged: as in `TrainingState`; not empty.
    """
    rates = " and ".join(sorted({str(configs[run].learning_rate) for run in diverged}))
    if len(configs) == 1:
        return (
            f"the run diverged before step {diverged[0]} (its loss is no longer finite): "
            f"learning_rate={rates} is too large for it"
        )
    parts = [f"seed {configs[run].seed} before step {step}" for run, step in diverged.items()]
    return (
        f"{len(diverged)} of {len(configs)} runs diverged ({', '.join(parts)}: their loss is no "
        f"longer finite): learning_rate={rates} is too large for them"
    )


def check_batch(configs: Sequence[TrainConfig]) -> None:
    """Refuse, before anything is made, runs that don't fit into one batch, or it into memory.

    Raises:
        LambdascopeError: settings differ that must be equal; or the machine's memory is less than
            what the batch takes at the least, with both sizes.
    """
    _check_alike(configs)
    needed, held = _least_bytes(configs), host_memory()
    if held is not None and needed > held:
        one = configs[0]
        raise LambdascopeError(
            f"p={one.p} with embed_dim={one.embed_dim}, hidden_size={one.hidden_size} and "
            f"{len(configs)} run{'s' if len(configs) > 1 else ''} takes at least "
            f"{needed / GIB:,.0f} GiB of memory, and this machine has {held / GIB:,.0f} GiB: "
            "smaller ones are accepted"
        )


def _least_bytes(configs: Sequence[TrainConfig]) -> int:
    """What training holds at the least: data, weights with Adam's moments, one run's evaluation."""
    one, pairs = configs[0], configs[0].p ** 2
    data = pairs * 5 * 8  # inputs, targets, the split and its order, int64
    weights = one.p * one.embed_dim + one.hidden_size * (one.embed_dim + one.p)
    evaluation = pairs * (one.p + one.hidden_size) * 4  # logits and hidden units
    return len(configs) * (data + 5 * 4 * weights) + evaluation


def train_checkpoints(
    configs: Sequence[TrainConfig],
    data: Sequence[ModularData],
    *,
    progress: bool = False,
    resume: TrainingState | None = None,
) -> Iterator[Checkpoint]:
    """Train runs as one batch and give each checkpoint as it is reached.

    The loss is the mean cross-entropy of a minibatch, or of the training set. Everything random
    about a run is a function of its own settings, so a run ends with the weights it would have
    alone; the sums inside a matrix product may be taken in another order, so equality holds to
    rounding, which training lets grow. An MLP had the same bits alone and in a batch wherever it
    was tried; a transformer by itself differed from the same one in a batch by 9e-8 after 100
    steps, and was another network after 1,500.
    Repeated on the same machine with the same number of threads, or resumed, it gives the same
    bits.

    A run that diverges is marked and left out; the others go on.

    Before the first checkpoint is given, everything that a step needs has been taken once.

    Args:
        configs: one a run. They may differ in seeds, task, train_fraction, learning_rate,
            weight_decay and the initial scales; all else must be equal.
        data: each run's data.
        progress: show how far it is on stderr.
        resume: a state of the same runs; checkpoints up to its step are not given again.

    Raises:
        LambdascopeError: the runs do not fit into one batch or into memory, the state is not of
            these runs, or a run's initial weights give no finite loss.
    """
    check_batch(configs)
    common = configs[0]
    size = (
        f"training with p={common.p}, hidden_size={common.hidden_size}, "
        f"batch_size={'all' if common.full_batch else common.batch_size}"
    )
    with fits_into_memory(size, "smaller ones or fewer seeds do"):
        batch = TrainingBatch(configs, data, resume)
        batch.rehearse()
    reached = 0 if resume is None else resume.step
    # About the multiplications of a forward pass.
    threads = ThreadChoice(worthwhile=batch.num_products > _PRODUCTS_WORTH_THREADS)
    with Progress("training", total=common.num_steps, initial=reached, wanted=progress) as shown:

        def take(step: int) -> None:
            batch.take(step)
            shown.update()

        for index, end in enumerate(common.checkpoint_steps):
            if resume is not None and end <= resume.step:
                continue
            threads.run(take, reached, end)
            reached = end
            # Copies of some 100,000 weights are too small to share out, too.
            with one_thread(), fits_into_memory(size, "smaller ones or fewer seeds do"):
                checkpoint = batch.checkpoint(index, end)
            yield checkpoint


def _check_alike(configs: Sequence[TrainConfig]) -> None:
    if not configs:
        raise LambdascopeError("configs is empty: give the settings of at least one run")
    for name in TrainConfig.model_fields:
        values = {getattr(config, name) for config in configs}
        if name not in FREE_SETTINGS and len(values) > 1:
            raise LambdascopeError(
                f"{name} is {' and '.join(map(repr, sorted(values, key=str)))} in runs of one "
                f"batch: they may differ only in {', '.join(sorted(FREE_SETTINGS))}"
            )
