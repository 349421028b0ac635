"""A command's result as one JSON object."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any


def as_json(result: Any) -> str:
    """Any result of a command: a dataclass, field by field, in one line.

    Tables become lists of rows, paths text, and numbers that are not finite null, since JSON has
    none.
    """
    return json.dumps(_plain(result), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    import numpy
    import pandas

    if isinstance(value, pandas.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in _shown(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, numpy.ndarray | numpy.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence | Set):
        return [_plain(part) for part in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON yet")


def _shown(value: Any) -> list[dataclasses.Field]:
    return [field for field in dataclasses.fields(value) if not field.name.startswith("_")]
