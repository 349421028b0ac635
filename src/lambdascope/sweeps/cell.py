"""A sweep's cell: one combination of settings, and what a system lets a file say of them."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lambdascope.config import Config

Configs = Mapping[str, Config]
"""Section → settings."""


def _nothing(_configs: Configs) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Vocabulary:
    """What a system lets a sweep's file say.

    Attributes:
        sections: The sections that the file may have, and the settings of each. Any field of any
            section can be an axis, written `section.field`.
        quantities: What is measured, as numbers.
        labels: What is measured, as names.
        idle: The settings `section.field` that change nothing with the others of a cell as they
            are, and why. They are refused as axes, and have no part in what a cell is.
    """

    sections: Mapping[str, type[Config]]
    quantities: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    idle: Callable[[Configs], Mapping[str, str]] = _nothing


@dataclass(frozen=True)
class Cell:
    """One combination.

    Attributes:
        number: Its place in the sweep, from 0.
        point: Axis → value: what tells it from the other cells.
        configs: Section → settings.
        idle: Settings `section.field` that change nothing in it.
    """

    number: int
    point: Mapping[str, Any]
    configs: Configs
    idle: Collection[str] = frozenset()

    @cached_property
    def key(self) -> str:
        """A hash of all settings that change something: with another of these it is another cell.

        Of what is idle the default stands in the hash, so that nothing is worked out again for it.
        """
        return self._hash(self.idle)

    @cached_property
    def former_key(self) -> str:
        """What its records were called before idle settings were left out: all settings, hashed."""
        return self._hash(())

    def _hash(self, idle: Collection[str]) -> str:
        plain = {name: one.model_dump(mode="json") for name, one in self.configs.items()}
        for name in idle:
            section, field = name.split(".")
            kind = type(self.configs[section])
            default = kind.model_fields[field].get_default(call_default_factory=True)
            plain[section][field] = default
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

    def value(self, axis: str) -> Any:
        """The cell's value on an axis `section.field`, as tables and figures show it.

        Lists become names, which a table can group by. An axis that only other cells name stands
        with the value that it has in this one, and with None where it changes nothing in it. Where
        that value is None, its section chooses, and it is called "default".
        """
        section, field = axis.split(".")
        if axis in self.idle and axis not in self.point:
            return None
        value = self.point.get(axis, getattr(self.configs[section], field))
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value))
        return "default" if value is None else value

    def __str__(self) -> str:
        if not self.point:
            return f"cell {self.number}"
        return f"cell {self.number} ({', '.join(f'{n}={v!r}' for n, v in self.point.items())})"
