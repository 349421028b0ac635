"""What a function of weights and data consists of besides them, so that two can be told apart.

A model is more than its weights: exponents kept as plain attributes, train or eval mode, the loss,
and the globals that functions read. Two posteriors run as one batch, and a trace is resumed, only
if all of that agrees.
"""

import collections
import functools
import hashlib
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lambdascope.posterior.bytecode import code_digest, text, unordered
from lambdascope.posterior.origin import Origin, origin

# Deeper than any settings go; stops at structures that hold half the world.
_DEEPEST = 24
PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, range, slice, np.generic, Enum),
    *(Fraction, Decimal, PurePath, re.Pattern, torch.dtype, torch.device),
)
# Immutable, and so no cache that fills up while chains run.
_CONSTANT = (*PLAIN, tuple, frozenset)
# Of Python's own classes, those that hold a user's settings; others (loggers, locks, files) hold
# the machinery of the process.
_NAMESPACES = ("types.SimpleNamespace", "argparse.Namespace")
_CACHED = type(functools.lru_cache(lambda: None))
CONTAINERS = (Mapping, tuple, list, set, frozenset, collections.deque)
_MODULE_INTERNALS = frozenset(vars(nn.Module()))


def traits(thing: Any, path: str) -> dict[str, str]:
    """What tells `thing` apart, by path: the same in every process that makes the same thing.

    Plain values stand for themselves, tensors enter by their hash (those without data by their
    shape), functions by their code and what they close over, other objects by their class and
    their attributes, classes by their functions and constants. The code of Python's and PyTorch's
    functions does not enter: the versions tell it apart.
    """
    walk = Walk()
    walk.collect(thing, path)
    return walk.found


def digest(found: Mapping[str, str]) -> str:
    """SHA-256 over traits."""
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The first of the traits that differ, as `path: old → new`; empty if none does."""
    for path in [*old, *(path for path in new if path not in old)]:
        before, after = old.get(path, "nothing"), new.get(path, "nothing")
        if before != after:
            return f"{path}: {before[:60]} → {after[:60]}"
    return ""


@dataclass
class Walk:
    """Through things and their parts.

    Attributes:
        found: Traits by path.
        functions: All functions that were met.
        seen: By id, where a thing was met first, and the thing, whose id must stay its own
            meanwhile.
    """

    found: dict[str, str] = field(default_factory=dict)
    functions: list[types.FunctionType] = field(default_factory=list)
    seen: dict[int, tuple[str, Any]] = field(default_factory=dict)

    def collect(self, thing: Any, path: str, depth: int = 0) -> None:
        """The traits of `thing` and of its parts."""
        if isinstance(thing, PLAIN):
            self.found[path] = text(thing)
            return
        if id(thing) in self.seen:
            self.found[path] = f"the same as {self.seen[id(thing)][0]}"
            return
        if not isinstance(thing, tuple):  # whether equal tuples are one object is Python's affair
            self.seen[id(thing)] = (path, thing)
        if isinstance(thing, types.FunctionType):
            self.functions.append(thing)
        self.found[path], parts = _described(thing)
        if depth < _DEEPEST:
            for name, part in parts.items():
                self.collect(part, f"{path}.{name}", depth + 1)


def _described(thing: Any) -> tuple[str, dict[str, Any]]:
    """What `thing` is in itself, and its parts by name."""
    kind = type(thing)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(thing, Tensor):
        return f"{name} {_tensor(thing)}", {}
    if isinstance(thing, np.ndarray) and thing.dtype.hasobject:
        return f"{name} {thing.dtype}{list(thing.shape)}", {"values": thing.tolist()}
    if isinstance(thing, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()[:16]
        return f"{name} {thing.dtype}{list(thing.shape)} {content}", {}
    if isinstance(thing, types.FunctionType):
        return _function(thing)
    if isinstance(thing, types.MethodType):
        return name, {"function": thing.__func__, "self": thing.__self__}
    if isinstance(thing, type):
        own = _class_parts(thing) if origin(thing.__module__) is Origin.USER else {}
        return f"{thing.__module__}.{thing.__qualname__}", own
    if isinstance(thing, types.BuiltinFunctionType | types.ModuleType):
        parent = getattr(thing, "__module__", "")
        return f"{parent}.{getattr(thing, '__qualname__', thing.__name__)}", {}
    if isinstance(thing, functools.partial):
        return name, {"function": thing.func, "args": thing.args, "keywords": thing.keywords}
    if isinstance(thing, Mapping):
        return name, {text(key): part for key, part in thing.items()}
    if isinstance(thing, tuple | list | collections.deque):
        return name, {str(position): part for position, part in enumerate(thing)}
    if isinstance(thing, set | frozenset):
        return name + unordered(thing), {}
    if isinstance(thing, nn.Module):
        return name, {**_module_parts(thing), **_class_parts(kind)}
    if isinstance(thing, _CACHED):
        return name, {"wrapped": thing.__wrapped__}
    return name, _object_parts(thing, name)


def _function(thing: types.FunctionType) -> tuple[str, dict[str, Any]]:
    name = f"{thing.__module__}.{thing.__qualname__}"
    by_version = origin(home(thing)) in (Origin.PYTHON, Origin.TORCH)
    code = "" if by_version else f" {code_digest(thing.__code__)}"
    cells = [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
    return name + code, {
        "defaults": thing.__defaults__,
        "kwdefaults": thing.__kwdefaults__,
        **dict(zip(thing.__code__.co_freevars, cells, strict=False)),
    }


def _object_parts(thing: Any, name: str) -> dict[str, Any]:
    """Attributes; with the functions of its class, as far as they may be the user's."""
    kind, whose = type(thing), origin(type(thing).__module__)
    if whose is Origin.PYTHON and name not in _NAMESPACES:
        return {}
    slots = [slot for base in kind.__mro__ for slot in _slots(base) if hasattr(thing, slot)]
    own = {**{slot: getattr(thing, slot) for slot in slots}, **_attributes(thing)}
    if callable(thing) or whose in (Origin.USER, Origin.LAMBDASCOPE):
        own |= _class_parts(kind)
    return own


def _attributes(thing: Any) -> dict[str, Any]:
    """What is kept in an object, without what it has worked out from that and remembers."""
    found: dict[str, Any] = getattr(thing, "__dict__", {})
    remembered = {
        name
        for base in type(thing).__mro__
        for name, value in vars(base).items()
        if isinstance(value, functools.cached_property)
    }
    return {name: value for name, value in found.items() if name not in remembered}


def _slots(kind: type) -> tuple[str, ...]:
    found = vars(kind).get("__slots__", ())
    names = (found,) if isinstance(found, str) else tuple(found)
    return tuple(name for name in names if not name.startswith("__"))


def _class_parts(kind: type) -> dict[str, Any]:
    """Functions and constants of a class and its bases, without those of PyTorch and Python."""
    parts: dict[str, Any] = {}
    for base in kind.__mro__:
        if origin(base.__module__) in (Origin.PYTHON, Origin.TORCH):
            continue
        for name, value in vars(base).items():
            inner = value.fget if isinstance(value, property) else value
            inner = getattr(inner, "__func__", inner)  # of class and static methods
            inner = inner.func if isinstance(inner, functools.cached_property) else inner
            inner = inner.__wrapped__ if isinstance(inner, _CACHED) else inner
            if isinstance(inner, types.FunctionType):
                parts[f"{base.__qualname__}.{name}()"] = inner
            elif isinstance(inner, _CONSTANT) and not name.startswith("__"):
                parts[f"{base.__qualname__}.{name}"] = inner
    return parts


def _module_parts(module: nn.Module) -> dict[str, Any]:
    """A module's attributes; of hooks the functions, since their keys count calls."""
    parts: dict[str, Any] = {**module._parameters, **module._buffers, **module._modules}
    for name, value in _attributes(module).items():
        if name in ("_parameters", "_buffers", "_modules"):
            continue
        if name not in _MODULE_INTERNALS or name == "training":
            parts[name] = value
        elif isinstance(value, Mapping) and value:
            parts[name] = list(value.values())
    return parts


def home(function: types.FunctionType) -> str:
    """Name of the module that a function looks its globals up in."""
    return str(function.__globals__.get("__name__"))


def _tensor(thing: Tensor) -> str:
    """Type, shape and hash.

    Nothing of what escaped from within torch.func, which can't be asked any more; no hash of what
    is sparse or otherwise unusual.
    """
    if torch._C._functorch.is_functorch_wrapped_tensor(thing):
        return ""
    shape = f"{thing.dtype}{list(thing.shape)}"
    if thing.is_meta:
        return f"{shape} requires_grad={thing.requires_grad}"
    try:
        return f"{shape} {tensor_digest([thing])[:16]}"
    except (RuntimeError, TypeError):
        return shape


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (reading an empty cell raises)
    except ValueError:
        return False
    return True


def tensor_digest(tensors: Any) -> str:
    """SHA-256 over shapes, types and bytes of tensors, in their order."""
    running = hashlib.sha256()
    for tensor in tensors:
        running.update(f"{tensor.dtype}{list(tensor.shape)}".encode())
        contiguous = tensor.detach().cpu().contiguous()
        running.update(contiguous.reshape(-1).view(torch.uint8).numpy().tobytes())
    return running.hexdigest()
