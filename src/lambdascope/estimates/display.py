"""Estimates as tables for a reader: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lambdascope.wording import (
    NORMAL_95,
    OTHER_LOCALIZATIONS,
    aligned,
    checkpoints_named,
    from_to,
    number,
    with_error,
)

if TYPE_CHECKING:
    from lambdascope.estimates.curve import LLCEstimate

_Column = tuple[str, "Callable[[LLCEstimate], str]"]
_COLUMNS: tuple[_Column, ...] = (
    ("checkpoint", lambda one: f"{one.checkpoint:d}"),
    ("λ̂ ± 95 %", lambda one: with_error(one.llc, NORMAL_95 * one.stderr)),
    ("R-hat", lambda one: f"{one.rhat:.3f}"),
    ("ESS", lambda one: f"{one.ess:,.0f}"),
    ("loss at w*", lambda one: number(one.initial_loss)),
    ("mean loss", lambda one: number(one.mean_loss)),
    ("status", lambda one: str(one.status)),
)


def text_table(estimates: Sequence[LLCEstimate]) -> str:
    """One line a checkpoint below a line of headers; the error is that of `LLCEstimate.stderr`.

    Below them, what to try and what to keep in mind, and of which checkpoints.
    """
    columns = _columns(estimates)
    rows = [[header for header, _ in columns]]
    rows += [[cell(one) for _, cell in columns] for one in estimates]
    notes: dict[str, list[int]] = {}
    for one in estimates:
        for sentence in _sentences(one):
            notes.setdefault(sentence, []).append(one.checkpoint)
    below = [f"{checkpoints_named(which)}: {sentence}" for sentence, which in notes.items()]
    return "\n".join([aligned(rows, left={len(columns) - 1}), *below])


def html_table(estimates: Sequence[LLCEstimate]) -> str:
    """The same as an HTML table; below, what to try and what to keep in mind of each estimate."""
    columns = _columns(estimates)
    head = "".join(f"<th>{html.escape(header)}</th>" for header, _ in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell(one))}</td>" for _, cell in columns) + "</tr>"
        for one in estimates
    )
    advice = "".join(
        f"<p>checkpoint {one.checkpoint}: {html.escape(sentence)}</p>"
        for one in estimates
        for sentence in _sentences(one)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{advice}"


def _sentences(one: LLCEstimate) -> list[str]:
    """What to try, where it has not converged, and what to keep in mind."""
    return [*([] if one.status == "converged" else [one.advice]), *one.cautions]


def _columns(
    estimates: Sequence[LLCEstimate],
) -> Sequence[_Column]:
    """Those of all estimates, and λ̂ at other localizations where it was asked for."""
    columns = [*_COLUMNS]
    if any(math.isfinite(one.localization_slope) for one in estimates):
        columns.insert(2, (OTHER_LOCALIZATIONS, _elsewhere))
    # Of a scan, what tells its rows apart.
    if len({one.nbeta for one in estimates}) > 1:
        columns.insert(1, ("nβ", lambda one: number(one.nbeta)))
    if len({one.localization for one in estimates if math.isfinite(one.localization)}) > 1:
        columns.insert(1, ("γ", lambda one: number(one.localization)))
    return columns


def _elsewhere(one: LLCEstimate) -> str:
    return from_to(one.llc_half_localization, one.llc_double_localization)
