"""Estimates as tables for a reader: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lambdascope.wording import NORMAL_95, aligned, number, with_error

if TYPE_CHECKING:
    from lambdascope.estimates.curve import LLCEstimate

_COLUMNS: tuple[tuple[str, Callable[[LLCEstimate], str]], ...] = (
    ("checkpoint", lambda one: f"{one.checkpoint:d}"),
    ("λ̂ ± 95 %", lambda one: with_error(one.llc, NORMAL_95 * one.stderr)),
    ("R-hat", lambda one: f"{one.rhat:.3f}"),
    ("ESS", lambda one: f"{one.ess:,.0f}"),
    ("loss at w*", lambda one: number(one.initial_loss)),
    ("mean loss", lambda one: number(one.mean_loss)),
    ("status", lambda one: str(one.status)),
)


def text_table(estimates: Sequence[LLCEstimate]) -> str:
    """One line a checkpoint below a line of headers; the error is that of `LLCEstimate.stderr`."""
    rows = [[header for header, _ in _COLUMNS]]
    rows += [[cell(one) for _, cell in _COLUMNS] for one in estimates]
    return aligned(rows, left={len(_COLUMNS) - 1})


def html_table(estimates: Sequence[LLCEstimate]) -> str:
    """The same as an HTML table; below, what to try and what to keep in mind of each estimate."""
    head = "".join(f"<th>{html.escape(header)}</th>" for header, _ in _COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell(one))}</td>" for _, cell in _COLUMNS) + "</tr>"
        for one in estimates
    )
    advice = "".join(
        f"<p>checkpoint {one.checkpoint}: {html.escape(sentence)}</p>"
        for one in estimates
        for sentence in (*([] if one.status == "converged" else [one.advice]), *one.cautions)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{advice}"
