"""The loss as a pure function of a flat weight vector: what every gradient is taken of."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.parameters import ParameterLayout, skeleton

Loss = Callable[..., Tensor]


class Objective:
    """Loss of each sample of a batch, as a function of sampled weights and held tensors.

    Args:
        model: The user's module; only its structure is kept.
        loss: `loss(output, targets) -> [batch]`, or `loss(model, batch) -> [batch]` where the
            first argument is called `model`; None for a module that returns its own potential.
        layout: The sampled parameters.
    """

    def __init__(self, model: nn.Module, loss: Loss | None, layout: ParameterLayout) -> None:
        self.layout = layout
        self.loss = loss
        self._module = _LossModule(skeleton(model), loss)
        self._structure = str(self._module)

    def __call__(self, w: Tensor, held: Mapping[str, Tensor], batch: Any) -> Tensor:
        """Per-sample losses [batch] at sampled weights `w` [param], the other tensors in `held`."""
        values = {**self.layout.unravel(w), **held}
        return functional_call(
            self._module, {f"model.{name}": value for name, value in values.items()}, (batch,)
        )

    def outputs(self, w: Tensor, held: Mapping[str, Tensor], inputs: Any) -> Any:
        """What the model makes of `inputs`, at sampled weights `w` [param]."""
        values = {**self.layout.unravel(w), **held}
        arguments = inputs if isinstance(inputs, tuple) else (inputs,)
        return functional_call(self._module.model, values, arguments)

    def same_function_as(self, other: "Objective") -> bool:
        """Whether both are the same function of weights and data, so that they may run as one."""
        return (
            self.layout == other.layout
            and self.loss == other.loss
            and self._structure == other._structure
        )

    def describe(self) -> dict[str, Any]:
        """What the loss and the model are, for the record."""
        name = getattr(self.loss, "__qualname__", None)
        return {
            "loss": name or repr(self.loss),
            "model": self._structure,
        }


class _LossModule(nn.Module):
    """The user's model and loss as one module, so that `functional_call` reaches all of it."""

    def __init__(self, model: nn.Module, loss: Loss | None) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.takes_model = loss is not None and _first_argument(loss) == "model"

    def forward(self, batch: Any) -> Tensor:
        if self.loss is None:
            return self.model().reshape(1)
        if self.takes_model:
            return self.loss(self.model, batch)
        inputs, targets = batch
        outputs = self.model(*inputs) if isinstance(inputs, tuple) else self.model(inputs)
        return self.loss(outputs, targets)


def _first_argument(loss: Loss) -> str:
    try:
        return next(iter(inspect.signature(loss).parameters), "")
    except (TypeError, ValueError):  # some built-ins have no signature: they take (output, targets)
        return ""


def check_is_repeatable(
    objective: Objective, w: Tensor, held: Mapping[str, Tensor], whole: Any, half: Any
) -> None:
    """Refuse a loss that is random, or in which a sample's loss depends on its batch.

    Args:
        objective: The loss.
        w: [param].
        held: The tensors that stay put.
        whole: A batch.
        half: The first half of its samples.

    Raises:
        LambdascopeError: with advice, if two evaluations differ (dropout, augmentation) or a
            sample's loss changes with its neighbours (batch norm in training mode).
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        first, second = (objective(w, dict(held), whole) for _ in range(2))
        part = objective(w, dict(held), half)
    tolerance = {"rtol": 1e-3, "atol": 1e-5, "equal_nan": True}
    if not torch.equal(torch.nan_to_num(first), torch.nan_to_num(second)) and not torch.allclose(
        first, second, rtol=1e-6, atol=1e-7, equal_nan=True
    ):
        raise LambdascopeError(
            "the loss at w* differs between two evaluations on the same data (dropout or other "
            "randomness in the model?), so L(w*) would be random; call model.eval() first."
        )
    if first.shape == part.shape:
        return
    if not torch.allclose(first[: len(part)], part, **tolerance):
        raise LambdascopeError(
            "a sample's loss depends on the other samples of its batch (batch norm in training "
            "mode?), so the mean loss is no sum over samples; call model.eval() first."
        )
