"""What a function of weights and data consists of besides them, so that two can be told apart.

A model is more than its weights: exponents kept as plain attributes, train or eval mode, the loss.
Two posteriors run as one batch, and a trace is resumed, only if all of that agrees.
"""

import functools
import hashlib
import types
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Deeper than any settings go; stops at structures that hold half the world.
_DEEPEST = 24
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Enum, torch.dtype, torch.device)
# Their code is told apart by the version that is installed.
_FOREIGN = frozenset({"torch", "builtins", "abc", "typing", "dataclasses"})
_MODULE_INTERNALS = frozenset(vars(nn.Module()))


def traits(thing: Any, path: str) -> dict[str, str]:
    """What tells `thing` apart, by path: the same in every process that makes the same thing.

    Plain values stand for themselves, tensors enter by their hash (those without data by their
    shape), functions by their code and what they close over, other objects by their class and
    their attributes; of modules and of objects that are called, the code of their class's own
    functions enters too, as far as it is not PyTorch's.
    """
    found: dict[str, str] = {}
    _collect(thing, path, found, {}, 0)
    return found


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


# By id, where a thing was met first, and the thing, whose id must stay its own meanwhile.
_Seen = dict[int, tuple[str, Any]]


def _collect(thing: Any, path: str, found: dict[str, str], seen: _Seen, depth: int) -> None:
    if isinstance(thing, _PLAIN):
        found[path] = repr(thing)
        return
    if id(thing) in seen:
        found[path] = f"the same as {seen[id(thing)][0]}"
        return
    if not isinstance(thing, tuple):  # whether equal tuples are one object is Python's affair
        seen[id(thing)] = (path, thing)
    kind = type(thing)
    found[path] = f"{kind.__module__}.{kind.__qualname__}"
    if depth > _DEEPEST:
        return
    for name, part in _parts(thing, path, found).items():
        _collect(part, f"{path}.{name}", found, seen, depth + 1)


def _parts(thing: Any, path: str, found: dict[str, str]) -> dict[str, Any]:
    """The parts of `thing` by name; its own trait is completed at `path`."""
    if isinstance(thing, Tensor | np.ndarray):
        found[path] += f" {thing.dtype}{list(thing.shape)}{_content(thing)}"
        return {}
    if isinstance(thing, types.FunctionType):
        found[path] = f"{thing.__module__}.{thing.__qualname__} {_code(thing.__code__)}"
        cells = [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
        return {
            "defaults": thing.__defaults__,
            "kwdefaults": thing.__kwdefaults__,
            **dict(zip(thing.__code__.co_freevars, cells, strict=False)),
        }
    if isinstance(thing, types.MethodType):
        return {"function": thing.__func__, "self": thing.__self__}
    if isinstance(thing, type | types.BuiltinFunctionType | types.ModuleType):
        found[path] = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', thing)}"
        return {}
    if isinstance(thing, functools.partial):
        return {"function": thing.func, "args": thing.args, "keywords": thing.keywords}
    if isinstance(thing, Mapping):
        return {repr(name): part for name, part in thing.items()}
    if isinstance(thing, tuple | list):
        return {str(position): part for position, part in enumerate(thing)}
    if isinstance(thing, set | frozenset):
        found[path] += _set(thing)
        return {}
    if isinstance(thing, nn.Module):
        return {**_module_parts(thing), **_class_functions(type(thing))}
    own = _class_functions(type(thing)) if callable(thing) else {}
    return {**getattr(thing, "__dict__", {}), **own}


def _class_functions(kind: type) -> dict[str, Any]:
    """The functions of a class and its bases by name, without those of PyTorch and Python."""
    functions: dict[str, Any] = {}
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in _FOREIGN:
            continue
        for name, value in vars(base).items():
            inner = value.fget if isinstance(value, property) else value
            inner = getattr(inner, "__func__", inner)  # of class and static methods
            if isinstance(inner, types.FunctionType):
                functions[f"{base.__qualname__}.{name}()"] = inner
    return functions


def _module_parts(module: nn.Module) -> dict[str, Any]:
    """A module's attributes; of hooks the functions, since their keys count calls."""
    parts: dict[str, Any] = {**module._parameters, **module._buffers, **module._modules}
    for name, value in vars(module).items():
        if name in ("_parameters", "_buffers", "_modules"):
            continue
        if name not in _MODULE_INTERNALS or name == "training":
            parts[name] = value
        elif isinstance(value, Mapping) and value:
            parts[name] = list(value.values())
    return parts


def _content(thing: Tensor | np.ndarray) -> str:
    if isinstance(thing, np.ndarray):
        return f" {hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()[:16]}"
    if thing.is_meta:
        return f" requires_grad={thing.requires_grad}"
    return f" {tensor_digest([thing])[:16]}"


def _code(code: types.CodeType) -> str:
    """Hash of what a function does, without where it stands in its file."""
    constants = [_constant(value) for value in code.co_consts]
    text = f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return _code(value)
    return _set(value) if isinstance(value, frozenset) else repr(value)


def _set(values: Any) -> str:
    """In an order that does not change from process to process."""
    return f" {sorted(map(repr, values))}"


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
