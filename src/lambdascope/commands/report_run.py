"""A run directory read for its page: whatever of tables, traces and weights is there."""

import math
from pathlib import Path

import pandas as pd

from lambdascope.commands.command_lines import arguments_of, command_line
from lambdascope.commands.report_tables import COLUMNS, checked_table
from lambdascope.commands.report_traces import loss_traces
from lambdascope.commands.systems import LoadedRun, load_run
from lambdascope.commands.training_record import diverged_before
from lambdascope.estimates.verdict import (
    FEWEST_EFFECTIVE_DRAWS,
    LARGEST_DISTANCE_RHAT,
    LARGEST_DRIFT,
    LARGEST_GROWTH,
    LARGEST_REACH,
    LARGEST_RHAT,
)
from lambdascope.modular_addition.maps import token_maps
from lambdascope.modular_addition.modes import mode_coordinates, mode_magnitudes
from lambdascope.reporting.page.record import ModeRecord, RunRecord, StepRecord
from lambdascope.runs.history import CommandRecord, read_commands

_COMMANDS = ("train", "import-legacy", "llc", "fourier", "circuits", "chains", "hessian")
# The picture shows the circuits, and the largest others up to this many.
_FEWEST_PICTURES, _MOST_PICTURES = 8, 12
_NAMED_WITHOUT_CIRCUITS = 3


def read_run(path: Path) -> RunRecord:
    """Read a run.

    Args:
        path: A run directory, finished or not.

    Raises:
        LambdascopeError: It is no run directory, or something in it is broken.
    """
    loaded = load_run(path)
    present = [name for name in COLUMNS if (path / name).is_file()]
    tables = {name: checked_table(path / name) for name in present}
    llc = tables.get("llc.csv")
    recorded = read_commands(path)
    return RunRecord(
        name=path.resolve().name,
        settings=loaded.directory.config,
        versions=f"lambdascope {loaded.directory.lambdascope_version}",
        steps=loaded.steps,
        tables=tables,
        files={name: (path / name).read_text(encoding="utf-8") for name in present},
        modes=_modes(loaded, tables) if loaded.steps else None,
        traces={} if llc is None else loss_traces(path, llc),
        made_by=[_step(name, path, recorded[name]) for name in _COMMANDS if name in recorded],
        suggestions={
            "train": command_line("train", path, arguments_of(loaded.config)),
            **{name: command_line(name, path, _as_sampled(name, llc)) for name in _COMMANDS[2:]},
        },
        diverged_before=diverged_before(loaded.directory),
        thresholds=_thresholds(llc),
    )


def _as_sampled(command: str, llc: pd.DataFrame | None) -> list[str]:
    """Flags with which `chains` samples on the hyperplane on which λ̂ was estimated, if on one."""
    name = "orthogonal_to_gradient"
    if command != "chains" or llc is None or llc.empty or name not in llc:
        return []
    return ["--orthogonal-to-gradient"] if bool(llc[name].iloc[0]) else []


def _thresholds(llc: pd.DataFrame | None) -> dict[str, float]:
    """What the verdicts asked; a table of an earlier version does not say."""
    asked = {"rhat": LARGEST_RHAT, "ess": FEWEST_EFFECTIVE_DRAWS}
    for name, column in (("rhat", "largest_rhat"), ("ess", "fewest_effective_draws")):
        if llc is not None and len(llc) and column in llc:
            asked[name] = float(llc[column].iloc[0])
    return {
        **asked,
        "drift": LARGEST_DRIFT,
        "growth": LARGEST_GROWTH,
        "distance_rhat": LARGEST_DISTANCE_RHAT,
        "reach": math.sqrt(LARGEST_REACH),
    }


def _modes(loaded: LoadedRun, tables: dict[str, pd.DataFrame]) -> ModeRecord:
    embedding = token_maps(loaded.stacked_weights())["embedding"]
    magnitudes = mode_magnitudes(embedding)[:, 1:].numpy()
    largest = (magnitudes[-1].argsort()[::-1] + 1).tolist()
    keys = _circuits(tables)
    are_circuits = bool(keys)
    keys = keys or largest[:_NAMED_WITHOUT_CIRCUITS]
    count = min(max(len(keys), _FEWEST_PICTURES), _MOST_PICTURES, len(largest))
    shown = sorted([*keys, *(k for k in largest if k not in keys)][:count])
    return ModeRecord(
        p=loaded.config.p,
        magnitudes=magnitudes,
        shown=shown,
        key_modes=keys,
        are_circuits=are_circuits,
        positions=mode_coordinates(embedding)[:, shown].numpy(),
    )


def _circuits(tables: dict[str, pd.DataFrame]) -> list[int]:
    """The circuits found at the last checkpoint, or the key modes that `fourier` was given."""
    circuits, progress = tables.get("circuits.csv"), tables.get("progress.csv")
    if circuits is not None and len(circuits):
        return [int(k) for k in circuits["frequency"]]
    if progress is not None and len(progress):
        # One mode reads as a number, several as text, none as a missing value.
        held = progress["key_modes"].iloc[-1]
        return [] if pd.isna(held) else [int(float(k)) for k in str(held).split()]
    return []


def _step(name: str, path: Path, record: CommandRecord) -> StepRecord:
    return StepRecord(name, command_line(name, path, record.arguments), str(record.versions))
