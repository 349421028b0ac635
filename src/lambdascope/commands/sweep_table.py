"""What stands of a sweep as tables: every measurement, eigenvalues, means over seeds."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from lambdascope.commands.sweep_checks import posteriors_differ
from lambdascope.sweeps import Cell, CellRecords, Outcome, SweepPlan, state_of
from lambdascope.wording import aligned, number, with_error

# Axes over which runs are repetitions of each other.
SEEDS = ("train.seed", "train.data_seed", "llc.seed", "network.seed", "hessian.seed")
ASYMPTOTIC = "as nβ → ∞"
"""In the column exact_holds: the exact value is λ, the limit, and not λ̂ at the cell's own nβ."""
_DIMENSION = "effective_dimension"
_SHOWN = (
    "llc",
    "exact",
    "num_circuits",
    _DIMENSION,
    "train_loss",
    "test_loss",
    "test_accuracy",
)
# Lists of a record's row, which have a table of their own: end of the spectrum → values, residuals.
_SPECTRUM = {
    "largest": ("eigenvalues", "eigenvalues_residual"),
    "smallest": ("smallest_eigenvalues", "smallest_eigenvalues_residual"),
}
_LISTS = {name for names in _SPECTRUM.values() for name in names}


def measurements(plan: SweepPlan, records: CellRecords) -> pd.DataFrame:
    """A row for each measured cell and checkpoint: number, key, axes, what was measured.

    A cell of which one part failed has the others; the column error, there where a cell failed,
    says what is missing. Where the effective dimension is of another posterior than λ̂, the column
    effective_dimension_note says in what.
    """
    rows: list[dict[str, Any]] = []
    for cell, outcome in _measured(plan, records):
        label = _label(plan, cell)
        differs = posteriors_differ(cell)
        if outcome.error is not None:
            label |= {"error": outcome.error}
        for row in outcome.rows:
            rows.append(label | {name: one for name, one in row.items() if name not in _LISTS})
            if differs and {"llc", _DIMENSION} <= set(row):
                rows[-1][f"{_DIMENSION}_note"] = f"of another posterior than llc: {differs}"
    table = pd.DataFrame(rows)
    if len(table) and "llc" not in table:
        table["llc"] = math.nan
    return table


def spectra(plan: SweepPlan, records: CellRecords) -> pd.DataFrame:
    """A row for each measured cell, checkpoint and eigenvalue, as in hessian.csv.

    Its columns: number, key, axes, checkpoint, step, end ("largest" or "smallest"), rank (from 1,
    the outermost), eigenvalue, residual (‖Hv − λv‖; NaN in records from before it was kept, which
    have no smallest ones either).
    """
    parts = []
    for cell, outcome in _measured(plan, records):
        for row in outcome.rows:
            label = _label(plan, cell) | {name: row.get(name) for name in ("checkpoint", "step")}
            for end, (values, residuals) in _SPECTRUM.items():
                if found := row.get(values):
                    part = pd.DataFrame({"rank": range(1, len(found) + 1), "eigenvalue": found})
                    part = part.assign(residual=row.get(residuals, math.nan), end=end, **label)
                    parts.append(part[[*label, "end", "rank", "eigenvalue", "residual"]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def cell_states(plan: SweepPlan, records: CellRecords) -> pd.DataFrame:
    """A row for each cell of the plan: cell, its axes, state ("finished", "failed", "missing")."""
    rows = []
    for cell in plan.cells:
        state = state_of(records.get(cell))
        rows.append({"cell": cell.number, **_point(plan, cell), "state": state})
    return pd.DataFrame(rows)


def finals(table: pd.DataFrame) -> pd.DataFrame:
    """The last checkpoint of each cell."""
    return table[table["step"] == table.groupby("cell")["step"].transform("max")]


def doubtful_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose λ̂ has a status other than "converged"; a row without λ̂ has none."""
    if "status" not in table:
        return table.iloc[:0]
    return table[table["status"].notna() & (table["status"] != "converged")]


def doubts(plan: SweepPlan, table: pd.DataFrame) -> dict[str, str]:
    """Cell → what is wrong with its estimates and what to try, as one line.

    Args:
        plan: Whose cells they are.
        table: Of `measurements`.
    """
    names = {cell.number: str(cell) for cell in plan.cells}
    found: dict[str, str] = {}
    if table.empty:
        return found
    for cell, rows in doubtful_rows(table).groupby("cell", sort=False):
        latest = rows.iloc[-1]
        said = str(latest["status"])
        if isinstance(advice := latest.get("advice"), str):
            said += f": {advice}"
        estimated = int((table["status"].notna() & (table["cell"] == cell)).sum())
        if estimated > 1:
            said = f"{len(rows)} of {estimated} checkpoints, at step {latest['step']} {said}"
        found[names[int(cell)]] = said
    return found


def summary_text(plan: SweepPlan, table: pd.DataFrame) -> str:
    """Means ± standard deviation over seeds at the last checkpoint, as aligned text."""
    last = finals(table)
    axes = [name for name in plan.axes if name not in SEEDS]
    shown = [name for name in _SHOWN if name in last and last[name].notna().any()]
    notes = ["±: standard deviation over runs"]
    differ = [(cell, why) for cell in plan.cells if (why := posteriors_differ(cell))]
    if differ and {"llc", _DIMENSION} <= set(shown):
        shown.remove(_DIMENSION)  # beside λ̂ it would be taken for the same
        cell, why = differ[0]
        notes.append(
            f"the effective dimension is left out: it is of another posterior than λ̂ ({cell}: "
            f"{why}); sweep.csv has it"
        )
    headers = {"llc": "λ̂"}
    if "exact_holds" in last and (last["exact_holds"].dropna() == ASYMPTOTIC).all():
        headers["exact"] = f"exact {ASYMPTOTIC}"
    lines = [[*axes, "runs", *(headers.get(name, name) for name in shown)]]
    for point, rows in _groups(last, axes):
        cells = [_mean_text(rows[name]) for name in shown]
        places = ("–" if pd.isna(value) else str(value) for value in point)
        lines.append([*places, str(len(rows)), *cells])
    if len(doubtful := doubtful_rows(last)):
        counts = doubtful["status"].value_counts(sort=False)
        notes.append(
            f"{len(doubtful)} of {last['status'].notna().sum()} estimates are not 'converged' "
            f"({', '.join(f'{count} {status}' for status, count in counts.items())}): column "
            f"status of sweep.csv; `lambdascope sweep status` with the same file says which and "
            "what to try"
        )
    return "\n".join([aligned(lines), *notes])


def _measured(plan: SweepPlan, records: CellRecords) -> Iterator[tuple[Cell, Outcome]]:
    """Those of which something stands: of a failed cell, what did not fail."""
    for cell in plan.cells:
        outcome = records.get(cell)
        if outcome is not None and outcome.rows:
            yield cell, outcome


def _label(plan: SweepPlan, cell: Cell) -> dict[str, Any]:
    """What tells a cell apart, as the table has it."""
    return {"cell": cell.number, "key": cell.key, **_point(plan, cell)}


def _point(plan: SweepPlan, cell: Cell) -> dict[str, Any]:
    return {axis: cell.value(axis) for axis in plan.axes}


def _groups(table: pd.DataFrame, axes: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    if not axes:
        return [((), table)]
    return list(table.groupby(list(axes), sort=False, dropna=False))


def _mean_text(values: pd.Series) -> str:
    """The mean and its spread; of how many, where it is not of all runs (one failed in part)."""
    count = int(values.notna().sum())
    of = f" (of {count})" if count < len(values) else ""
    if count > 1 and values.nunique() > 1:
        return with_error(float(values.mean()), float(values.std())) + of
    return number(float(values.mean())) + of
