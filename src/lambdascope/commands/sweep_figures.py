"""The figures of a sweep, from its tables: which rows, grouped how, under which names."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from lambdascope.commands.sweep_lines import straight_line
from lambdascope.commands.sweep_table import finals
from lambdascope.reporting.sweep_figure import SweepPanel, sweep_figure
from lambdascope.reporting.sweep_map import sweep_map
from lambdascope.sweeps import FigureWish
from lambdascope.wording import with_error

LABELS = {
    "llc": "Learning coefficient λ̂",
    "llc_stderr": "Standard error of λ̂",
    "llc_uncorrected": "λ̂ before correction",
    "train_loss": "Train loss (nats)",
    "test_loss": "Test loss (nats)",
    "train_accuracy": "Train accuracy (share)",
    "test_accuracy": "Test accuracy (share)",
    "weight_norm": "Weight norm ‖w‖",
    "step": "Training step",
    "num_circuits": "Circuits (count)",
    "effective_circuits": "Circuits by their share of the logits (count)",
    "effective_dimension": "Effective dimension",
    "hessian_trace": "Trace of the Hessian (loss / parameter²)",
    "hessian_largest": "Largest eigenvalue of the Hessian (loss / parameter²)",
    "hessian_smallest": "Smallest eigenvalue of the Hessian (loss / parameter²)",
    "rank": "Rank",
    "eigenvalue": "Eigenvalue of the Hessian (loss / parameter²)",
    "train.p": "Modulus p",
    "train.task": "Task",
    "train.train_fraction": "Train fraction (share of all pairs)",
    "train.activation": "Activation",
    "train.hidden_size": "Hidden size (units)",
    "train.embed_dim": "Embedding size (coordinates)",
    "llc.n_multiplier": "Factor on n in nβ = n / log n",
    "llc.temp_multiplier": "Temperature, in units of log n / n",
    "llc.step_size": "Step size ε (parameter²)",
    "llc.localization": "Localisation γ (1 / parameter²)",
    "llc.nbeta": "Inverse temperature nβ (1 / loss)",
    "network.activation": "Activation",
}
_SHORT = {
    "train.p": "p =",
    "train.train_fraction": "train fraction",
    "train.hidden_size": "hidden",
    "train.embed_dim": "embedding",
    "llc.n_multiplier": "n ×",
    "llc.temp_multiplier": "T =",
    "llc.step_size": "ε =",
    "llc.localization": "γ =",
}
# Families that say what they are.
_SELF_EVIDENT = ("task", "activation", "system", "circuits", "status")
_COLUMNS = ["family", "run", "x", "y", "doubtful"]


def draw(
    table: pd.DataFrame, spectra: pd.DataFrame, wish: FigureWish, axes: Sequence[str], note: str
) -> Figure | None:
    """A figure, or None where nothing of what it shows has been measured yet.

    Args:
        table: A row a cell and checkpoint.
        spectra: A row a cell, checkpoint and eigenvalue.
        wish: What is wanted.
        axes: Of the sweep.
        note: How the numbers were made, for the caption.
    """
    chosen = _chosen(table, spectra, wish)
    if chosen.empty:
        return None
    if wish.map_over is not None:
        return _map(chosen, wish, note)
    panels = panels_of(table, spectra, wish, axes)
    return sweep_figure(
        panels,
        x_label=label_of(wish.x),
        family_label=None if wish.family is None else family_label_of(wish.family),
        log=(wish.log_x, wish.log_y),
        stacked=len(wish.y) > 1,
        title=wish.title or _title(wish),
        caption=_caption(panels, wish, note),
    )


def panels_of(
    table: pd.DataFrame, spectra: pd.DataFrame, wish: FigureWish, axes: Sequence[str]
) -> list[SweepPanel]:
    """What a figure of curves draws, a panel for each value of its axis of panels and each y.

    Args:
        table: As `draw`, and so on.
        spectra: See there.
        wish: See there; one without `map_over`.
        axes: See there.

    Returns:
        the panels; none where nothing of what they show has been measured yet.
    """
    chosen = _chosen(table, spectra, wish)
    panels = []
    for value in _panel_values(chosen, wish):
        part = chosen if value is None or wish.panel is None else _where(chosen, wish.panel, value)
        for y in wish.y:
            known = part[part[y].notna()]
            title = "" if value is None or wish.panel is None else _name(wish.panel, value)
            panels.append(_panel(known, y, title, wish, axes))
    return panels


def runs_of(rows: pd.DataFrame, y: str, wish: FigureWish, axes: Sequence[str]) -> pd.DataFrame:
    """Each run by itself: family, run, x, y, doubtful, stderr.

    A run is what agrees in all axes that have no place in the figure.
    """
    family = rows[wish.family] if wish.family else pd.Series("all", index=rows.index)
    others = [one for one in axes if one not in (wish.x, wish.family, wish.panel, wish.slope_over)]
    run = [", ".join(map(str, row)) for row in rows[others].itertuples(index=False)]
    if wish.x not in axes:  # something measured: each cell is a run of its own
        run = [f"{one} {cell}" for one, cell in zip(run, rows["cell"], strict=True)]
    doubtful = pd.Series(False, index=rows.index)
    if y.startswith("llc") and "status" in rows:
        doubtful = rows["status"].notna() & (rows["status"] != "converged")
    found = pd.DataFrame(
        {"family": family, "run": run, "x": rows[wish.x], "y": rows[y].astype(float)}
    ).assign(doubtful=doubtful, stderr=rows.get(f"{y}_stderr", math.nan))
    if wish.slope_over is not None:
        found = found.assign(over=rows[wish.slope_over])
    if pd.api.types.is_numeric_dtype(found["x"]):
        found = found.sort_values("x", kind="stable")
    return found


def means_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over runs: family, x, mean, spread.

    A single run's spread is its own standard error.
    """
    means = (
        runs.groupby(["family", "x"], sort=False)
        .agg(mean=("y", "mean"), spread=("y", "std"), stderr=("stderr", "mean"))
        .reset_index()
    )
    return means.assign(spread=means["spread"].fillna(means.pop("stderr")))


def slopes_of(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The slope of y in `over`, of all runs together and of each by itself.

    Returns:
        means: family, x, mean, spread, where spread is the slope's standard error over all runs
        (least squares, independent equal scatter); runs: family, run, x, y, doubtful.
    """
    means, single = [], []
    for (family, x), rows in runs.groupby(["family", "x"], sort=False):
        if rows["over"].nunique() < 2:
            continue
        fit = straight_line(rows["over"].tolist(), rows["y"].tolist())
        means.append({"family": family, "x": x, "mean": fit.slope, "spread": fit.slope_stderr})
        for run, own in rows.groupby("run", sort=False):
            if own["over"].nunique() > 1:
                alone = straight_line(own["over"].tolist(), own["y"].tolist())
                row = {"family": family, "run": run, "x": x, "y": alone.slope}
                single.append({**row, "doubtful": bool(own["doubtful"].any())})
    return (
        pd.DataFrame(means, columns=["family", "x", "mean", "spread"]),
        pd.DataFrame(single, columns=_COLUMNS),
    )


def lines_of(runs: pd.DataFrame) -> pd.DataFrame:
    """A straight line a family: family, x0, y0, x1, y1, label."""
    found = []
    for family, rows in runs.groupby("family", sort=False):
        if not pd.api.types.is_numeric_dtype(rows["x"]) or rows["x"].nunique() < 2:
            continue
        fit = straight_line(rows["x"].tolist(), rows["y"].tolist())
        low, high = float(rows["x"].min()), float(rows["x"].max())
        found.append(
            {
                "family": family,
                "x0": low,
                "y0": fit.at(low),
                "x1": high,
                "y1": fit.at(high),
                "label": f"slope {with_error(fit.slope, fit.slope_stderr)}",
            }
        )
    return pd.DataFrame(found, columns=["family", "x0", "y0", "x1", "y1", "label"])


def _panel(
    rows: pd.DataFrame, y: str, title: str, wish: FigureWish, axes: Sequence[str]
) -> SweepPanel:
    runs = runs_of(rows, y, wish, axes)
    y_label = label_of(y)
    if wish.slope_over is not None:
        means, runs = slopes_of(runs)
        y_label = f"Slope of {_symbol(y)} in {_symbol(wish.slope_over)}"
    else:
        means = means_of(runs)
    lines = lines_of(runs) if wish.line else lines_of(runs.iloc[:0])
    theory = pd.DataFrame(columns=["family", "x", "exact"])
    if wish.theory and "exact" in rows:
        known = rows[rows["exact"].notna()]
        exact = runs_of(known, "exact", wish, axes).rename(columns={"y": "exact"})
        theory = exact.groupby(["family", "x"], sort=False)["exact"].mean().reset_index()
    return SweepPanel(title, y_label, means, runs, lines, theory)


def _map(rows: pd.DataFrame, wish: FigureWish, note: str) -> Figure:
    assert wish.map_over is not None
    y = wish.y[0]
    fields = pd.DataFrame({"x": rows[wish.x], "y": rows[wish.map_over], "value": rows[y]})
    fields["panel"] = "" if wish.panel is None else [_name(wish.panel, v) for v in rows[wish.panel]]
    doubtful = rows["status"] != "converged" if "status" in rows else False
    fields["doubtful"] = doubtful
    panels = list(dict.fromkeys(fields["panel"]))
    grouped = fields.groupby(["panel", "x", "y"], sort=False)
    most = int(grouped.size().max())
    table = grouped.agg(value=("value", "mean"), doubtful=("doubtful", "any")).reset_index()
    over = "" if most == 1 else f"means of up to {most} runs · "
    return sweep_map(
        table,
        x_label=label_of(wish.x),
        y_label=label_of(wish.map_over),
        value_label=label_of(y),
        panels=panels,
        title=wish.title or f"{_plain(y)} over {_lower(wish.x)} and {_lower(wish.map_over)}",
        caption=f"{over}hatched: a run whose status is not 'converged' · {note}",
    )


def _chosen(table: pd.DataFrame, spectra: pd.DataFrame, wish: FigureWish) -> pd.DataFrame:
    """Rows that a figure shows; none where one of its quantities has not been measured yet."""
    rows = spectra if "eigenvalue" in wish.y else table
    if rows.empty or any(name not in rows or rows[name].isna().all() for name in wish.y):
        return rows.iloc[:0]
    # Along training every checkpoint is a point; along anything else the last one is.
    return rows if wish.x == "step" else finals(rows)


def _panel_values(rows: pd.DataFrame, wish: FigureWish) -> list[object]:
    if rows.empty:
        return []
    return [None] if wish.panel is None else list(dict.fromkeys(rows[wish.panel]))


def _where(rows: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    return rows[rows[column] == value]


def _caption(panels: Sequence[SweepPanel], wish: FigureWish, note: str) -> str:
    most = max(int(p.runs.groupby(["family", "x"]).size().max()) for p in panels if len(p.runs))
    doubtful = sum(int(panel.runs["doubtful"].sum()) for panel in panels)
    total = sum(len(panel.runs) for panel in panels if panel.runs["doubtful"].any())
    spread = "the slope's standard error" if wish.slope_over else "standard deviation"
    parts = [f"line and band: mean ± {spread} over up to {most} runs · faint: each run"]
    if most == 1:
        parts = ["one run a point, band: its standard error"]
    if doubtful:
        parts.append(f"hollow: {doubtful} of {total} whose status is not 'converged'")
    return " · ".join([*parts, note])


def label_of(name: str) -> str:
    """What an axis or a quantity is called in figures, with its unit."""
    return LABELS.get(name, name)


def _plain(name: str) -> str:
    return label_of(name).split(" (")[0]


def _lower(name: str) -> str:
    text = _plain(name)
    return text[0].lower() + text[1:]


def _symbol(name: str) -> str:
    return {"llc": "λ̂", "train.p": "p"}.get(name, _lower(name))


def family_label_of(name: str) -> str:
    """What stands before a family's value; empty where the value says what it is."""
    field = name.rpartition(".")[2]
    return "" if field in _SELF_EVIDENT else _SHORT.get(name, field)


def _name(axis: str, value: object) -> str:
    return f"{family_label_of(axis)} {str(value).replace('_', ' ')}".strip()


def _title(wish: FigureWish) -> str:
    if wish.slope_over is not None:
        return f"Slope of {_symbol(wish.y[0])} in {_symbol(wish.slope_over)}"
    return f"{', '.join(_plain(y) for y in wish.y)} against {_lower(wish.x)}"
