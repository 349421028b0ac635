"""What the charts of a run's page draw, as JSON values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from lambdascope.reporting.llc_curve import stretches
from lambdascope.reporting.llc_text import corrected_places
from lambdascope.reporting.mode_colours import CYCLIC_MAP, colours_of, rounds_of
from lambdascope.reporting.page.payload import rounded
from lambdascope.reporting.page.record import LossTraceRecord, ModeRecord, RunRecord
from lambdascope.wording import NORMAL_95, SOUND_STATI

# Points of all chains around one checkpoint that are drawn.
_MOST_POINTS = 1200
_POSITION_DIGITS = 3


def run_payload(record: RunRecord) -> dict[str, Any]:
    """The data of every chart; None where its table does not stand.

    Args:
        record: The run.
    """
    return {
        "steps": list(record.steps),
        "training": _training(record.table("training.csv")),
        "curve": _curve(record.table("llc.csv")),
        "circuits": _circuits(record.table("circuits.csv")),
        "modes": None if record.modes is None else _modes(record.modes),
        "losses": _losses(record),
        "traces": {str(index): _trace(record, index, one) for index, one in record.traces.items()},
        "pca": _principal_components(record.table("chains.csv")),
        "hessian": _hessian(record),
        "posterior": _posterior(record.table("llc.csv")),
        "suggestions": dict(record.suggestions),
    }


def _training(table: pd.DataFrame | None) -> dict[str, Any] | None:
    if table is None:
        return None
    names = ("step", "train_loss", "test_loss", "train_accuracy", "test_accuracy")
    return {name: rounded(table[name].to_numpy()) for name in names if name in table}


def _curve(table: pd.DataFrame | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "checkpoint": table["checkpoint"].tolist(),
        "step": table["step"].tolist(),
        "llc": rounded(table["llc"].to_numpy(), 5),
        "half": rounded(NORMAL_95 * table["llc_stderr"].to_numpy()),
        "status": table["status"].tolist(),
        "doubtful": (~table["status"].isin(SOUND_STATI)).tolist(),
        "burnin": table["num_burnin_steps"].tolist(),
        "stretches": stretches(table["checkpoint"].tolist()),
        "uncorrected": rounded(table["llc_uncorrected"].to_numpy(), 5)
        if corrected_places(table).any()
        else None,
    }


def _posterior(table: pd.DataFrame | None) -> dict[str, Any] | None:
    """γ and nβ of the estimates, which say what λ̂ is of."""
    names = ("localization", "nbeta")
    if table is None or not len(table) or not set(names) <= set(table.columns):
        return None
    return {name: rounded(table[name].iloc[0]) for name in names}


def _circuits(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    if table is None:
        return []
    frequencies = table["frequency"].tolist()
    colours, rounds = colours_of(frequencies), rounds_of(frequencies)
    return [
        {
            "k": int(row.frequency),
            "kind": row.kind,
            "formed": rounded(row.formation_step),
            "before": rounded(row.step_before_formation),
            "found": rounded(row.first_found_step),
            "colour": colours[row.frequency],
            "round": rounds[row.frequency],
            "cost": rounded(max(row.loss_removed - row.loss, 0.0)),
        }
        for row in table.itertuples(index=False)
    ]


def _modes(modes: ModeRecord) -> dict[str, Any]:
    ring = [to_hex(colormaps[CYCLIC_MAP](place)) for place in np.linspace(0, 1, 49)]
    return {
        "p": modes.p,
        "magnitudes": rounded(modes.magnitudes.astype(float)),
        "shown": list(modes.shown),
        "keys": list(modes.key_modes),
        "keyColours": {str(k): colour for k, colour in colours_of(modes.key_modes).items()},
        "keyRounds": {str(k): turn for k, turn in rounds_of(modes.key_modes).items()},
        # Axes last, so that a script takes the tokens' cosines and sines as they are.
        "positions": rounded(modes.positions.astype(float).swapaxes(2, 3), _POSITION_DIGITS),
        "limit": rounded(1.06 * float(np.abs(modes.positions).max() or 1.0)),
        "ring": ring,
    }


def _losses(record: RunRecord) -> dict[str, Any] | None:
    """Losses with one mode kept or removed, on the test set, or the training set without one."""
    modes, progress = record.table("modes.csv"), record.table("progress.csv")
    if modes is None or progress is None or record.modes is None:
        return None
    what = "test" if modes["kept_test_loss"].notna().any() else "train"

    def wide(name: str) -> np.ndarray:
        return modes.pivot(index="checkpoint", columns="mode", values=name).to_numpy()

    return {
        "what": what,
        "kept": rounded(wide(f"kept_{what}_loss")),
        "removed": rounded(wide(f"removed_{what}_loss")),
        "whole": rounded(progress[f"{what}_loss"].to_numpy()),
        "chance": rounded(math.log(record.modes.p)),
    }


def _trace(record: RunRecord, index: int, trace: LossTraceRecord) -> dict[str, Any]:
    llc = record.tables["llc.csv"]
    own = llc[llc["checkpoint"] == index]
    return {
        "steps": rounded(trace.steps, 6),
        "loss": rounded(trace.loss, 5),
        "factors": rounded(list(trace.step_factors)),
        "numSteps": trace.num_steps,
        "block": trace.block,
        "initial": rounded(trace.initial_loss, 5),
        "nbeta": rounded(trace.nbeta, 6),
        "burnin": int(own["num_burnin_steps"].iloc[0]) if len(own) else 0,
    }


def _principal_components(table: pd.DataFrame | None) -> dict[str, Any]:
    if table is None:
        return {}
    found = {}
    for index, rows in table.groupby("checkpoint"):
        every = max(1, -(-len(rows) // _MOST_POINTS))
        chains = [own.iloc[::every] for _, own in rows.groupby("chain")]
        found[str(index)] = {
            "chain": [int(own["chain"].iloc[0]) for own in chains],
            **{name: _nested(chains, name) for name in ("step", "loss", "pc1", "pc2")},
            "explained": rounded([float(rows[f"explained{i}"].iloc[0]) for i in (1, 2)]),
        }
    return found


def _nested(chains: Sequence[pd.DataFrame], name: str) -> list[Any]:
    return [rounded(own[name].to_numpy()) for own in chains]


def _hessian(record: RunRecord) -> Mapping[str, Any]:
    table, summary = record.table("hessian.csv"), record.table("hessian_summary.csv")
    if table is None or summary is None:
        return {}
    largest, smallest = (table[table["end"] == end] for end in ("largest", "smallest"))
    return {
        str(row.checkpoint): {
            "largest": _eigenvalues(largest, row.checkpoint),
            "smallest": _eigenvalues(smallest, row.checkpoint),
            "ratio": rounded(row.localization / row.nbeta),
            "numParameters": int(row.num_parameters),
            "dimension": rounded(row.effective_dimension),
            "localization": rounded(row.localization),
            "nbeta": rounded(row.nbeta),
        }
        for row in summary.itertuples(index=False)
    }


def _eigenvalues(table: pd.DataFrame, checkpoint: int) -> Any:
    return rounded(table.loc[table["checkpoint"] == checkpoint, "eigenvalue"].to_numpy())
