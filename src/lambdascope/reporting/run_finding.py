"""What a whole run says, in one sentence, from whatever of its tables stands."""

import pandas as pd

from lambdascope.reporting.circuits_text import circuits_count, percent
from lambdascope.reporting.finding import llc_clause
from lambdascope.wording import number

_KINDS = {"neither": "of neither kind"}


def run_finding(
    training: pd.DataFrame | None,
    llc: pd.DataFrame | None,
    circuits: pd.DataFrame | None,
    *,
    diverged_before: int | None = None,
) -> str:
    """λ̂, circuits and verdicts in a sentence; what the network learned, where λ̂ is not known.

    Args:
        training: As training.csv; None if it does not stand.
        llc: As llc.csv.
        circuits: As circuits.csv.
        diverged_before: Step before which the training's loss went to infinity; None if it did not.
    """
    parts = [] if diverged_before is None else [divergence_clause(diverged_before)]
    if llc is not None and len(llc):
        parts.append(llc_clause(llc))
    elif training is not None and len(training):
        parts.append(_training_clause(training))
    if circuits is not None:
        parts.append(circuits_clause(circuits))
    if llc is not None and llc["llc"].notna().any():
        parts.append(converged_clause(llc))
    if not parts:
        return "Training has not come to its end."
    sentence = "; ".join(parts)
    if sentence.startswith("λ̂"):  # a newcomer is told what it is
        sentence = f"the learning coefficient {sentence}"
    return f"{sentence[0].upper()}{sentence[1:]}."


def divergence_clause(step: int) -> str:
    """That training went wrong, and when.

    Args:
        step: Of the first checkpoint without a finite loss.
    """
    return f"training diverged before step {step:,d}"


def circuits_clause(circuits: pd.DataFrame) -> str:
    """How many circuits there are, and of what kinds.

    Args:
        circuits: As circuits.csv, `kind` and `logit_share`; may be empty.
    """
    if circuits.empty:
        return "no circuit"
    counted, count = circuits_count(circuits), len(circuits)
    kinds = circuits["kind"].value_counts(sort=False)
    if len(kinds) == 1:
        kind = _KINDS.get(kinds.index[0], kinds.index[0])
        return f"{counted}: all {kind}" if count > 1 else f"{counted}: {kind}"
    # Those that are nothing in particular come last.
    rows = sorted(kinds.items(), key=lambda one: one[0] == "neither")
    return f"{counted}: {', '.join(f'{many} {_KINDS.get(kind, kind)}' for kind, many in rows)}"


def converged_clause(llc: pd.DataFrame) -> str:
    """How many of the estimates may be believed.

    Args:
        llc: As llc.csv.
    """
    count, good = len(llc), int((llc["status"] == "converged").sum())
    if count == 1:
        return "the estimate converged" if good else f"the estimate: {llc['status'].iloc[0]}"
    said = "all" if good == count else f"{good} of" if good else "none of"
    return f"{said} {count} estimates of λ̂ converged"


def _training_clause(training: pd.DataFrame) -> str:
    last = training.iloc[-1]
    if pd.isna(last["test_loss"]):
        what, loss = "train", last["train_loss"]
    else:
        what, loss = "test", last["test_loss"]
    accuracy = last.get(f"{what}_accuracy", float("nan"))
    share = "" if pd.isna(accuracy) else f", accuracy {percent(accuracy)}"
    return f"{what} loss is {number(loss)} nats{share} at step {last['step']:,.0f}"
