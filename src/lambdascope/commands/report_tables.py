"""The tables of a run that its page reads, and what it reads of them."""

from pathlib import Path

import pandas as pd

from lambdascope.errors import LambdascopeError
from lambdascope.reporting.llc_text import TARGET_SETTINGS
from lambdascope.runs.tables import read_table

COLUMNS = {
    "training.csv": "checkpoint step train_loss test_loss train_accuracy test_accuracy weight_norm",
    "llc.csv": "checkpoint step llc llc_stderr rhat ess drift num_chains num_diverged_chains "
    "num_burnin_steps status advice llc_uncorrected bias bias_stderr localization_slope "
    "train_loss test_loss mean_loss sampler " + " ".join(TARGET_SETTINGS),
    "modes.csv": "checkpoint mode kept_test_loss removed_test_loss kept_train_loss "
    "removed_train_loss",
    "progress.csv": "checkpoint train_loss test_loss key_modes",
    "circuits.csv": "frequency kind step_before_formation formation_step first_found_step "
    "magnitude_embedding logit_share loss loss_removed loss_alone num_neurons",
    "clock_or_pizza.csv": "measure value published_clock published_pizza weighed verdict",
    "chains.csv": "checkpoint chain step loss pc1 pc2 explained1 explained2",
    "hessian.csv": "checkpoint end rank eigenvalue",
    "hessian_summary.csv": "checkpoint step num_parameters largest smallest trace trace_stderr "
    "effective_dimension effective_dimension_stderr localization nbeta",
}
"""By table, the columns that a page reads."""
# A network without circuits has a table of these alone, without rows.
_OF_NO_CIRCUIT = ["frequency", "kind"]


def checked_table(path: Path) -> pd.DataFrame:
    """A table of a run, with all that a page reads of it.

    Args:
        path: Named as one of `COLUMNS`.

    Raises:
        LambdascopeError: It is missing, no table, or lacks a column.
    """
    table = read_table(path)
    needed = COLUMNS[path.name].split()
    if path.name == "circuits.csv" and table.empty:
        needed = _OF_NO_CIRCUIT
    missing = [name for name in needed if name not in table]
    if missing:
        raise LambdascopeError(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: it is "
            "broken, or of another version; remove it, and make it again"
        )
    return table
