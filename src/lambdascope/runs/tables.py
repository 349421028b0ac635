"""Tidy tables as CSV: one row an observation, floating-point numbers to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import atomic_write_text

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# pandas takes some 0.4 s to import: the functions below do it, so that `--help` need not.


def write_table(path: Path, table: DataFrame) -> None:
    """Write a table, atomically, so that `read_table` gives every float64 back to the bit.

    Args:
        path: the file, by custom with the suffix `.csv`.
        table: one row an observation; its index is not written. Missing values become empty cells.

    Raises:
        LambdascopeError: the file cannot be written; what was there before stands.
    """
    atomic_write_text(path, table_text(table))


def table_text(table: DataFrame) -> str:
    """The text of a table's file, as `write_table` writes it."""
    import numpy

    single = [name for name in table.columns if table[name].dtype == numpy.float32]
    # A float32 would be written with its own few digits, which read back as another float64.
    exact = table.astype(dict.fromkeys(single, "float64"))
    return exact.to_csv(index=False, lineterminator="\n")


def read_table(path: Path) -> DataFrame:
    """Read a table written by `write_table`.

    Args:
        path: a CSV file with a header line. Empty cells are missing values (NaN); the words "nan"
            and "NA" are text.

    Raises:
        LambdascopeError: the file is missing, empty, or no table.
    """
    import pandas

    cells = read_cells(path)
    return pandas.DataFrame({name: _typed(cells[name]) for name in cells.columns})


def read_cells(path: Path) -> DataFrame:
    """Read a table as the text of its cells.

    Raises:
        LambdascopeError: as `read_table`.
    """
    import pandas

    path = Path(path)
    if not path.is_file():
        raise LambdascopeError(
            f"the table {path} does not exist: run the command that writes it first"
        )
    try:
        return pandas.read_csv(path, dtype=str, keep_default_na=False)
    except (pandas.errors.EmptyDataError, pandas.errors.ParserError, UnicodeDecodeError) as error:
        raise LambdascopeError(
            f"{path} is no CSV table ({error}): give one with a header line and equal rows"
        ) from error


def _typed(column: Series) -> Series:
    """A column of text as integers, else truth values, else float64, else text."""
    # Not left to read_csv: which of its parsers rounds a float correctly depends on its version.
    texts = column.fillna("").to_numpy(dtype=object)
    for kind in ("int64", "bool", "float64"):
        try:
            values = [_PARSERS[kind](text) for text in texts]
        except ValueError:
            continue
        try:
            return type(column)(values, dtype=kind)
        except OverflowError:  # whole numbers of more than 64 bits stay Python's own
            return type(column)(values, dtype=object)
    return type(column)([text or None for text in texts], dtype=object)


def _truth(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


_PARSERS: dict[str, Callable[[str], int | bool | float]] = {
    "int64": int,
    "bool": _truth,
    "float64": lambda text: float(text or "nan"),
}
