"""Numbers and tables as a reader wants them: short, to the precision of their error, aligned."""

import math
from collections.abc import Collection, Sequence

_MOST_DECIMALS = 6
# Of a longer list the ends are named.
_MOST_NAMED = 4
NORMAL_95 = 1.959963984540054
"""Standard errors on either side that make a 95 % interval."""

SOUND_STATI = ("converged", "target not reached")
"""Verdicts whose λ̂ and error can be used as they stand; the error of the second is larger than was
asked for."""

UNKNOWN = "–"
"""A value that there is none of."""

BETWEEN_SENTENCES = " | "
"""What parts sentences in one cell of a table."""


def sentences(cell: object) -> list[str]:
    """The sentences of one cell of a table; of an empty one, which reads as NaN, none."""
    return [one for one in cell.split(BETWEEN_SENTENCES) if one] if isinstance(cell, str) else []


def number(value: float) -> str:
    """A value at the precision that a reader can use: 592, 48.1, 0.62, 0.026; – for NaN."""
    if not math.isfinite(value):
        return shown(value, "")
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or size == 0 else f"{value:.2g}"


def shown(value: float, form: str) -> str:
    """A value in a form such as ".3f"; a dash for NaN, which means nothing to most readers."""
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return format(value, form)


def with_error(value: float, error: float) -> str:
    """A value and its error at the precision of the error's two leading digits: 88.0 ± 5.3."""
    if math.isnan(value):
        return UNKNOWN
    if not math.isfinite(error) or error <= 0:
        return f"{number(value)} ± {number(error)}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > _MOST_DECIMALS:
        # So many digits nobody reads: as a power of ten where both are small, else rounded.
        power = math.floor(math.log10(max(abs(value), error)))
        if power < -_MOST_DECIMALS // 2:
            scale = 10.0**power
            digits = min(1 - math.floor(math.log10(error / scale)), _MOST_DECIMALS)
            return f"({value / scale:.{digits}f} ± {_brief(error / scale, digits)})e{power}"
        return f"{value:,.{_MOST_DECIMALS}f} ± {_brief(error, _MOST_DECIMALS)}"
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"


def _brief(error: float, decimals: int) -> str:
    """An error with so many decimals, or as 1.2e-09 where they would show none of it."""
    return f"{error:.{decimals}f}" if error >= 10.0**-decimals else f"{error:.1e}"


def estimated(value: float, error: float) -> str:
    """A value with its error, or alone where it is exact."""
    return number(value) if error == 0 else with_error(value, error)


OTHER_LOCALIZATIONS = "λ̂ at γ/2 … 2γ"
"""Of a column: how far λ̂ follows γ, by short chains at half of it and at its double."""


def from_to(first: float, last: float) -> str:
    """Two values of one quantity: 512 … 487."""
    return f"{number(first)} … {number(last)}"


def abbreviated(values: Sequence[object]) -> str:
    """A list for a sentence, such as "0, 1, … 24": the first two and the last where it is long.

    Args:
        values: Of any kind that has a text.
    """
    texts = [str(value) for value in values]
    if len(texts) > _MOST_NAMED:
        texts = [f"{texts[0]}, {texts[1]}, … {texts[-1]}"]
    return ", ".join(texts)


def checkpoints_named(which: Sequence[int], *, brief: bool = False) -> str:
    """Such as "checkpoint 3" or "checkpoints 3, 7".

    Args:
        which: Their indices, at least one.
        brief: Name the ends only where they are many.
    """
    names = abbreviated(which) if brief else ", ".join(map(str, which))
    return f"checkpoint{'s' if len(which) > 1 else ''} {names}"


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = ()) -> str:
    """Rows of cells as lines of text in columns, cells to the right.

    Args:
        rows: [row][column], the headers first.
        left: Columns whose cells stand to the left.
    """
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(cell))
            cells.append(cell + space if column in left else space + cell)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    """The hat of λ̂ is a character of no width of its own."""
    return len(text.replace("\u0302", ""))
