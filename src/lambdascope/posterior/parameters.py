"""Between a module's named tensors and the flat vector that the samplers see."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lambdascope.errors import LambdascopeError


@dataclass(frozen=True)
class ParameterLayout:
    """Where each named tensor lies in a flat vector.

    Attributes:
        names: Parameter names in order, as in `module.named_parameters()`.
        shapes: Their shapes.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "ParameterLayout":
        """The layout of `tensors`, in their order."""
        return cls(tuple(tensors), tuple(tensor.shape for tensor in tensors.values()))

    @property
    def sizes(self) -> list[int]:
        """Number of elements of each tensor."""
        return [shape.numel() for shape in self.shapes]

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(self.sizes)

    def ravel(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """A fresh flat vector [param] holding `tensors`, which must have this layout."""
        return torch.cat([tensors[name].detach().reshape(-1) for name in self.names])

    def unravel(self, w: Tensor) -> dict[str, Tensor]:
        """Views into `w` [..., param] by name, each [..., *shape]."""
        pieces = w.split(self.sizes, dim=-1)
        return {
            name: piece.reshape((*w.shape[:-1], *shape))
            for name, piece, shape in zip(self.names, pieces, self.shapes, strict=True)
        }


def check_values(module: nn.Module) -> None:
    """Refuse a module whose tensors hold nothing yet.

    Raises:
        LambdascopeError: for a lazy module that was not called yet, or one on the meta device.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor) or tensor.is_meta:
            raise LambdascopeError(
                f"{name} holds no values yet (a lazy module, or one on the meta device); call the "
                "model on a batch, or load its weights, first."
            )


def skeleton(module: nn.Module) -> nn.Module:
    """A copy of `module` whose parameters and buffers hold no data.

    It carries the structure (and train/eval mode) only: values are supplied at each call, so many
    checkpoints share one skeleton and the user's module is never touched.
    """
    memo: dict[int, object] = {}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(
            torch.empty_like(parameter, device="meta"), requires_grad=False
        )
    for buffer in module.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise LambdascopeError(
            f"the model {type(module).__name__} can't be copied ({error}); "
            "a module that copy.deepcopy accepts is needed."
        ) from error
