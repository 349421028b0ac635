"""A table of estimates as text for a terminal."""

from collections.abc import Callable

import pandas as pd

from lambdascope.reporting.finding import INTERVAL, number, with_error

_COLUMNS: tuple[tuple[str, Callable[[pd.Series], str]], ...] = (
    ("checkpoint", lambda row: f"{row.checkpoint:d}"),
    ("step", lambda row: f"{row.step:,d}"),
    ("λ̂ ± 95 %", lambda row: with_error(row.llc, INTERVAL * row.llc_stderr)),
    ("R-hat", lambda row: f"{row.rhat:.3f}"),
    ("ESS", lambda row: f"{row.ess:,.0f}"),
    ("train loss", lambda row: number(row.train_loss)),
    ("test loss", lambda row: number(row.test_loss)),
    ("status", lambda row: row.status),
)


def llc_table_text(table: pd.DataFrame) -> str:
    """The table in aligned columns, numbers to the right.

    Args:
        table: One row a checkpoint, as `lambdascope llc` writes it to llc.csv.
    """
    rows = [[header for header, _ in _COLUMNS]]
    rows += [[cell(row) for _, cell in _COLUMNS] for row in table.itertuples(index=False)]
    # The hat of λ̂ is a character of no width of its own.
    widths = [max(len(row[i].replace("\u0302", "")) for row in rows) for i in range(len(_COLUMNS))]
    lines = []
    for row in rows:
        cells = [
            " " * (width - len(cell.replace("\u0302", ""))) + cell
            for cell, width in zip(row[:-1], widths, strict=False)
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


def llc_advice(table: pd.DataFrame) -> list[str]:
    """What to try, one line for each kind of trouble: where it is, and the advice for the first.

    Args:
        table: As above, with `status` and `advice`. Converged rows need no advice.
    """
    lines = []
    troubled = table[table["status"] != "converged"]
    for status, rows in troubled.groupby("status", sort=False):
        which = ", ".join(str(index) for index in rows["checkpoint"])
        at_first = f"at {rows['checkpoint'].iloc[0]}, " if len(rows) > 1 else ""
        plural = "s" if len(rows) > 1 else ""
        lines.append(f"checkpoint{plural} {which}: {status}; {at_first}{rows['advice'].iloc[0]}")
    return lines
