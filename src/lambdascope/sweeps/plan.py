"""A sweep's file as cells: every combination of its axes, checked before anything runs.

    system = "modular_addition"  whose sections these are; this one may be left out
    [train]                      settings that all cells share, by section
    p = 53
    [measure]
    llc = "final"
    [grid]                       every combination
    train.p = [23, 29]
    train.seed = "0..4"
    [zip]                        side by side: the first with the first, and so on
    train.embed_dim = [8, 16]
    train.hidden_size = [32, 64]
    [[list]]                     one by one, each with the settings that it names
    train.task = "random"
    [[figures]]
    x = "train.p"

Cells are the product of the three.
"""

import difflib
import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdascope.config import Config
from lambdascope.errors import LambdascopeError
from lambdascope.sweeps.cell import Cell, Vocabulary
from lambdascope.sweeps.figures import FigureWish, check_values, read_wish
from lambdascope.sweeps.ranges import MOST, expand_range

_PARTS = ("grid", "zip", "list", "figures")


@dataclass(frozen=True)
class SweepPlan:
    """What a file asks for.

    Attributes:
        path: The file.
        system: What its cells are runs of.
        axes: Names of what varies, in the order of the file.
        cells: All combinations.
        figures: The figures wanted.
        text: Of the file as it was read: it may be edited while its cells are worked on.
    """

    path: Path
    system: str
    axes: tuple[str, ...]
    cells: tuple[Cell, ...]
    figures: tuple[FigureWish, ...]
    text: str


def read_plan(path: Path, systems: Mapping[str, Vocabulary]) -> SweepPlan:
    """Read a sweep's file and make its cells.

    Args:
        path: A TOML file.
        systems: By name; the first is meant where the file names none.

    Raises:
        LambdascopeError: The file can't be read; it names a system, section or setting that does
            not exist (said with the nearest that does), an axis twice or without values, zipped
            axes of different lengths; a cell's settings are refused (said with cell and field); an
            axis changes nothing in a cell; two cells are the same; a figure asks for what there is
            not.
    """
    text, document = _document(path)
    system = document.pop("system", next(iter(systems)))
    if not isinstance(system, str) or system not in systems:
        raise LambdascopeError(f"{path}: system={system!r}: {', '.join(systems)} are accepted")
    vocabulary = systems[system]
    sections = vocabulary.sections
    _known("section", document, [*sections, *_PARTS], path)
    base = {name: _table(document.get(name, {}), name, path) for name in sections}
    for name, settings in base.items():
        _known("setting", settings, sections[name].model_fields, path, prefix=f"{name}.")
    rows = _rows(document, sections, path)
    axes = tuple(dict.fromkeys(axis for row in rows for axis in row))
    cells = tuple(_cell(number, row, base, vocabulary, path) for number, row in enumerate(rows))
    seen: dict[str, Cell] = {}
    for cell in cells:
        if (same := seen.setdefault(cell.key, cell)) is not cell:
            raise LambdascopeError(
                f"{path}: {cell} has the settings of {same}: each combination is accepted once"
            )
    quantities, labels = vocabulary.quantities, vocabulary.labels
    figures = _list(document, "figures", path)
    try:
        wishes = [read_wish(one, axes, quantities, labels) for one in figures]
        values = {axis: [cell.value(axis) for cell in cells] for axis in axes}
        for wish in wishes:
            check_values(wish, values, labels)
    except LambdascopeError as error:
        raise LambdascopeError(f"{path}: {error}") from None
    files = [wish.file_name for wish in wishes]
    if twice := sorted({name for name in files if files.count(name) > 1}):
        raise LambdascopeError(
            f"{path}: two figures would be {twice[0]}: give one of them a name of its own"
        )
    return SweepPlan(path, system, axes, cells, tuple(wishes), text)


def _document(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise LambdascopeError(
            f"{path} can't be read ({error.strerror or error}): give a sweep's TOML file"
        ) from error
    except ValueError as error:
        raise LambdascopeError(f"{path} is no TOML file ({error}): mend that place") from error


def _rows(
    document: Mapping[str, Any], sections: Mapping[str, type[Config]], path: Path
) -> list[dict[str, Any]]:
    """Axis → value of each cell."""
    grid = _axes(document.get("grid", {}), "grid", sections, path)
    zipped = _axes(document.get("zip", {}), "zip", sections, path)
    listed = [
        _flat(_table(one, "list", path), "list", sections, path)
        for one in _list(document, "list", path)
    ]
    named = [*grid, *zipped, *dict.fromkeys(axis for one in listed for axis in one)]
    if twice := {name for name in named if named.count(name) > 1}:
        raise LambdascopeError(
            f"{path}: {sorted(twice)[0]} stands in two of grid, zip and list: give it once"
        )
    lengths = {name: len(values) for name, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        raise LambdascopeError(
            f"{path}: the zipped axes have {', '.join(f'{n} {c}' for n, c in lengths.items())} "
            "values: give the same number of each"
        )
    # The product's last axis runs fastest, and cells beside each other share a batch: the seeds
    # belong at the end, where people put them.
    parts: list[list[dict[str, Any]]] = [listed or [{}]]
    parts.append(
        [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
    )
    parts += [[{name: value} for value in values] for name, values in grid.items()]
    count = 1
    for part in parts:
        count *= len(part)
    if count > MOST:
        raise LambdascopeError(f"{path} makes {count:,} cells: up to {MOST:,} are accepted")
    return [
        {name: value for one in row for name, value in one.items()}
        for row in itertools.product(*parts)
    ]


def _axes(
    table: Any, part: str, sections: Mapping[str, type[Config]], path: Path
) -> dict[str, list[Any]]:
    """Axis → values."""
    axes = {}
    for name, given in _flat(_table(table, part, path), part, sections, path).items():
        try:
            values = expand_range(given) if isinstance(given, str) else given
        except LambdascopeError as error:
            raise LambdascopeError(f"{path}: {part}.{name}={error}") from None
        if not isinstance(values, list) or not values:
            raise LambdascopeError(
                f"{path}: {part}.{name}={given!r}: a list of values with at least one, or a range "
                "such as '0..4', is accepted"
            )
        axes[name] = values
    return axes


def _flat(
    table: Mapping[str, Any], part: str, sections: Mapping[str, type[Config]], path: Path
) -> dict[str, Any]:
    """`section.field` → value, whether written as nested tables or as quoted names."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        inner = value if isinstance(value, dict) else {None: value}
        named = {name if field is None else f"{name}.{field}": one for field, one in inner.items()}
        if twice := sorted(flat.keys() & named.keys()):
            raise LambdascopeError(f"{path}: {part}.{twice[0]} is given twice: give it once")
        flat |= named
    fields = [f"{name}.{field}" for name, one in sections.items() for field in one.model_fields]
    _known(f"axis of {part}", flat, fields, path)
    return flat


def _table(value: Any, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LambdascopeError(f"{path}: {name}={value!r}: a table of settings is accepted")
    return value


def _list(document: Mapping[str, Any], name: str, path: Path) -> list[Any]:
    """The tables of an array such as [[figures]]."""
    given = document.get(name, [])
    if not isinstance(given, list):
        raise LambdascopeError(f"{path}: {name}={given!r}: tables headed [[{name}]] are accepted")
    return given


def _known(
    what: str, given: Mapping[str, Any], known: Any, path: Path, *, prefix: str = ""
) -> None:
    for name in given:
        if name in known:
            continue
        # A field by itself is near to the same field with its section before it.
        nearest = [one for one in known if one.endswith(f".{name}")]
        nearest = nearest or difflib.get_close_matches(name, list(known), n=1, cutoff=0.3)
        hint = f"the nearest is {prefix}{' or '.join(nearest)}" if nearest else "there is: "
        raise LambdascopeError(
            f"{path}: {prefix}{name} is no {what} that exists; "
            f"{hint if nearest else hint + ', '.join(known)}"
        )


def _cell(
    number: int,
    row: Mapping[str, Any],
    base: Mapping[str, Mapping[str, Any]],
    vocabulary: Vocabulary,
    path: Path,
) -> Cell:
    settings = {name: dict(values) for name, values in base.items()}
    for axis, value in row.items():
        section, field = axis.split(".", 1)
        settings[section][field] = value
    try:
        configs = {name: kind(**settings[name]) for name, kind in vocabulary.sections.items()}
    except LambdascopeError as error:
        raise LambdascopeError(f"{path}: {Cell(number, row, {})}: {error}") from None
    point = {axis: _as_read(value, axis, configs) for axis, value in row.items()}
    idle = vocabulary.idle(configs)
    for axis in point:
        if axis in idle:
            raise LambdascopeError(
                f"{path}: {Cell(number, point, {})}: {axis} has no effect: {idle[axis]}"
            )
    return Cell(number, point, configs, frozenset(idle))


def _as_read(value: Any, axis: str, configs: Mapping[str, Config]) -> Any:
    """A number as its setting has it, so that 23, 23.0 and "23" have one place in a figure."""
    section, field = axis.split(".", 1)
    read = getattr(configs[section], field)
    is_number = isinstance(read, int | float) and not isinstance(value, list | dict)
    return read if is_number else value
