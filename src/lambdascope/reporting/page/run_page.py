"""The page of one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lambdascope.reporting.circuits_text import percent
from lambdascope.reporting.finding import places
from lambdascope.reporting.llc_text import bias_in_brief, cautions_in_brief, corrected_places
from lambdascope.reporting.page.html import page
from lambdascope.reporting.page.record import RunRecord
from lambdascope.reporting.page.run_payload import run_payload
from lambdascope.reporting.page.run_tables import run_tables
from lambdascope.reporting.run_finding import (
    converged_clause,
    divergence_clause,
    run_finding,
)
from lambdascope.wording import number

_SCRIPTS = (
    "page.js",
    "tables.js",
    "slider.js",
    "training_charts.js",
    "mode_charts.js",
    "chain_charts.js",
    "hessian_chart.js",
    "start.js",
)


@dataclass(frozen=True)
class Verdict:
    """A judgement at the top of the page.

    Attributes:
        mark: "good", "warn", or "" for what is no judgement.
        text: A few words.
    """

    mark: str
    text: str


def finding_of(record: RunRecord) -> str:
    """The run in a sentence.

    Args:
        record: The run.
    """
    names = ("training.csv", "llc.csv", "circuits.csv")
    tables = (record.tables.get(name) for name in names)
    return run_finding(*tables, diverged_before=record.diverged_before)


def run_page(record: RunRecord) -> str:
    """The page as HTML.

    Args:
        record: The run.
    """
    values: dict[str, Any] = {
        "record": record,
        "finding": finding_of(record),
        "verdicts": _verdicts(record),
        "facts": _facts(record.settings),
        "tables": run_tables(record),
        "has": {
            "training": record.table("training.csv") is not None,
            "llc": record.table("llc.csv") is not None,
            "posterior": _posterior(record.table("llc.csv")),
            "corrected": _corrected(record.table("llc.csv")),
            "subtracted": _subtracted(record.table("llc.csv")),
            "traces": bool(record.traces),
            "circuits": "circuits.csv" in record.tables,
            "losses": record.table("modes.csv") is not None
            and record.table("progress.csv") is not None,
            "pca": record.table("chains.csv") is not None,
            "hessian": record.table("hessian.csv") is not None,
        },
        "settings": {name: _shown(value) for name, value in record.settings.items()},
        "estimate_settings": _estimate_settings(record.table("llc.csv")),
    }
    return page("run.html", {"kind": "run", **run_payload(record)}, _SCRIPTS, values)


def _verdicts(record: RunRecord) -> list[Verdict]:
    verdicts = []
    if record.diverged_before is not None:
        verdicts.append(Verdict("warn", divergence_clause(record.diverged_before)))
    training, llc = record.table("training.csv"), record.table("llc.csv")
    if training is not None:
        last = training.iloc[-1]
        test = "" if pd.isna(last["test_accuracy"]) else f", test {percent(last['test_accuracy'])}"
        verdicts.append(Verdict("", f"accuracy: train {percent(last['train_accuracy'])}{test}"))
    if llc is not None:
        good = bool((llc["status"] == "converged").all())
        said = converged_clause(llc)
        if not good:
            doubtful = llc[llc["status"] != "converged"].groupby("status", sort=False)
            said += f" ({'; '.join(f'{what} at {places(one.step)}' for what, one in doubtful)})"
        verdicts.append(Verdict("good" if good else "warn", said))
        verdicts.append(
            Verdict("good", f"± is the total error; {bias_in_brief(llc)}")
            if _corrected(llc)
            else Verdict(
                "warn", "± is the sampling error alone; the bias of step and minibatch not measured"
            )
        )
        verdicts += [Verdict("warn", caution) for caution in cautions_in_brief(llc)]
    measures, circuits = record.table("clock_or_pizza.csv"), record.table("circuits.csv")
    if measures is not None and circuits is not None:
        value = dict(zip(measures["measure"], measures["value"], strict=True))
        verdict = measures["verdict"].iloc[0]
        verdicts.append(Verdict("", f"clock or pizza: {verdict}"))
        verdicts.append(
            Verdict(
                "", f"with the circuits alone {percent(value['accuracy_kept'])} of all pairs right"
            )
        )
    return verdicts


def _posterior(llc: pd.DataFrame | None) -> str:
    """What λ̂ depends on, "γ = 5, nβ = 338"; "" where the table does not tell."""
    if llc is None or not {"localization", "nbeta"} <= set(llc.columns) or not len(llc):
        return ""
    row = llc.iloc[0]
    return f"γ = {number(float(row['localization']))}, nβ = {number(float(row['nbeta']))}"


def _corrected(llc: pd.DataFrame | None) -> bool:
    return llc is not None and bool(llc["bias"].notna().any())


def _subtracted(llc: pd.DataFrame | None) -> bool:
    return llc is not None and bool(corrected_places(llc).any())


def _facts(settings: Mapping[str, Any]) -> str:
    """What was trained, in a line."""
    labels = {
        "addition": "a + b mod {p}",
        "random": "random labels, p = {p}",
        "commutative_random": "random labels, the same for (a, b) and (b, a), p = {p}",
    }
    network = {"mlp": "one hidden layer", "transformer": "transformer"}
    parts = [
        labels.get(str(settings.get("task")), "p = {p}").format(p=settings.get("p")),
        network.get(str(settings.get("network")), str(settings.get("network"))),
        f"embedding {settings.get('embed_dim')}, hidden {settings.get('hidden_size')}",
        str(settings.get("activation")),
        f"{settings.get('num_steps'):,} steps",
        f"seed {settings.get('seed')}",
    ]
    return " · ".join(parts)


def _estimate_settings(llc: pd.DataFrame | None) -> dict[str, str]:
    """Columns of the table of estimates that are the same for all: its settings."""
    if llc is None or "sampler" not in llc:
        return {}
    names = list(llc.columns[llc.columns.get_loc("sampler") :])
    return {name: _shown(llc[name].iloc[0]) for name in names}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None:
        return "–"
    return str(value)
