"""The calibration table as text for a terminal."""

import math
from collections.abc import Callable

import pandas as pd

from lambdascope.wording import NORMAL_95, number, shown, with_error

_COLUMNS: tuple[tuple[str, Callable[..., str]], ...] = (
    ("system", lambda row: row.system),
    ("sampler", lambda row: row.sampler),
    ("λ", lambda row: _known(row.exact)),
    ("at finite n", lambda row: _known(row.exact_finite_n)),
    ("λ\u0302 ± 95 %", lambda row: with_error(row.llc, NORMAL_95 * row.llc_stderr)),
    ("λ\u0302/λ", lambda row: "" if math.isnan(row.ratio) else f"{row.ratio:.3f}"),
    ("seconds", lambda row: f"{row.seconds:.1f}"),
    ("verdict", lambda row: row.verdict),
    ("why", lambda row: row.reason),
)
_VERDICTS = {
    "agrees": "agree within three standard errors",
    "within 5 %": "are farther off, but within 5 %",
    "low": "read low",
    "high": "read high",
    "diverged": "diverged",
    "no exact answer": "have no exact answer",
}
_LEFT = ("system", "sampler", "verdict", "why")


def calibration_table_text(table: pd.DataFrame) -> str:
    """The table in aligned columns, a heading for each group.

    Args:
        table: From `lambdascope.calibration.calibrate`.
    """
    rows = [[cell(row) for _, cell in _COLUMNS] for row in table.itertuples(index=False)]
    headers = [header for header, _ in _COLUMNS]
    widths = [max(_width(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    lines, group = [_line(headers, widths)], None
    for own, row in zip(table["group"], rows, strict=True):
        if own != group:
            lines.append(f"\n{own}")
            group = own
        lines.append(_line(row, widths))
    return "\n".join(lines)


def verdicts_text(table: pd.DataFrame) -> str:
    """How many rows got which verdict, and beside what: "43 agree …".

    Args:
        table: As above: `verdict` and `exact_finite_n`.
    """
    counts = table["verdict"].value_counts()
    parts = [f"{counts[name]} {said}" for name, said in _VERDICTS.items() if name in counts]
    beside = int(table["exact_finite_n"].notna().sum())
    return (
        f"Of {len(table)} rows, {', '.join(parts)}. The verdict is beside the answer at finite n "
        f"where that is known ({beside} rows), beside λ elsewhere; the ratio is to λ always."
    )


def ranking_text(summaries: pd.DataFrame) -> str:
    """One line for each group of random systems and sampler.

    Args:
        summaries: `group`, `sampler`, `num_systems`, `median_error`, `share_ordered` and
            `model_median_error`, one row each.
    """
    return "\n".join(
        f"{row.group}, {row.sampler}: median |λ\u0302/λ − 1| {_percent(row.median_error)} "
        f"({_percent(row.model_median_error)} beside the model's smallest λ), "
        f"{_percent(row.share_ordered)} of pairs ordered rightly, {row.num_systems} networks"
        for row in summaries.itertuples(index=False)
    )


def _percent(share: float) -> str:
    return f"{shown(100 * share, '.1f')} %"


def _line(cells: list[str], widths: list[int]) -> str:
    padded = []
    for (header, _), cell, width in zip(_COLUMNS, cells, widths, strict=True):
        space = " " * (width - _width(cell))
        padded.append(cell + space if header in _LEFT else space + cell)
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """The hat of λ̂ is a character of no width of its own."""
    return len(text.replace("\u0302", ""))


def _known(value: float) -> str:
    return "" if math.isnan(value) else number(value)
