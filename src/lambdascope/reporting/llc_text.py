"""A table of estimates as text for a terminal, and what it was made by."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from lambdascope.reporting.finding import places
from lambdascope.wording import (
    NORMAL_95,
    OTHER_LOCALIZATIONS,
    aligned,
    checkpoints_named,
    from_to,
    number,
    sentences,
    shown,
    with_error,
)

_COLUMNS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("checkpoint", lambda row: f"{row.checkpoint:d}"),
    ("step", lambda row: f"{row.step:,d}"),
    ("λ̂ ± 95 %", lambda row: with_error(row.llc, NORMAL_95 * row.llc_stderr)),
    ("R-hat", lambda row: shown(row.rhat, ".3f")),
    ("ESS", lambda row: shown(row.ess, ",.0f")),
    ("train loss", lambda row: number(row.train_loss)),
    ("test loss", lambda row: number(row.test_loss)),
    ("loss along chains", lambda row: number(row.mean_loss)),
    ("status", lambda row: row.status),
)
TARGET_SETTINGS = (
    "localization",
    "nbeta",
    "n_multiplier",
    "temp_multiplier",
    "logit_scale",
    "weight_decay",
    "parameters",
    "orthogonal_to_gradient",
)
"""Columns of llc.csv that say what was sampled."""

SAMPLING_ERROR_ONLY = "sampling error only"
"""Of λ̂'s bars where the bias of step and minibatches is not in them."""


def llc_table_text(table: pd.DataFrame) -> str:
    """The table in aligned columns, numbers to the right.

    Args:
        table: One row a checkpoint, as `lambdascope llc` writes it to llc.csv.
    """
    columns = _COLUMNS
    if has_other_localizations(table):
        columns = (*columns[:3], (OTHER_LOCALIZATIONS, other_localizations), *columns[3:])
    rows = [[header for header, _ in columns]]
    rows += [[cell(row) for _, cell in columns] for row in table.itertuples(index=False)]
    return aligned(rows, left={len(columns) - 1})


def has_other_localizations(table: pd.DataFrame) -> bool:
    """Whether λ̂ was estimated at γ/2 and 2γ too, anywhere."""
    return "localization_slope" in table and bool(table["localization_slope"].notna().any())


def other_localizations(row: Any) -> str:
    """λ̂ at γ/2 and at 2γ of a row: 512 … 487."""
    return from_to(row.llc_half_localization, row.llc_double_localization)


def llc_advice(table: pd.DataFrame) -> list[str]:
    """What to try, one line for each reason: where it is, and the advice for the first.

    A status has several reasons: chains that disagree want another cure than chains that still move
    away. Sentences that differ in numbers alone give one reason.

    Args:
        table: As above, with `status` and `advice`. A converged row has none, but `cautions` it may
            have.
    """
    lines = []
    troubled = table[table["status"] != "converged"]
    reasons = troubled["advice"].map(_without_numbers)
    for (status, _), rows in troubled.groupby([troubled["status"], reasons], sort=False):
        where = _where(rows["checkpoint"].tolist(), len(table))
        at_first = f"at {rows['checkpoint'].iloc[0]}, " if rows["advice"].nunique() > 1 else ""
        lines.append(f"{where}: {status}; {at_first}{rows['advice'].iloc[0]}")
    for caution, which in _cautions(table).items():
        lines.append(f"{_where(which, len(table))}: {caution}")
    return lines


def _where(which: Sequence[int], total: int) -> str:
    """Such as "checkpoints 3, 7"; "all 25 checkpoints" where it is all of several."""
    if len(which) == total > 1:
        return f"all {total} checkpoints"
    return checkpoints_named(which)


def _without_numbers(sentence: str) -> str:
    return re.sub(r"\d[\d,.]*", "#", sentence)


def bias_in_brief(table: pd.DataFrame) -> str:
    """What was done about the bias of the step: "… subtracted where it stands out (0 of 25)".

    Args:
        table: As above, of automatic estimates: `llc`, `llc_uncorrected`.
    """
    return (
        "the bias of the step is measured: subtracted where it stands out from its own error "
        f"({corrected_places(table).sum()} of {len(table)}), part of ± elsewhere"
    )


def corrected_places(table: pd.DataFrame) -> "pd.Series[bool]":
    """Of which estimates the bias of the step was subtracted, a row each.

    Args:
        table: As above: `llc`, `llc_uncorrected`.
    """
    return table["llc"].notna() & (table["llc_uncorrected"] != table["llc"])


def cautions_in_brief(table: pd.DataFrame) -> list[str]:
    """Each caution in a few words, and where: "the potential has a slope at w* at step 312".

    Args:
        table: As above, with `cautions`; without, there are none.
    """
    found = []
    for caution, rows in _cautions(table).items():
        words = re.split(r" \(|[,;:] ", caution)[0]
        steps = table.loc[table["checkpoint"].isin(rows), "step"]
        everywhere = len(rows) == len(table) > 1
        where = f"all {len(table)} checkpoints" if everywhere else places(steps)
        found.append(f"{words} at {where}")
    return found


def _cautions(table: pd.DataFrame) -> dict[str, list[int]]:
    """Checkpoints by caution, in their order; a table of an earlier version has none."""
    found: dict[str, list[int]] = {}
    if "cautions" in table:
        for checkpoint, cell in zip(table["checkpoint"], table["cautions"], strict=True):
            for caution in sentences(cell):
                found.setdefault(caution, []).append(int(checkpoint))
    return found


def llc_target(settings: Mapping[str, Any]) -> list[str]:
    """What was sampled, in a few words each: the potential, and what holds the chains.

    λ̂ of a part of the parameters, on a hyperplane, or at another temperature is another quantity:
    every figure and summary names what differs from the plain potential of all parameters.

    Args:
        settings: By the names of `TARGET_SETTINGS`.
    """
    words = []
    if settings["parameters"] != "all":
        moving = settings["parameters"].replace(",", ", ")
        words.append(f"only {moving} may move, the rest stays at w*")
    if settings["orthogonal_to_gradient"]:
        words.append("chains held to the hyperplane across the gradient at w*")
    words.append(f"localisation γ = {settings['localization']:g}")
    words.append(f"nβ = {number(settings['nbeta'])}")
    return [*words, *changed_potential(settings).values()]


def changed_potential(settings: Mapping[str, Any]) -> dict[str, str]:
    """What makes the potential another than the usual one, in words, by the setting's name.

    Args:
        settings: `n_multiplier`, `temp_multiplier`, `logit_scale` and `weight_decay`.
    """
    words = {
        name: f"{what} × {settings[name]:g}"
        for name, what in (
            ("n_multiplier", "with n"),
            ("temp_multiplier", "at the temperature"),
            ("logit_scale", "logits"),
        )
        if settings[name] != 1
    }
    if settings["weight_decay"]:
        words["weight_decay"] = f"weight decay {settings['weight_decay']:g} in the potential"
    return words


def seconds_text(seconds: Mapping[str, float]) -> str:
    """Wall times by part in a line: 24.3 s: prepare 1.2, sample 22.9, figure 0.2."""
    return f"{sum(seconds.values()):.1f} s: {parts_text(seconds)}"


def parts_text(seconds: Mapping[str, float]) -> str:
    """Wall times by part: prepare 1.2, sample 22.9, figure 0.2."""
    return ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
