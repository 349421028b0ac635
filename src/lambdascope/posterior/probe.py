"""A look at the loss before it is trusted: its shape, and whether it is the same twice."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError, is_allocation_failure
from lambdascope.posterior.objective import Objective
from lambdascope.posterior.samples import SampleSet

_PROBED_SAMPLES = 64
# Within this, two values of one loss are the same: threads and machines add up in other orders,
# and a loss near zero is a difference of terms of order 1, each rounded in float32.
RELATIVE_NOISE, ABSOLUTE_NOISE = 1e-3, 1e-6


def check_loss(
    objective: Objective, w: Tensor, held: Mapping[str, Tensor], samples: SampleSet
) -> Tensor:
    """Evaluate the loss on a few samples, several times.

    Args:
        objective: The loss.
        w: [param].
        held: The tensors that stay put.
        samples: The data.

    Returns:
        Its values on those samples, [sample].

    Raises:
        LambdascopeError: with advice, if the loss can't be evaluated, is not one value a sample,
            is random (dropout), depends on a sample's neighbours or changes the model's buffers
            (batch norm in training mode).
    """
    _check_structure(objective, samples)
    whole = _first(samples)
    half = [tensor[: max(1, len(tensor) // 2)] for tensor in whole]
    # Copies: batch norm in training mode writes into the buffers it is handed.
    copies = {name: tensor.clone() for name, tensor in held.items()}

    def evaluate(tensors: list[Tensor]) -> Any:
        with torch.no_grad():
            return objective(w, copies, samples.batch(tensors))

    with explained():
        _check_targets(objective, w, copies, samples, whole)
        first, second, part = evaluate(whole), evaluate(whole), evaluate(half)
    expected = [len(whole[0])] if whole else []
    _check_shape(first, expected)
    for name, tensor in held.items():
        if not _same(tensor, copies[name]):
            raise LambdascopeError(
                f"the model changes its buffer {name} when it is called (batch norm in training "
                "mode?); call model.eval() first."
            )
    if not _same(first, second) and not torch.allclose(
        first, second, rtol=1e-6, atol=1e-7, equal_nan=True
    ):
        raise LambdascopeError(
            "the loss at w* differs between two evaluations on the same data (dropout or other "
            "randomness in the model?), so L(w*) would be random; call model.eval() first."
        )
    if whole and not torch.allclose(
        first[: len(half[0])], part, rtol=1e-3, atol=1e-5, equal_nan=True
    ):
        raise LambdascopeError(
            "a sample's loss depends on the other samples of its batch (batch norm in training "
            "mode?), so the mean loss is no sum over samples; call model.eval() first."
        )
    return first


def check_unchanged(
    objective: Objective,
    w: Tensor,
    held: Mapping[str, Tensor],
    samples: SampleSet,
    before: Tensor,
) -> None:
    """Evaluate the loss on a few samples again, later.

    Args:
        objective: The loss.
        w: [param].
        held: The tensors that stay put.
        samples: The data.
        before: What `check_loss` returned.

    Raises:
        LambdascopeError: if it is another loss by now (a global that it reads has changed).
    """
    with explained(), torch.no_grad():
        now = objective(w, held, samples.batch(_first(samples)))
    if not torch.allclose(now, before, rtol=RELATIVE_NOISE, atol=ABSOLUTE_NOISE, equal_nan=True):
        raise LambdascopeError(
            f"the loss at w* is {now.mean().item():.6g} on the first samples, and was "
            f"{before.mean().item():.6g} when the posterior was made (a global that it reads, or "
            "an attribute of it, has changed?); make the posterior anew, so that L(w*) is that of "
            "the loss that is sampled."
        )


@contextmanager
def untouched_randomness(like: Tensor) -> Iterator[None]:
    """Leave the global random streams of the CPU and of `like`'s device where they are."""
    with torch.random.fork_rng(devices=[like.device] if like.is_cuda else []):
        yield


@contextmanager
def explained() -> Iterator[None]:
    """Say of any failure of the user's model or loss where it happened."""
    try:
        yield
    except LambdascopeError:
        raise
    except Exception as error:
        raise LambdascopeError(_failure(error)) from error


def _failure(error: Exception) -> str:
    if is_allocation_failure(error):
        return (
            "evaluating the loss on the data does not fit into memory; smaller samples, or a "
            "smaller model, take less."
        )
    failed = "evaluating the loss on the data failed"
    reason = str(error).strip().partition("\n")[0].rstrip(".")  # PyTorch's stack may follow
    if isinstance(error, IndexError):
        hint = "an input or target outside the range that the model knows?"
        return f"{failed}: {reason} ({hint})."
    if "dtype" in reason:
        hint = "are the data of the weights' type? inputs.float(), or model.double()"
        return f"{failed}: {reason} ({hint})."
    return f"{failed}: {type(error).__name__}: {reason}."


def _first(samples: SampleSet) -> list[Tensor]:
    return [tensor[:_PROBED_SAMPLES] for tensor in samples.tensors]


def _check_structure(objective: Objective, samples: SampleSet) -> None:
    if objective.loss is None or objective.takes_model:
        return
    structure = samples.structure
    if not (isinstance(structure, tuple) and len(structure) == 2):
        kind = {type(None): "one tensor", dict: "a dict"}.get(type(structure), "no pair")
        raise LambdascopeError(
            f"data is {kind}; loss(output, targets) needs (inputs, targets), and for data of "
            "another form loss(model, batch) is accepted, its first argument called model."
        )


def _check_targets(
    objective: Objective,
    w: Tensor,
    held: Mapping[str, Tensor],
    samples: SampleSet,
    whole: list[Tensor],
) -> None:
    """Hand all targets to a loss that can check them."""
    check: Callable[[Tensor, Tensor], None] | None = getattr(objective.loss, "check", None)
    if check is None or objective.takes_model:
        return
    with torch.no_grad():
        outputs = objective.outputs(w, held, samples.batch(whole)[0])
    if not isinstance(outputs, Tensor):
        raise LambdascopeError(
            f"the model returns a {type(outputs).__name__}, and the loss needs a tensor; one that "
            "picks it is accepted, such as loss=lambda outputs, targets: "
            "ls.cross_entropy(outputs[0], targets)."
        )
    targets = samples.batch()[1]
    check(outputs[:1].expand(len(targets), *outputs.shape[1:]), targets)


def _check_shape(values: Any, expected: list[int]) -> None:
    got = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
    if got == expected:
        return
    if not expected:
        if got == [1]:
            return
        raise LambdascopeError(
            f"the potential returned {got}; one number, a tensor of shape [], is needed."
        )
    raise LambdascopeError(
        f"the loss returned {got} for a batch of {expected[0]}; one value a sample, "
        f"[batch], is needed ({_shape_hint(got, expected[0])})."
    )


def _shape_hint(got: Any, num_samples: int) -> str:
    if isinstance(got, list) and len(got) > 1 and got[0] == num_samples:
        return "add up what belongs to one sample: lambda y, t: loss(y, t).flatten(1).sum(1)"
    return "reduction='none', no mean"


def _same(one: Tensor, other: Tensor) -> bool:
    """Bit for bit, NaN being NaN."""
    return torch.equal(one, other) or torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
