"""Training: many seeds or settings of one shape as one batch, deterministic and resumable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm.auto import tqdm

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData, make_data
from lambdascope.modular_addition.evaluation import Metrics, evaluate
from lambdascope.modular_addition.minibatches import FullBatch, Minibatches
from lambdascope.modular_addition.optimiser import StackedAdam
from lambdascope.modular_addition.stacking import StackedWeights
from lambdascope.modular_addition.threads import ThreadChoice, one_thread

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
class TrainingState:
    """What training needs to go on from a step, besides its settings.

    Attributes:
        step: optimiser steps taken.
        weights: [weight], the trained weights of all runs, name by name and then run by run.
        first_moment: [weight], of Adam.
        second_moment: [weight], of Adam.
    """

    step: int
    weights: Tensor
    first_moment: Tensor
    second_moment: Tensor


@dataclass(frozen=True)
class Checkpoint:
    """All runs of a batch at one step.

    Attributes:
        index: number of the checkpoint, from 0.
        step: optimiser steps taken before it.
        weights: one state dict a run.
        metrics: one a run.
        state: from which training can be resumed.
    """

    index: int
    step: int
    weights: list[dict[str, Tensor]]
    metrics: list[Metrics]
    state: TrainingState


@dataclass(frozen=True)
class TrainedRun:
    """One run with all its checkpoints.

    Attributes:
        config: its settings.
        data: what it was trained on.
        steps: optimiser steps before each checkpoint.
        weights: one state dict a checkpoint.
        metrics: one a checkpoint.
    """

    config: TrainConfig
    data: ModularData
    steps: list[int] = field(default_factory=list)
    weights: list[dict[str, Tensor]] = field(default_factory=list)
    metrics: list[Metrics] = field(default_factory=list)


def train(configs: Sequence[TrainConfig], *, progress: bool = False) -> list[TrainedRun]:
    """Train runs as one batch and keep every checkpoint in memory.

    See `train_checkpoints` for what the runs may differ in and what they have in common.

    Args:
        configs: one a run.
        progress: show a bar on stderr, if that is a terminal.

    Raises:
        LambdascopeError: the runs do not fit into one batch, or one of them diverges.
    """
    data = [make_data(config) for config in configs]
    runs = [TrainedRun(config, part) for config, part in zip(configs, data, strict=True)]
    for checkpoint in train_checkpoints(configs, data, progress=progress):
        for run, weights, metrics in zip(runs, checkpoint.weights, checkpoint.metrics, strict=True):
            run.steps.append(checkpoint.step)
            run.weights.append(weights)
            run.metrics.append(metrics)
    return runs


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
    rounding: relative differences of 1e-5 after 100 steps, growing slowly with the steps (on the
    machines tried, none at all).
    Repeated on the same machine with the same number of threads, or resumed, it gives the same
    bits.

    Args:
        configs: one a run. They may differ in seeds, task, train_fraction, learning_rate,
            weight_decay and the initial scales; all else must be equal.
        data: each run's data.
        progress: show a bar on stderr, if that is a terminal.
        resume: a state of the same runs; checkpoints up to its step are not given again.

    Raises:
        LambdascopeError: the runs do not fit into one batch, the state is not of these runs, or the
            weights of a run are no longer finite at a checkpoint.
    """
    _check_alike(configs)
    common = configs[0]
    network = make_network(common)
    stack = StackedWeights([make_network(config) for config in configs])
    adam = StackedAdam(
        stack.flat,
        learning_rate=stack.per_weight([config.learning_rate for config in configs]),
        weight_decay=stack.per_weight([config.weight_decay for config in configs]),
        kind=common.optimizer,
        betas=(common.beta1, common.beta2),
    )
    reached = -1
    if resume is not None:
        _restore(adam, resume)
        reached = resume.step
    batches = FullBatch(data) if common.full_batch else Minibatches(configs, data)
    precision = torch.float64 if common.loss_precision == "float64" else torch.float32
    decay_until = common.num_steps - common.num_final_steps_without_weight_decay
    # About the multiplications of a forward pass.
    num_products = stack.flat.numel() * batches.at(max(reached, 0))[1].shape[1]
    threads = ThreadChoice(worthwhile=num_products > _PRODUCTS_WORTH_THREADS)
    bar = tqdm(
        total=common.num_steps,
        initial=max(reached, 0),
        desc="training",
        unit="step",
        disable=None if progress else True,
    )

    def take(step: int) -> None:
        tokens, labels = batches.at(step)
        logits = network.stacked_logits(stack.tensors, tokens)
        stack.gradient.zero_()
        gradient = loss_gradient(logits.to(precision), labels).to(logits.dtype)
        torch.autograd.backward(logits, gradient)
        warmth = min(1.0, (step + 1) / max(1, common.num_warmup_steps))
        adam.update(stack.gradient, step + 1, decay=step < decay_until, warmth=warmth)
        bar.update()

    with bar:
        for index, end in enumerate(common.checkpoint_steps):
            if end <= reached:
                continue
            threads.run(take, max(reached, 0), end)
            reached = end
            # Copies of some 100,000 weights are too small to share out, too.
            with one_thread():
                metrics = evaluate(network, stack.tensors, data)
                _check_finite(configs, metrics, end)
                moments = adam.first_moment.clone(), adam.second_moment.clone()
                state = TrainingState(end, stack.flat.clone(), *moments)
                weights = stack.state_dicts()
            yield Checkpoint(index, end, weights, metrics, state)


@torch.no_grad()
def loss_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of each run's mean cross-entropy: (softmax − one-hot)/batch.

    Written out because the loss itself is not needed, which saves two passes over the logits.

    Args:
        logits: [run, p, batch].
        labels: [run, batch].

    Returns:
        [run, p, batch].
    """
    share = 1 / labels.shape[1]
    gradient = torch.softmax(logits, dim=1).mul_(share)
    minus = gradient.new_full((1, 1, 1), -share).expand(len(labels), 1, labels.shape[1])
    return gradient.scatter_add_(1, labels[:, None, :], minus)


def _restore(adam: StackedAdam, state: TrainingState) -> None:
    pairs = (
        (adam.weights, state.weights),
        (adam.first_moment, state.first_moment),
        (adam.second_moment, state.second_moment),
    )
    for target, source in pairs:
        if target.shape != source.shape:
            raise LambdascopeError(
                f"the training state has {source.numel()} weights, where these settings ask for "
                f"{target.numel()}: give a state of the same runs"
            )
        target.copy_(source)


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


def _check_finite(configs: Sequence[TrainConfig], metrics: Sequence[Metrics], step: int) -> None:
    for config, run in zip(configs, metrics, strict=True):
        if not torch.isfinite(torch.tensor([run.train_loss, run.weight_norm])).all():
            raise LambdascopeError(
                f"the run of seed={config.seed} diverged before step {step} (its loss is no longer "
                f"finite): learning_rate={config.learning_rate} is too large for it"
            )
