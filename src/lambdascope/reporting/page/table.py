"""A table of the page: cells as text, and what they are sorted by."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lambdascope.reporting.page.html import download


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        header: A few words, with the unit.
        cell: Text of a row, which is a named tuple of the data frame.
        sort: What the row is sorted by; None sorts by the text.
        text: Whether the cells are words, which stand to the left.
        long: Whether they are sentences.
        title: What the header means, where it needs to be said.
        verdict: Whether the row is good; None leaves it without a mark.
        link: Where the cell leads; None, or an empty address, for nowhere.
        lines: Commands that the cell offers to copy where it leads nowhere.
    """

    header: str
    cell: Callable[[Any], str]
    sort: Callable[[Any], float] | None = None
    text: bool = False
    long: bool = False
    title: str = ""
    verdict: Callable[[Any], bool] | None = None
    link: Callable[[Any], str] | None = None
    lines: Callable[[Any], Sequence[str]] | None = None


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What is read.
        sort: What it is sorted by.
        mark: "good", "warn" or "".
        link: An address, or empty.
        lines: Commands to copy.
    """

    text: str
    sort: str
    mark: str
    link: str
    lines: Sequence[str]


@dataclass(frozen=True)
class PageTable:
    """A table.

    Attributes:
        name: An identifier, for links.
        title: What it shows.
        note: How to read it.
        columns: See above.
        rows: Cells, a list a row.
        checkpoints: The checkpoint of each row, or None where rows have none.
        file: Name of the file that can be saved; empty for none.
        address: Its contents as an address.
    """

    name: str
    title: str
    note: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    checkpoints: Sequence[int] | None
    file: str = ""
    address: str = ""


def page_table(
    name: str,
    title: str,
    note: str,
    columns: Sequence[Column],
    table: pd.DataFrame,
    *,
    file: str = "",
    text: str = "",
) -> PageTable:
    """Fill a table.

    Args:
        name: As in `PageTable`, and so on.
        title: See there.
        note: See there.
        columns: See there.
        table: The data; a column `checkpoint` makes its rows places to jump to.
        file: Name of the file that can be saved.
        text: Its whole contents.
    """
    rows = [[_cell(column, row) for column in columns] for row in table.itertuples(index=False)]
    checkpoints = table["checkpoint"].astype(int).tolist() if "checkpoint" in table else None
    address = download(text) if file else ""
    return PageTable(name, title, note, columns, rows, checkpoints, file, address)


def _cell(column: Column, row: Any) -> Cell:
    text = column.cell(row)
    sort = ""
    if column.sort is not None:
        value = float(column.sort(row))
        sort = "" if math.isnan(value) else repr(value)
    mark = ""
    if column.verdict is not None:
        mark = "good" if column.verdict(row) else "warn"
    link = column.link(row) if column.link else ""
    lines = column.lines(row) if column.lines and not link else ()
    return Cell(text, sort, mark, link, lines)
