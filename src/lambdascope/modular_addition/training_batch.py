"""The runs of a training batch with their optimiser: steps, and states to go on from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import ModularData
from lambdascope.modular_addition.evaluation import Metrics, evaluate
from lambdascope.modular_addition.minibatches import FullBatch, Minibatches
from lambdascope.modular_addition.optimiser import StackedAdam
from lambdascope.modular_addition.stacking import StackedWeights


@dataclass(frozen=True)
class TrainingState:
    """What training needs to go on from a step, besides its settings.

    Attributes:
        step: optimiser steps taken.
        weights: [weight], the trained weights of all runs, name by name and then run by run.
        first_moment: [weight], of Adam.
        second_moment: [weight], of Adam.
        diverged: number of a run → step of the checkpoint at which its loss or weights were first
            not finite. Its weights are zeros from there on.
    """

    step: int
    weights: Tensor
    first_moment: Tensor
    second_moment: Tensor
    diverged: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """All runs of a batch at one step.

    Attributes:
        index: number of the checkpoint, from 0.
        step: optimiser steps taken before it.
        weights: one state dict a run; without meaning for a run that has diverged.
        metrics: one a run; without meaning for a run that has diverged.
        state: from which training can be resumed, and which runs have diverged.
    """

    index: int
    step: int
    weights: list[dict[str, Tensor]]
    metrics: list[Metrics]
    state: TrainingState


class TrainingBatch:
    """Several runs of one shape with their optimiser, between two steps.

    Args:
        configs: one a run.
        data: each run's data.
        resume: a state of the same runs, where they go on.

    Raises:
        LambdascopeError: the state is not of these runs.
    """

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        data: Sequence[ModularData],
        resume: TrainingState | None,
    ) -> None:
        self._configs, self._data, common = configs, data, configs[0]
        self._network = make_network(common)
        self._stack = StackedWeights([make_network(config) for config in configs])
        self._adam = StackedAdam(
            self._stack.flat,
            learning_rate=self._stack.per_weight([config.learning_rate for config in configs]),
            weight_decay=self._stack.per_weight([config.weight_decay for config in configs]),
            kind=common.optimizer,
            betas=(common.beta1, common.beta2),
        )
        self._diverged: dict[int, int] = {}
        if resume is not None:
            _restore(self._adam, resume)
            self._diverged = dict(resume.diverged)
        self._minibatches = FullBatch(data) if common.full_batch else Minibatches(configs, data)
        double = common.loss_precision == "float64"
        self._precision = torch.float64 if double else torch.float32
        self._first = 0 if resume is None else resume.step

    @property
    def num_products(self) -> int:
        """About the multiplications of a forward pass."""
        return self._stack.flat.numel() * self._minibatches.at(self._first)[1].shape[1]

    def rehearse(self) -> None:
        """Take the memory of a step, and leave the weights alone."""
        self._differentiate(self._first)

    def take(self, step: int) -> None:
        """Take one step, given its number."""
        common = self._configs[0]
        self._differentiate(step)
        self._adam.update(
            self._stack.gradient,
            step + 1,
            decay=step < common.num_steps - common.num_final_steps_without_weight_decay,
            warmth=min(1.0, (step + 1) / max(1, common.num_warmup_steps)),
        )

    def checkpoint(self, index: int, step: int) -> Checkpoint:
        """All runs as they are now.

        Raises:
            LambdascopeError: before the first step, a run's loss is not finite.
        """
        metrics = evaluate(self._network, self._stack.tensors, self._data)
        held = self._adam.weights, self._adam.first_moment, self._adam.second_moment
        finite = [torch.isfinite(torch.tensor([values.train_loss for values in metrics]))]
        finite += [self._stack.finite(vector) for vector in held]
        for run in (~torch.stack(finite).all(0)).nonzero().flatten().tolist():
            if step == 0:
                raise LambdascopeError(_no_beginning(self._configs[run]))
            self._diverged.setdefault(run, step)
        # A state that holds what is not finite could not be told from a broken one.
        for vector in held:
            self._stack.clear(vector, self._diverged)
        weights, first, second = (vector.clone() for vector in held)
        state = TrainingState(step, weights, first, second, dict(self._diverged))
        return Checkpoint(index, step, self._stack.state_dicts(), metrics, state)

    def _differentiate(self, step: int) -> None:
        """The gradient of each run's loss on the step's minibatch, into the stack."""
        tokens, labels = self._minibatches.at(step)
        logits = self._network.stacked_logits(self._stack.tensors, tokens)
        self._stack.gradient.zero_()
        gradient = loss_gradient(logits.to(self._precision), labels).to(logits.dtype)
        torch.autograd.backward(logits, gradient)


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


def _no_beginning(config: TrainConfig) -> str:
    return (
        f"the initial weights of seed={config.seed} give no finite loss: with embed_scale="
        f"{config.embed_scale} and linear_scale={config.linear_scale}, smaller scales are accepted"
    )
