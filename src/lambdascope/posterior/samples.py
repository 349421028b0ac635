"""The data of a posterior: tensors that are indexed together along their first dimension."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from lambdascope.errors import LambdascopeError

# How many items of an indexable data set are fetched twice, to see that indexing is repeatable.
_PROBED_ITEMS = 8


@dataclass(frozen=True)
class SampleSet:
    """`num_samples` samples as tensors, and how a minibatch of them is handed to the loss.

    Attributes:
        tensors: Each [sample, ...]; empty for a potential without data.
        rebuild: From minibatch tensors, in the order of `tensors`, to the user's own structure.
    """

    tensors: tuple[Tensor, ...]
    rebuild: Callable[[Sequence[Tensor]], Any]

    @property
    def num_samples(self) -> int:
        """n, the number of samples; 0 for a potential without data."""
        return self.tensors[0].shape[0] if self.tensors else 0

    def batch(self, tensors: Sequence[Tensor] | None = None) -> Any:
        """The given minibatch tensors (default: all samples) in the user's structure."""
        return self.rebuild(self.tensors if tensors is None else tensors)


def sample_set(data: Any) -> SampleSet:
    """Read the user's data.

    Args:
        data: None; tensors nested in tuples, lists and dicts, each [sample, ...]; or anything with
            `__len__` and `__getitem__` whose items `torch.utils.data.default_collate` accepts (it
            is read into memory once).

    Raises:
        LambdascopeError: if the lengths differ, there is no sample, or an item changes from one
            look to the next (random augmentation).
    """
    if data is None:
        return SampleSet((), lambda _: None)
    if not isinstance(data, Tensor | tuple | list | Mapping):
        data = _collate(data)
    tensors: list[Tensor] = []
    rebuild = _flatten(data, tensors)
    lengths = {tensor.shape[0] if tensor.ndim else None for tensor in tensors}
    if len(lengths) != 1 or None in lengths:
        raise LambdascopeError(
            f"data has tensors of shapes {[list(tensor.shape) for tensor in tensors]}; "
            "tensors with the same first dimension, one entry a sample, are accepted."
        )
    if lengths == {0}:
        raise LambdascopeError("data holds 0 samples; at least 1 is needed.")
    return SampleSet(tuple(tensors), rebuild)


def _flatten(data: Any, tensors: list[Tensor]) -> Callable[[Sequence[Tensor]], Any]:
    """Append the tensors in `data` to `tensors`; return the way back."""
    if isinstance(data, Tensor):
        position = len(tensors)
        tensors.append(data.detach())
        return lambda values: values[position]
    if isinstance(data, tuple | list):
        parts = [_flatten(part, tensors) for part in data]
        return lambda values: tuple(part(values) for part in parts)
    if isinstance(data, Mapping):
        named = {name: _flatten(part, tensors) for name, part in data.items()}
        return lambda values: {name: part(values) for name, part in named.items()}
    raise LambdascopeError(
        f"data contains a {type(data).__name__}; tensors nested in tuples, lists and dicts are "
        "accepted, or a data set with __len__ and __getitem__."
    )


def _collate(data: Any) -> Any:
    """All items of an indexable data set, stacked."""
    try:
        length = len(data)
        items = [data[index] for index in range(length)]
    except TypeError as error:
        raise LambdascopeError(
            f"data is a {type(data).__name__}; tensors, or a data set with __len__ and "
            "__getitem__, are accepted."
        ) from error
    if not items:
        raise LambdascopeError("data holds 0 samples; at least 1 is needed.")
    probe = range(min(length, _PROBED_ITEMS))
    first = _leaves(default_collate([items[index] for index in probe]))
    second = _leaves(default_collate([data[index] for index in probe]))
    if not all(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
        raise LambdascopeError(
            "data gives different values when an item is read twice (random augmentation?), so "
            "L(w*) would be random; switch the augmentation off or pass fixed tensors."
        )
    return default_collate(items)


def _leaves(data: Any) -> list[Tensor]:
    tensors: list[Tensor] = []
    _flatten(data, tensors)
    return tensors
