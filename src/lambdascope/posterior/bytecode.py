"""What a function's compiled code says of it."""

import dis
import functools
import hashlib
import re
import types
from collections.abc import Iterator
from typing import Any


@functools.lru_cache(maxsize=4096)
def code_digest(code: types.CodeType) -> str:
    """Hash of what a function does, without where it stands in its file."""
    constants = [_constant(value) for value in code.co_consts]
    text = f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def globals_of(code: types.CodeType) -> list[str]:
    """Names of the globals that a function and those within it read, and none of them assigns."""
    read, assigned = set(), set()
    for inner in _with_inner(code):
        for instruction in dis.get_instructions(inner):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read.add(str(instruction.argval))
            elif instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                assigned.add(str(instruction.argval))
    return sorted(read - assigned)


def names_in(code: types.CodeType) -> frozenset[str]:
    """All names that a function and those within it use for globals and attributes."""
    return frozenset(name for inner in _with_inner(code) for name in inner.co_names)


def text(value: Any) -> str:
    """A value as Python writes it, the same in every process: without addresses."""
    try:
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return hex(value) if isinstance(value, int) else type(value).__qualname__


def unordered(values: Any) -> str:
    """A set in an order that does not change from process to process."""
    return f" {sorted(map(text, values))}"


def _with_inner(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _with_inner(value)


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return code_digest(value)
    return unordered(value) if isinstance(value, frozenset) else text(value)
