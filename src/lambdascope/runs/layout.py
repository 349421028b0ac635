"""What stands in a run directory beside config.json, by name, and its removal."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import remove_file

# The first goes first: an interrupted clearing must leave a run that looks unfinished.
TRAINING_FILES = (
    "training.csv",
    "diverged.json",
    "training_state.safetensors",
    "checkpoints",
    "data.safetensors",
)
RESULT_FILES = (
    "llc.csv",
    "modes.csv",
    "progress.csv",
    "chains.csv",
    "chains_modes.csv",
    "chains_trace.zarr",
    "chains_trace.zarr.partial",
    "chains_trace.zarr.new",
    "chains_trace.zarr.old",
    "circuits.csv",
    "circuits_over_training.csv",
    "clock_or_pizza.csv",
    "llc_trace.zarr",
    "llc_trace.zarr.partial",
    "llc_trace.zarr.new",
    "llc_trace.zarr.old",
    "llc_automatic",
    "hessian_summary.csv",
    "hessian.csv",
    "hessian_density.csv",
    "figures",
    "report.html",
    "imported.json",
    "commands.json",
)

WRITTEN = (*TRAINING_FILES, *RESULT_FILES)
"""All of it, in the order of its removal."""


def remove_entries(path: Path, names: Sequence[str]) -> None:
    """Remove entries of a run directory; config.json stays, or it would be somebody's other files.

    Raises:
        LambdascopeError: one cannot be removed.
    """
    try:
        for name in names:
            entry = path / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                remove_file(entry)
    except OSError as error:
        raise LambdascopeError(
            f"the run in {path} could not be removed ({error.strerror or error}): give a "
            "writable directory"
        ) from error
