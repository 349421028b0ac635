"""Circuits as text for a terminal: the table, what it says, and what to bear in mind."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from lambdascope.wording import UNKNOWN, aligned, number, shown

FAINT = 0.01
"""Share of the logits below which a circuit is said to be faint: a companion, or a remnant. It is
held against the share itself, and `logit_share` writes what shows on which side a share is."""

_LEAST_KEPT, _MOST_ABOVE_CHANCE = 0.95, 0.03
"""Of circuits that account for what the network adds: the accuracy that they keep alone, over the
network's, and how far the accuracy without them lies above chance."""

_FEW = 4
"""Circuits: where fewer can be found, that is said."""


def percent(share: float) -> str:
    """A share of one, to a tenth of a percent."""
    return f"{100 * share:.1f} %"


def logit_share(share: float) -> str:
    """A circuit's share of the logits, to a tenth of a percent; of a faint circuit, to a hundredth.

    What is below `FAINT` never reads as that, and what is less than 0.1 % is so said.

    Args:
        share: Of one.
    """
    if share < 0.001:
        return "< 0.1 %"
    if share >= FAINT:
        return percent(share)
    written = f"{100 * share:.2f}"
    return f"{written} %" if float(written) < 100 * FAINT else f"< {100 * FAINT:g} %"


def is_faint(table: pd.DataFrame) -> pd.Series:
    """Which circuits have less than `FAINT` of the logits.

    Args:
        table: One row a circuit: `logit_share`, of one.
    """
    return table["logit_share"] < FAINT


def circuits_count(table: pd.DataFrame) -> str:
    """How many circuits there are, in the same words wherever they are counted.

    Args:
        table: One row a circuit, at least one: `logit_share`, of one.
    """
    count, faint = len(table), int(is_faint(table).sum())
    counted = f"{count} circuit{'s' if count > 1 else ''}"
    if faint == 0:
        return counted
    below = f"faint (< {100 * FAINT:g} % of the logits)"
    if count == 1:
        return f"{counted}, {below}"
    return f"{counted}, {'all' if faint == count else faint} of them {below}"


_COLUMNS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("k", lambda row: f"{row.frequency:d}"),
    ("first found", lambda row: _step(row.first_found_step)),
    ("rises", lambda row: _span(row)),
    ("formed", lambda row: _step(row.formation_step)),
    ("magnitude", lambda row: number(row.magnitude_embedding)),
    ("logit share", lambda row: logit_share(row.logit_share)),
    ("loss without it", lambda row: number(row.loss_removed)),
    ("loss alone", lambda row: number(row.loss_alone)),
    ("phase error", lambda row: f"{round(row.phase_error_degrees) + 0:+d}°"),
    ("neurons", lambda row: f"{row.num_neurons:d}"),
    ("kind", lambda row: row.kind),
)


def circuits_table_text(table: pd.DataFrame) -> str:
    """The circuits in aligned columns, numbers to the right; nothing without circuits.

    Args:
        table: One row a circuit, as `lambdascope circuits` writes it to circuits.csv.
    """
    if table.empty:
        return ""
    rows = [[header for header, _ in _COLUMNS]]
    rows += [[cell(row) for _, cell in _COLUMNS] for row in table.itertuples(index=False)]
    return aligned(rows, left={len(_COLUMNS) - 1})


def circuits_finding(table: pd.DataFrame, measures: pd.DataFrame, p: int) -> list[str]:
    """How many circuits, what they are worth, and clock or pizza, in sentences.

    Args:
        table: As above.
        measures: One row a measure, as `lambdascope circuits` writes it to clock_or_pizza.csv.
        p: The modulus.

    Returns:
        A paragraph each.
    """
    value = dict(zip(measures["measure"], measures["value"], strict=True))
    count_right = round(value["accuracy"] * p * p)
    right = (
        f"Of all {p * p:,} pairs, training and test alike, {count_right:,} are added rightly "
        f"({percent(value['accuracy'])}"
    )
    guessing = f"by guessing {percent(1 / p)}"
    if table.empty:
        return [f"No circuit was found at the last checkpoint. {right}; {guessing})."]
    count = len(table)
    plural = "s" if count > 1 else ""
    weights = (
        f"; by their shares they weigh as many as {value['effective_number']:.1f} equal ones, "
        "(Σ share)² / Σ share²"
    )
    return [
        f"{circuits_count(table)}{weights if count > 1 else ''}. {right}; with the circuit{plural} "
        f"alone {percent(value['accuracy_kept'])}, without {'them' if count > 1 else 'it'} "
        f"{percent(value['accuracy_removed'])}, {guessing}).{_held_out(value)}",
        *_unaccounted(value, p),
        _verdict(value, measures),
    ]


def _held_out(value: Mapping[str, float]) -> str:
    """The same of the pairs that were held out of training, where there are such."""
    if math.isnan(value.get("held_out_accuracy", math.nan)):
        return ""
    return (
        f" Of those held out of training: {percent(value['held_out_accuracy'])}, "
        f"{percent(value['held_out_accuracy_kept'])} and "
        f"{percent(value['held_out_accuracy_removed'])}."
    )


def _unaccounted(value: Mapping[str, float], p: int) -> list[str]:
    """What the circuits leave open, if anything."""
    kept = value["accuracy_kept"] / value["accuracy"] if value["accuracy"] > 0 else 1.0
    above = value["accuracy_removed"] - 1 / p
    said = []
    if kept < _LEAST_KEPT:
        said.append(
            f"alone they keep {percent(kept)} of the accuracy, less than {100 * _LEAST_KEPT:g} %"
        )
    if above > _MOST_ABOVE_CHANCE:
        said.append(
            f"without them the network is right {100 * above:.1f} points more often than by "
            f"guessing, more than {100 * _MOST_ABOVE_CHANCE:g}"
        )
    return [f"The circuits found are not all it adds with: {'; '.join(said)}."] if said else []


def _verdict(value: Mapping[str, float], measures: pd.DataFrame) -> str:
    said = {
        "clock": "The network is a clock",
        "pizza": "The network is a pizza",
        "mixed": "The network is a mixture of clock and pizza",
        "neither": "The network is neither a clock nor a pizza",
    }[measures["verdict"].iloc[0]]
    weighed = dict(zip(measures["measure"], measures["weighed"], strict=True))
    of_symmetricity = " (the architecture decides it: not weighed)"
    if weighed["symmetricity"]:
        weight = value.get("symmetricity_weight", 1.0)
        of_symmetricity = "" if weight == 1 else f" (weighed by the attention rate, {weight:g})"
    score = "no circle is a clock's or a pizza's"
    if not math.isnan(value["score"]):
        score = (
            f"score {value['score']:+.2f} from -1, clock, to +1, pizza; a third is a verdict; it "
            f"rests on circles with {percent(value['logit_share_judged'])} of the logits"
        )
    return (
        f"{said} ({score}): distance irrelevance "
        f"{shown(value['distance_irrelevance'], '.2f')}, gradient symmetricity "
        f"{shown(value['symmetricity'], '.2f')}{of_symmetricity}, circularity "
        f"{shown(value['circularity'], '.3f')}."
    )


def circuits_notes(
    p: int, task: str, network: str, *, chance_of_a_perfect_circle: float | None = None
) -> list[str]:
    """What is different at this modulus or task; nothing for addition modulo a larger prime.

    Args:
        p: The modulus.
        task: The labels that the network was trained on.
        network: The architecture.
        chance_of_a_perfect_circle: With classes named at random; None where it is below the error
            rate, so that circuits can be found.
    """
    notes = []
    if chance_of_a_perfect_circle is not None:
        notes.append(
            f"p = {p} is too small for this error rate: even a perfect circle would come about by "
            f"chance at {percent(chance_of_a_perfect_circle)}, so none can be found."
        )
    elif p // 4 < _FEW:
        notes.append(
            f"p = {p} has {p // 2} modes, and a circuit must exceed their median: at most {p // 4} "
            "can be found."
        )
    if p % 2 == 0:
        notes.append(
            f"p = {p} is even: mode {p // 2} has two points and no sine, and the fit of an "
            "accompanying circle is not defined."
        )
    if p % 3 == 0:
        notes.append(
            f"p = {p} is a multiple of 3: mode {p // 3} is its own double, and its kind rests on "
            "the fits alone."
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


def _span(row: Any) -> str:
    """Between which steps its share goes from a tenth to nine tenths of its rise."""
    if math.isnan(row.rise_begins_step):
        return UNKNOWN
    return f"{row.rise_begins_step:,.0f}–{row.rise_ends_step:,.0f}"


def _step(value: float) -> str:
    return "no date" if math.isnan(value) else f"{value:,.0f}"
