"""Circuits as text for a terminal: the table, what it says, and what to bear in mind."""

import math
from collections.abc import Callable

import pandas as pd

from lambdascope.reporting.finding import number

_COLUMNS: tuple[tuple[str, Callable[[pd.Series], str]], ...] = (
    ("k", lambda row: f"{row.frequency:d}"),
    ("formed", lambda row: _step(row.formation_step)),
    ("magnitude", lambda row: number(row.magnitude_embedding)),
    ("logit share", lambda row: f"{row.logit_share:.1%}"),
    ("loss removed", lambda row: number(row.loss_removed)),
    ("loss alone", lambda row: number(row.loss_alone)),
    ("phase error", lambda row: f"{row.phase_error_degrees:+.0f}°"),
    ("neurons", lambda row: f"{row.num_neurons:d}"),
    ("kind", lambda row: row.kind),
)


def circuits_table_text(table: pd.DataFrame) -> str:
    """The circuits in aligned columns, numbers to the right.

    Args:
        table: One row a circuit, as `lambdascope circuits` writes it to circuits.csv.
    """
    if table.empty:
        return "No circuit was found."
    rows = [[header for header, _ in _COLUMNS]]
    rows += [[cell(row) for _, cell in _COLUMNS] for row in table.itertuples(index=False)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join([*(c.rjust(w) for c, w in zip(row[:-1], widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    )


def circuits_finding(table: pd.DataFrame, measures: pd.DataFrame) -> str:
    """How many circuits, what they are worth, and clock or pizza, in sentences.

    Args:
        table: As above.
        measures: One row a measure, as `lambdascope circuits` writes it to clock_or_pizza.csv.
    """
    value = dict(zip(measures["measure"], measures["value"], strict=True))
    if table.empty:
        return f"The network holds no circuit (accuracy {value['accuracy']:.1%})."
    count = len(table)
    verdict = measures["verdict"].iloc[0]
    said = {
        "clock": "It is a clock",
        "pizza": "It is a pizza",
        "mixed": "It is a mixture of clock and pizza",
        "neither": "It is neither a clock nor a pizza",
    }[verdict]
    weighed = dict(zip(measures["measure"], measures["weighed"], strict=True))
    forced = "" if weighed["symmetricity"] else " (forced, not weighed)"
    score = "" if math.isnan(value["score"]) else f"score {value['score']:+.2f}, "
    return (
        f"{count} circuit{'s' if count > 1 else ''} (as many as {value['effective_number']:.1f} of "
        f"equal share): alone they keep {value['accuracy_kept'] / value['accuracy']:.1%} of the "
        f"accuracy, without them {value['accuracy_removed']:.1%} of the answers are right. {said}: "
        f"{score}distance irrelevance {value['distance_irrelevance']:.2f}, gradient symmetricity "
        f"{value['symmetricity']:.2f}{forced}, circularity {value['circularity']:.3f}."
    )


def circuits_notes(p: int, task: str, network: str) -> list[str]:
    """What is different at this modulus or task; nothing for addition modulo a prime.

    Args:
        p: The modulus.
        task: The labels that the network was trained on.
        network: The architecture.
    """
    notes = []
    if p % 2 == 0:
        notes.append(
            f"p = {p} is even: mode {p // 2} has two points and no sine, and the fit of an "
            "accompanying circle is not defined."
        )
    if any(p % k == 0 for k in range(2, math.isqrt(p) + 1)):
        notes.append(
            f"p = {p} is composite: the circle of a mode k that shares a factor g with p has p/g "
            "points, on each of which g tokens lie."
        )
    if task != "addition":
        notes.append(
            f"The labels of this run are {task}: losses and accuracies here are those of addition, "
            "which it was not trained on."
        )
    if network == "transformer":
        notes.append(
            "Magnitudes are of the token embedding, without positions; neurons are those of the "
            "MLP at the last position."
        )
    return notes


def _step(value: float) -> str:
    return "never rose" if math.isnan(value) else f"{value:,.0f}"
