"""The loss of guessing: of one answer, whatever the input."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lambdascope.posterior.objective import Objective
from lambdascope.posterior.samples import SampleSet


def guessing_loss(
    objective: Objective, w: Tensor, held: dict[str, Tensor], samples: SampleSet, at_once: int
) -> float:
    """Mean loss over all data of one output for every sample: the mean of the model's own.

    A classifier's is about ln(classes) where they are equally frequent, a regression's about half
    the variance of the targets in units of the noise. It is no lower than that of the best constant
    output.

    Args:
        objective: Model and loss.
        w: [param], sampled weights.
        held: Tensors that stay put, by name.
        samples: The data.
        at_once: Samples to evaluate at once.

    Returns:
        In units of the loss; NaN for a potential without data, `loss(model, batch)`, and outputs
        that are not one floating tensor [sample, ...].
    """
    if objective.loss is None or objective.takes_model:
        return math.nan
    total: Tensor | None = None
    with torch.no_grad():
        for inputs, _ in _batches(samples, at_once):
            outputs = objective.outputs(w, held, inputs)
            if not _averages(outputs, _num_rows(inputs)):
                return math.nan
            part = outputs.double().sum(dim=0)
            total = part if total is None else total + part
        assert total is not None  # there is a loss, so there are data
        constant = (total / samples.num_samples).to(outputs.dtype)
        summed = 0.0
        for inputs, targets in _batches(samples, at_once):
            alike = constant.expand(_num_rows(inputs), *constant.shape).contiguous()
            summed += objective.loss(alike, targets).double().sum().item()
    mean = summed / samples.num_samples
    return mean if math.isfinite(mean) else math.nan


def _batches(samples: SampleSet, at_once: int) -> Iterator[Any]:
    for start in range(0, samples.num_samples, at_once):
        yield samples.batch([t[start : start + at_once] for t in samples.tensors])


def _num_rows(inputs: Any) -> int:
    first = inputs[0] if isinstance(inputs, tuple) else inputs
    return len(first)


def _averages(outputs: Any, num_rows: int) -> bool:
    """Whether it is one output a sample, of which there is a mean."""
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        return False
    return outputs.ndim > 0 and len(outputs) == num_rows
