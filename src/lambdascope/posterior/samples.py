"""The data of a posterior: tensors that are indexed together along their first dimension."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from lambdascope.errors import LambdascopeError

# How many items of an indexable data set are fetched twice, to see that indexing is repeatable.
# Each item that is flipped by chance betrays itself with probability 1/2.
_PROBED_ITEMS = 64

# The user's structure without the tensors: None for a tensor, else a tuple or a dict of structures.
Structure = Any


@dataclass(frozen=True)
class SampleSet:
    """`num_samples` samples as tensors, and how a minibatch of them is handed to the loss.

    Attributes:
        tensors: Each [sample, ...]; empty for a potential without data.
        rebuild: From minibatch tensors, in the order of `tensors`, to the user's own structure.
        structure: That structure: None for a tensor, else a tuple or a dict of structures.
    """

    tensors: tuple[Tensor, ...]
    rebuild: Callable[[Sequence[Tensor]], Any]
    structure: Structure = None

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
    rebuild, structure = _flatten(data, tensors)
    lengths = {tensor.shape[0] if tensor.ndim else None for tensor in tensors}
    if len(lengths) != 1 or None in lengths:
        raise LambdascopeError(
            f"data has tensors of shapes {[list(tensor.shape) for tensor in tensors]}; "
            "tensors with the same first dimension, one entry a sample, are accepted."
        )
    if lengths == {0}:
        raise LambdascopeError("data holds 0 samples; at least 1 is needed.")
    return SampleSet(tuple(tensors), rebuild, structure)


def _flatten(
    data: Any, tensors: list[Tensor]
) -> tuple[Callable[[Sequence[Tensor]], Any], Structure]:
    """Append the tensors in `data` to `tensors`; return the way back, and the structure."""
    if isinstance(data, Tensor):
        if data.layout != torch.strided or data.is_meta:
            raise LambdascopeError(
                f"data holds a tensor of layout {data.layout} on {data.device}; dense tensors that "
                "hold values are accepted (to_dense() makes them)."
            )
        position = len(tensors)
        tensors.append(data.detach())
        return lambda values: values[position], None
    if isinstance(data, tuple | list):
        parts = [_flatten(part, tensors) for part in data]
        structure = tuple(below for _, below in parts)
        return lambda values: tuple(back(values) for back, _ in parts), structure
    if isinstance(data, Mapping):
        # In an order of our own: that of the user's dict may differ between checkpoints.
        names = sorted(data, key=repr)
        named = {name: _flatten(data[name], tensors) for name in names}
        return (
            lambda values: {name: back(values) for name, (back, _) in named.items()},
            {name: below for name, (_, below) in named.items()},
        )
    raise LambdascopeError(
        f"data contains a {type(data).__name__}; tensors nested in tuples, lists and dicts are "
        "accepted, or a data set with __len__ and __getitem__."
    )


def _collate(data: Any) -> Any:
    """All items of an indexable data set, stacked."""
    if isinstance(data, DataLoader):
        raise LambdascopeError(
            "data is a DataLoader, which hands out batches; minibatches are drawn here, so its "
            "data set is needed: data=loader.dataset."
        )
    try:
        with torch.random.fork_rng(devices=[]):  # an augmentation draws random numbers
            length = len(data)
            items = [data[index] for index in range(length)]
            again = [data[index] for index in range(min(length, _PROBED_ITEMS))]
        if not items:
            raise LambdascopeError("data holds 0 samples; at least 1 is needed.")
        whole = default_collate(items)
        first, second = (
            _leaves(default_collate(items[: len(again)])),
            _leaves(default_collate(again)),
        )
    except LambdascopeError:
        raise
    except Exception as error:
        raise LambdascopeError(
            f"data is a {type(data).__name__} whose items can't be read into tensors ({error!r}); "
            "tensors, or a data set with __len__ and __getitem__ that gives tensors of one shape, "
            "are accepted."
        ) from error
    if not all(
        a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
        for a, b in zip(first, second, strict=True)
    ):
        raise LambdascopeError(
            "data gives different values when an item is read twice (random augmentation?), so "
            "L(w*) would be random; switch the augmentation off or pass fixed tensors."
        )
    return whole


def _leaves(data: Any) -> list[Tensor]:
    tensors: list[Tensor] = []
    _flatten(data, tensors)
    return tensors
