"""The globals that functions read: part of what they are, though not of their code."""

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor, nn

from lambdascope.posterior.bytecode import globals_of, names_in
from lambdascope.posterior.origin import Origin, origin
from lambdascope.posterior.traits import CONTAINERS, PLAIN, Walk, digest, home

# Entries by which one global is described.
_MOST_ENTRIES = 200
# What is taken whole, whichever package its class is from.
_WHOLE = (*PLAIN, *CONTAINERS, np.ndarray, Tensor, nn.Module)


def globals_read(*things: Any) -> dict[str, str]:
    """What the functions in `things` read of their modules' globals, by `module.name`, as traits.

    Functions found there are followed in turn; modules, and objects of installed packages, as far
    as a function names their attributes. Names that a function assigns to are its own state, and
    left out. What has many entries enters by a hash over them; a list or dict by its kind alone,
    since it holds data, or is a cache that fills up, and no settings.
    """
    walk = Walk()
    for position, thing in enumerate(things):
        walk.collect(thing, str(position))
    found: dict[str, str] = {}
    for function in walk.functions:  # which grows meanwhile
        if origin(home(function)) is not Origin.USER:
            continue
        for path, value in _named(function):
            if path not in found:
                walk.found = {}
                walk.collect(value, path)
                found |= (
                    walk.found if len(walk.found) <= _MOST_ENTRIES else _brief(path, value, walk)
                )
    return found


def _named(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that `function` reads, by `module.name`."""
    names = names_in(function.__code__)
    for name in globals_of(function.__code__):
        if name in function.__globals__:
            yield from _as_named(f"{home(function)}.{name}", function.__globals__[name], names)


def _as_named(path: str, value: Any, names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """`value`, or of a module and an object of a package what a function names of it."""
    if isinstance(value, types.ModuleType):
        if origin(value.__name__) is Origin.USER:
            for name in sorted(names & set(vars(value))):
                inner = f"{value.__name__}.{name}"
                yield from _as_named(inner, vars(value)[name], names - {name})
    elif origin(type(value).__module__) is Origin.PACKAGE and not isinstance(value, _WHOLE):
        for name in sorted(names & set(getattr(value, "__dict__", {}))):
            yield f"{path}.{name}", vars(value)[name]
    else:
        yield path, value


def _brief(path: str, value: Any, walk: Walk) -> dict[str, str]:
    """One trait for all that a walk found of `value` at `path`."""
    content = "" if isinstance(value, CONTAINERS) else f" {digest(walk.found)[:16]}"
    return {path: walk.found[path] + content}
