"""The loss of guessing: of one answer, whatever the input."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lambdascope.posterior.objective import Objective
from lambdascope.posterior.samples import SampleSet

# Samples on which the best answer is searched, and steps of the search: convex losses need few.
_SEARCHED, _ITERATIONS = 4096, 30


def guessing_loss(
    objective: Objective, w: Tensor, held: dict[str, Tensor], samples: SampleSet, at_once: int
) -> float:
    """Mean loss over all data of the best single output for every sample that is found.

    A classifier's is the entropy of its labels, ln(classes) where they are equally frequent; a
    regression's half the variance of the targets in units of the noise. The search begins at the
    mean of the model's outputs and descends on a few thousand samples.

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
    mean = (total / samples.num_samples).to(outputs.dtype)
    found = [
        _loss_of(one, objective, samples, at_once)
        for one in (mean, _best(mean, objective, samples))
    ]
    finite = [loss for loss in found if math.isfinite(loss)]
    return min(finite, default=math.nan)


def _best(start: Tensor, objective: Objective, samples: SampleSet) -> Tensor:
    """The output of least loss on evenly spaced samples, searched from `start` [...]."""
    stride = max(1, samples.num_samples // _SEARCHED)
    inputs, targets = samples.batch([one[::stride] for one in samples.tensors])

    def loss_and_slope(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        constant = torch.from_numpy(values).to(start).reshape(start.shape).requires_grad_()
        with torch.enable_grad():
            loss = _of_one(constant, objective, inputs, targets).double().mean()
            if not loss.requires_grad:  # nothing says which way to go
                return loss.item(), np.zeros_like(values)
            (slope,) = torch.autograd.grad(loss, constant)
        return loss.item(), slope.double().cpu().numpy().ravel()

    # SciPy's: PyTorch's own would load the compiler, which takes seconds.
    from scipy.optimize import minimize

    begin = start.double().cpu().numpy().ravel()
    found = minimize(
        loss_and_slope, begin, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}
    )
    return torch.from_numpy(found.x).to(start).reshape(start.shape)


def _loss_of(constant: Tensor, objective: Objective, samples: SampleSet, at_once: int) -> float:
    with torch.no_grad():
        summed = sum(
            _of_one(constant, objective, inputs, targets).double().sum().item()
            for inputs, targets in _batches(samples, at_once)
        )
    return summed / samples.num_samples


def _of_one(constant: Tensor, objective: Objective, inputs: Any, targets: Any) -> Tensor:
    """Losses [sample] where every output is `constant` [...]."""
    assert objective.loss is not None
    alike = constant.expand(_num_rows(inputs), *constant.shape).contiguous()
    return objective.loss(alike, targets)


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
