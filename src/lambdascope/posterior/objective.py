"""The loss as a pure function of a flat weight vector: what every gradient is taken of."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from lambdascope.posterior.bytecode import text
from lambdascope.posterior.module_globals import globals_read
from lambdascope.posterior.parameters import ParameterLayout, skeleton
from lambdascope.posterior.traits import difference, digest, traits

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
        self._traits = {**traits(self._module.model, "model"), **traits(loss, "loss")}

    @property
    def takes_model(self) -> bool:
        """Whether the loss is of the form `loss(model, batch)`."""
        return self._module.takes_model

    def __call__(self, w: Tensor, held: Mapping[str, Tensor], batch: Any) -> Tensor:
        """Per-sample losses [batch] at sampled weights `w` [param], the other tensors in `held`."""
        return self.at({**self.layout.unravel(w), **held}, batch)

    def at(self, values: Mapping[str, Tensor], batch: Any) -> Tensor:
        """Per-sample losses [batch] where the model's tensors have these `values`, by name."""
        named = {f"model.{name}": value for name, value in values.items()}
        return functional_call(self._module, named, (batch,))

    def outputs(self, w: Tensor, held: Mapping[str, Tensor], inputs: Any) -> Any:
        """What the model makes of `inputs`, at sampled weights `w` [param]."""
        values = {**self.layout.unravel(w), **held}
        arguments = inputs if isinstance(inputs, tuple) else (inputs,)
        return functional_call(self._module.model, values, arguments)

    def difference(self, other: "Objective") -> str:
        """Where `other` is another function of weights and data; empty if both may run as one."""
        return difference(self._traits, other._traits)

    @functools.cached_property
    def digest(self) -> str:
        """A hash of what the model and the loss are, without the weights."""
        return digest(self._traits)

    def globals_read(self) -> dict[str, str]:
        """What the functions of model and loss read of their modules' globals, as it is now."""
        return globals_read(self._module.model, self.loss)

    def describe(self) -> dict[str, Any]:
        """What the loss and the model are, for the record."""
        return {
            "loss": _name(self.loss),
            "model": str(self._module.model),
            "model_and_loss_sha256": self.digest,
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
            return self.model()
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


def _name(loss: Loss | None) -> str:
    """The loss in words that are the same in every process."""
    return getattr(loss, "__qualname__", None) or text(loss)
