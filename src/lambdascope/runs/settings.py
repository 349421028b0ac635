"""Settings in the table that they made: results of others are never replaced unasked.

A command's settings stand as columns in one of its tables, which it writes last.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lambdascope.errors import LambdascopeError
from lambdascope.runs.tables import read_cells, table_text
from lambdascope.wording import abbreviated

_SAME = "These results stood already; they were worked out again, to the same numbers."
_OTHER = (
    "Results of the same settings stood already, with other numbers (another version or machine "
    "made them, or the run has changed since): they are replaced."
)


def stands(
    path: Path,
    settings: Mapping[str, Any],
    *,
    overwrite: bool = False,
    checkpoints: Sequence[int] | None = None,
) -> bool:
    """Whether a table of these very settings stands.

    Args:
        path: The table.
        settings: Column → the one value that it holds; None is an empty cell.
        overwrite: A table that stands is to be replaced, whatever its settings.
        checkpoints: What the column `checkpoint` holds, all of it; None if that is no setting.

    Returns:
        False where there is none, or where it is to be replaced.

    Raises:
        LambdascopeError: a table of other settings stands, and is not to be replaced; or it cannot
            be read.
    """
    if overwrite or not path.exists():
        return False
    there = {str(name): cells.tolist() for name, cells in read_cells(path).items()}
    changed, unrecorded = [], []
    for name, asked in _as_cells(settings).items():
        held = there.get(name)
        if held is None:
            unrecorded.append(f"{name} is not recorded there")
        elif set(held) != {asked}:
            changed.append(change(name, ", ".join(sorted(set(held))), asked))
    if checkpoints is not None:
        held = there.get("checkpoint", [])
        if held != [str(index) for index in checkpoints]:
            changed.append(
                change("checkpoints", f"[{abbreviated(held)}]", f"[{abbreviated(checkpoints)}]")
            )
    # Another sampler has other settings: that they are not there follows from the first difference.
    changed = changed or unrecorded
    if changed:
        raise LambdascopeError(
            f"{path} holds results of other settings ({'; '.join(changed)}): give those, or "
            "--overwrite to replace them"
        )
    return True


def rewritten(before: Sequence[bytes | None], after: Sequence[bytes | None]) -> str:
    """What to say of results that are worked out anew each time, in a sentence.

    Args:
        before: Contents of the tables that stood, None for those that did not.
        after: Of the same tables now.

    Returns:
        Nothing where not all of them stood.
    """
    if None in before:
        return ""
    return _SAME if list(before) == list(after) else _OTHER


def contents(paths: Sequence[Path]) -> list[bytes | None]:
    """Of files, for `rewritten`; None where there is none."""
    return [path.read_bytes() if path.is_file() else None for path in paths]


def _as_cells(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings as they are written into a table."""
    import pandas

    (row,) = csv.DictReader(io.StringIO(table_text(pandas.DataFrame([settings]))))
    return dict(row)


def change(name: str, there: str, asked: str) -> str:
    """One of the differences in a refusal; an empty text is called "none".

    Args:
        name: Of the setting.
        there: What the results were made with.
        asked: What is asked for now.
    """
    return f"{name} {there or 'none'} there, {asked or 'none'} now"
