"""The tables of a run's page."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from lambdascope.reporting.circuits_text import logit_share, percent
from lambdascope.reporting.llc_text import has_other_localizations, other_localizations
from lambdascope.reporting.page.record import RunRecord
from lambdascope.reporting.page.table import Column, PageTable, page_table
from lambdascope.wording import (
    NORMAL_95,
    OTHER_LOCALIZATIONS,
    estimated,
    number,
    sentences,
    with_error,
)

_CHECKPOINT = Column("Checkpoint", lambda r: f"{r.checkpoint:d}", lambda r: r.checkpoint)
_STEP = Column("Step", lambda r: f"{r.step:,d}", lambda r: r.step)
_MEASURES = {
    "symmetricity": "Gradient symmetricity",
    "symmetricity_weight": "Weight of the symmetricity in the score",
    "distance_irrelevance": "Distance irrelevance",
    "circularity": "Circularity",
    "score": "Score (-1 clock … +1 pizza)",
    "logit_share_judged": "Share of the logits that the score rests on",
    "num_circuits": "Circuits",
    "effective_number": "Effective number of circuits",
    "loss": "Loss of a + b mod p over all pairs (nats)",
    "accuracy": "Accuracy over all pairs",
    "accuracy_kept": "Accuracy with the circuits alone",
    "accuracy_removed": "Accuracy without the circuits",
    "held_out_accuracy": "Accuracy of the pairs held out of training",
    "held_out_accuracy_kept": "The same with the circuits alone",
    "held_out_accuracy_removed": "The same without the circuits",
}


def run_tables(record: RunRecord) -> list[PageTable]:
    """All tables whose files stand.

    Args:
        record: The run.
    """
    tables: list[PageTable] = []
    for file, makers in _MAKERS.items():
        table = record.tables.get(file)
        if table is not None and (len(table) or file == "circuits.csv"):
            tables += [make(record, table) for make in makers]
    return tables


def _estimates(record: RunRecord, table: pd.DataFrame) -> PageTable:
    columns = [
        _CHECKPOINT,
        _STEP,
        Column("λ̂ ± 95 %", lambda r: with_error(r.llc, NORMAL_95 * r.llc_stderr), lambda r: r.llc),
    ]
    if table["bias"].notna().any():
        columns += [
            Column("Uncorrected", lambda r: number(r.llc_uncorrected), lambda r: r.llc_uncorrected),
            Column(
                "Bias ± s.e.",
                lambda r: estimated(r.bias, r.bias_stderr),
                lambda r: r.bias,
                title="of step and minibatch: uncorrected λ̂ less λ̂ where it was subtracted, in the "
                "error of λ̂ where it does not stand out from its own",
            ),
        ]
    if has_other_localizations(table):
        columns.append(
            Column(
                OTHER_LOCALIZATIONS,
                other_localizations,
                lambda r: r.localization_slope,
                title="by short chains: how far λ̂ follows γ; sorted by the share of γ",
            )
        )
    columns += [
        _quantity("Train loss (nats)", "train_loss"),
        _quantity("Test loss (nats)", "test_loss"),
        _quantity("Loss along the chains (nats)", "mean_loss"),
        _verdict("Verdict"),
    ]
    return _of_file(
        record,
        "llc.csv",
        table,
        "estimates",
        "Estimates of λ̂",
        "One row a checkpoint; ± is the 95 % interval. Choose a row to show its checkpoint above.",
        columns,
    )


def _diagnostics(record: RunRecord, table: pd.DataFrame) -> PageTable:
    limits = record.thresholds
    columns = [
        _CHECKPOINT,
        _STEP,
        _verdict("Verdict"),
        Column("What it means, what to try", _meaning, text=True, long=True),
        Column("R-hat", lambda r: f"{r.rhat:.3f}", lambda r: r.rhat),
        Column("ESS", lambda r: number(r.ess), lambda r: r.ess),
        Column("Drift (s.e.)", lambda r: f"{r.drift:+.1f}", lambda r: r.drift),
        Column(
            "Diverged chains",
            lambda r: f"{r.num_diverged_chains:d} of {r.num_chains:d}",
            lambda r: r.num_diverged_chains,
        ),
        Column(
            "Burn-in (steps)", lambda r: f"{r.num_burnin_steps:,d}", lambda r: r.num_burnin_steps
        ),
    ]
    if has_other_localizations(table):
        columns.append(
            Column(
                "Fall with γ",
                lambda r: _fixed(r.localization_slope, 2),
                lambda r: r.localization_slope,
                title="−d log λ̂ / d log γ: 0 where λ̂ is the network's own, 1 where γ makes it; "
                "negative where λ̂ rises with γ, since looser chains find places of lower loss",
            )
        )
    return page_table(
        "diagnostics",
        "Can the estimates be believed?",
        f"R-hat is 1 where the chains agree, doubtful above {limits['rhat']:g}. ESS is the "
        f"number of independent draws that the chains are worth; {limits['ess']:g} are needed. "
        "Drift compares the second half of the chains with the first, in standard errors; doubtful "
        f"beyond ±{limits['drift']:g}. Chains are doubtful, too, by their distance ‖w − w*‖ from "
        "the checkpoint's weights: while its square grows by more than "
        f"{100 * limits['growth']:g} % from half to half, where it differs between chains (R-hat "
        f"of its square above {limits['distance_rhat']:g}), or where it is more than "
        f"{limits['reach']:.1f} times what localisation alone allows; the advice then says so.",
        columns,
        table,
    )


def _circuits(record: RunRecord, table: pd.DataFrame) -> PageTable:
    columns = [
        Column("Mode k", lambda r: f"{r.frequency:d}", lambda r: r.frequency),
        Column("Kind", lambda r: r.kind, text=True),
        Column(
            "First found at step",
            lambda r: _or_dash(r.first_found_step, "{:,.0f}".format),
            lambda r: r.first_found_step,
        ),
        Column(
            "Formed between steps",
            _formation,
            lambda r: r.formation_step,
            title="the best split of its share into two levels, in hindsight",
        ),
        _quantity("Magnitude", "magnitude_embedding"),
        Column(
            "Logit share",
            lambda r: logit_share(r.logit_share),
            lambda r: r.logit_share,
            title="share of the logits' variance that are waves of this mode",
        ),
        Column(
            "Loss without it (nats)",
            lambda r: number(r.loss_removed),
            lambda r: r.loss_removed,
            title="over all pairs, with this mode removed from the embedding",
        ),
        Column(
            "Loss of it alone (nats)",
            lambda r: number(r.loss_alone),
            lambda r: r.loss_alone,
            title="over all pairs, with no other mode in the embedding",
        ),
        Column("Neurons", lambda r: f"{r.num_neurons:d}", lambda r: r.num_neurons),
    ]
    note = (
        "A circuit is a mode that the network adds with, found by a rule with a stated error rate. "
        "Clock and pizza are two ways to add on a circle; neither: it fits neither of them."
        if len(table)
        else "No circuit was found at the last checkpoint."
    )
    return _of_file(
        record,
        "circuits.csv",
        table,
        "circuits",
        "Circuits at the last checkpoint",
        note,
        columns if len(table) else [],
    )


def _measures(record: RunRecord, table: pd.DataFrame) -> PageTable:
    verdict = table["verdict"].iloc[0]
    columns = [
        Column("Measure", lambda r: _MEASURES.get(r.measure, r.measure), text=True),
        Column("This network", _measure, lambda r: r.value),
        Column("Published clock", lambda r: _fixed(r.published_clock, 3)),
        Column("Published pizza", lambda r: _fixed(r.published_pizza, 3)),
        Column("Weighed", lambda r: "yes" if r.weighed and r.measure != "score" else "", text=True),
    ]
    return _of_file(
        record,
        "clock_or_pizza.csv",
        table,
        "measures",
        f"Clock or pizza? Verdict: {verdict}",
        "Published values: Zhong et al. 2023 (arXiv 2306.17844). The measures marked as "
        "weighed decide the verdict, together with the circuits' own kinds.",
        columns,
    )


def _hessian(record: RunRecord, table: pd.DataFrame) -> PageTable:
    columns = [
        _CHECKPOINT,
        _STEP,
        _quantity("Largest eigenvalue", "largest"),
        _quantity("Smallest eigenvalue", "smallest"),
        Column(
            "Trace ± 95 %",
            lambda r: estimated(r.trace, NORMAL_95 * r.trace_stderr),
            lambda r: r.trace,
        ),
        Column(
            "Effective dimension ± 95 %",
            lambda r: estimated(r.effective_dimension, NORMAL_95 * r.effective_dimension_stderr),
            lambda r: r.effective_dimension,
            title="½ Σ h/(h + γ/nβ) over all eigenvalues h: λ̂ if the loss were quadratic. Where "
            "chains feel more than the quadratic part, or λ̂ has a bias, the two differ.",
        ),
        Column("Parameters", lambda r: f"{r.num_parameters:,d}", lambda r: r.num_parameters),
    ]
    return _of_file(
        record,
        "hessian_summary.csv",
        table,
        "hessian",
        "Curvature of the training loss",
        "Eigenvalues in loss/parameter².",
        columns,
    )


def _training(record: RunRecord, table: pd.DataFrame) -> PageTable:
    columns = [
        _CHECKPOINT,
        _STEP,
        _quantity("Train loss (nats)", "train_loss"),
        _quantity("Test loss (nats)", "test_loss"),
        _share("Train accuracy", "train_accuracy"),
        _share("Test accuracy", "test_accuracy"),
        _quantity("‖w‖", "weight_norm"),
    ]
    return _of_file(
        record,
        "training.csv",
        table,
        "training",
        "Training",
        "Losses and accuracies on the whole training and test sets; ‖w‖ is the norm of all "
        "weights.",
        columns,
    )


_MAKERS: dict[str, Sequence[Callable[[RunRecord, pd.DataFrame], PageTable]]] = {
    "llc.csv": (_estimates, _diagnostics),
    "circuits.csv": (_circuits,),
    "clock_or_pizza.csv": (_measures,),
    "hessian_summary.csv": (_hessian,),
    "training.csv": (_training,),
}


def _of_file(
    record: RunRecord,
    file: str,
    table: pd.DataFrame,
    name: str,
    title: str,
    note: str,
    columns: Sequence[Column],
) -> PageTable:
    """The table of a file, which can be saved from it."""
    return page_table(name, title, note, columns, table, file=file, text=record.files[file])


def _quantity(header: str, name: str) -> Column:
    return Column(header, lambda r: _or_dash(getattr(r, name), number), lambda r: getattr(r, name))


def _share(header: str, name: str) -> Column:
    return Column(header, lambda r: _or_dash(getattr(r, name), percent), lambda r: getattr(r, name))


def _verdict(header: str) -> Column:
    return Column(
        header, lambda r: r.status, text=True, verdict=lambda r: bool(r.status == "converged")
    )


def _measure(row: Any) -> str:
    return f"{row.value:.0f}" if row.measure == "num_circuits" else _fixed(row.value, 3)


def _formation(row: Any) -> str:
    if math.isnan(row.formation_step):
        return "no rise beyond chance"
    return f"{row.step_before_formation:,.0f} and {row.formation_step:,.0f}"


def _fixed(value: float, decimals: int) -> str:
    return _or_dash(value, f"{{:.{decimals}f}}".format)


def _or_dash(value: float, text: Callable[[float], str]) -> str:
    return "–" if math.isnan(value) else text(value)


def _sentence(text: str) -> str:
    return text if text.startswith("λ") else text[:1].upper() + text[1:]  # Λ is another symbol


def _meaning(row: Any) -> str:
    """A verdict's advice, and what else to keep in mind."""
    all_of_it = (str(row.advice), *sentences(getattr(row, "cautions", "")))
    return " ".join(_sentence(one.rstrip(".")) + "." for one in all_of_it)
