"""Where the chain may move: some parameters, some elements, or across the gradient only.

A restriction is a plain description; `LocalPosterior` turns it into a mask and a normal.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError, shown
from lambdascope.posterior.parameters import ParameterLayout


class Restriction(ABC):
    """A limit on the weights that a chain explores around w*."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The restriction as JSON-able settings, for the record of how a trace was made."""


@dataclass(frozen=True, init=False)
class Parameters(Restriction):
    """Only the parameters whose name matches one of the patterns move; the rest stay at w*.

    Attributes:
        patterns: Shell patterns on the names of `module.named_parameters()` (`embedding*`), or a
            module's name, which stands for all that it holds (`embedding`).
    """

    patterns: tuple[str, ...]

    def __init__(self, *patterns: str) -> None:
        if not patterns:
            raise LambdascopeError("Parameters() got no pattern; at least one is needed.")
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise LambdascopeError(
                    f"Parameters({shown(pattern)}): patterns such as 'embedding*' are accepted, "
                    "each an argument of its own."
                )
        object.__setattr__(self, "patterns", patterns)

    def select(self, names: Sequence[str]) -> list[str]:
        """The names that match, in their order.

        Raises:
            LambdascopeError: if a pattern matches none of `names`.
        """
        for pattern in self.patterns:
            if not any(self._matches(name, pattern) for name in names):
                raise LambdascopeError(
                    f"parameter pattern {pattern!r} matches nothing; the model's trainable "
                    f"parameters are {', '.join(names)}."
                )
        return [n for n in names if any(self._matches(n, pattern) for pattern in self.patterns)]

    def describe(self) -> dict[str, Any]:
        """Kind and patterns."""
        return {"kind": "parameters", "patterns": list(self.patterns)}

    @staticmethod
    def _matches(name: str, pattern: str) -> bool:
        return fnmatchcase(name, pattern) or name.startswith(pattern + ".")


@dataclass(frozen=True, eq=False)
class ElementMask(Restriction):
    """Only elements where the mask is true move.

    Attributes:
        masks: By parameter name, boolean tensors of the parameter's shape. A parameter without a
            mask stays at w* altogether.
    """

    masks: Mapping[str, Tensor] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.masks, Mapping):
            raise LambdascopeError(
                f"ElementMask got a {type(self.masks).__name__}; a dict from parameter names to "
                "boolean tensors is accepted."
            )
        for name, mask in self.masks.items():
            if not isinstance(name, str):
                raise LambdascopeError(
                    f"element mask for {shown(name)}: the name of a parameter is accepted."
                )
            if not isinstance(mask, Tensor):
                raise LambdascopeError(
                    f"element mask for {name} is a {type(mask).__name__}; a boolean tensor is "
                    "accepted."
                )

    def flat(self, layout: ParameterLayout) -> Tensor:
        """The mask over the flat vector, [param], boolean.

        Raises:
            LambdascopeError: for an unknown name, a wrong shape or type, or an empty mask.
        """
        unknown = set(self.masks) - set(layout.names)
        if unknown:
            raise LambdascopeError(
                f"element mask for {', '.join(sorted(unknown))}: the parameters that may move are "
                f"{', '.join(layout.names)}."
            )
        pieces = []
        for name, shape in zip(layout.names, layout.shapes, strict=True):
            mask = self.masks.get(name, torch.zeros(shape, dtype=torch.bool))
            if mask.dtype != torch.bool or mask.shape != shape:
                raise LambdascopeError(
                    f"element mask for {name} is {mask.dtype} of shape {list(mask.shape)}; a "
                    f"boolean tensor of shape {list(shape)} is accepted."
                )
            pieces.append(mask.reshape(-1).cpu())
        flat = torch.cat(pieces)
        if not flat.any():
            raise LambdascopeError("the element mask is false everywhere; nothing could move.")
        return flat

    def describe(self) -> dict[str, Any]:
        """Kind and the number of free elements by parameter (the mask itself enters the hash)."""
        free = {name: int(mask.sum()) for name, mask in self.masks.items()}
        return {"kind": "element_mask", "free_elements": free}


@dataclass(frozen=True)
class OrthogonalToGradient(Restriction):
    """The chain stays in the hyperplane through w* that is orthogonal to ∇L_n(w*).

    For checkpoints that are not at a minimum: along the gradient the loss would fall without
    bound, which says nothing of degeneracy. With other restrictions, the gradient is the one
    within the elements that may move. Source: the older code (its `restrict_to_orth_grad`).
    """

    def describe(self) -> dict[str, Any]:
        """Kind only."""
        return {"kind": "orthogonal_to_gradient"}


def as_list(restriction: Restriction | Sequence[Restriction] | None) -> list[Restriction]:
    """The user's restriction as a list.

    Raises:
        LambdascopeError: for anything that is no restriction, or two of one kind.
    """
    if restriction is None:
        return []
    many: list[Any]
    many = list(restriction) if isinstance(restriction, list | tuple) else [restriction]
    for one in many:
        if not isinstance(one, Restriction):
            raise LambdascopeError(
                f"restriction={shown(one)}: Parameters(...), ElementMask(...), "
                "OrthogonalToGradient() or a list of these is accepted."
            )
    if len({type(one) for one in many}) < len(many):
        raise LambdascopeError(
            "restriction holds two of one kind; one of each is accepted (Parameters takes several "
            "patterns)."
        )
    return many
