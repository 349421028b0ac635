"""What a sweep's cells measure of their trained networks, into the rows of their checkpoints."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from lambdascope.commands.hessian import spectrum_of
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.llc_target import llc_posterior
from lambdascope.commands.sweep_config import Settings, settings_of
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import LLCCurve, LLCEstimate, estimate_llc
from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc
from lambdascope.modular_addition.architectures import Network, make_network
from lambdascope.modular_addition.circuits import find_circuits
from lambdascope.modular_addition.training import TrainedRun
from lambdascope.posterior import LocalPosterior
from lambdascope.samplers import SGLD
from lambdascope.sampling import sample
from lambdascope.sampling.engine import batch_elements
from lambdascope.sampling.plan import choose_device, make_plan
from lambdascope.sweeps import Cell

Rows = list[dict[str, Any]]

_CHAINS_ROUNDED_TO = 8


def add_estimates(
    batch: Sequence[Cell], runs: Sequence[TrainedRun], rows: Sequence[Rows]
) -> list[str | None]:
    """Put λ̂ and its diagnostics into the rows of the checkpoints that are wanted.

    The plain estimator takes all cells as one batch. The automatic one takes them one by one: what
    it chooses for a cell must not depend on the cells beside it.

    Returns:
        for each cell why it has no estimate; None if it has.
    """
    found: list[tuple[list[LocalPosterior], list[int], Rows]] = []
    for cell, run, own in zip(batch, runs, rows, strict=True):
        settings = settings_of(cell)
        chosen = settings.checkpoints("llc")
        posteriors = [
            llc_posterior(_network(run, index), run.data.train, settings.llc) for index in chosen
        ]
        labels = [stream_label(f"{cell.key} {index}") for index in chosen]
        found.append((posteriors, labels, [own[index] for index in chosen]))
    llc = settings_of(batch[0]).llc
    if not found[0][0]:
        return [None] * len(batch)
    if llc.is_automatic:
        return [_automatic(posteriors, llc, labels, wanted) for posteriors, labels, wanted in found]
    curve = plain_estimates(
        [posterior for posteriors, _, _ in found for posterior in posteriors],
        llc,
        [label for _, labels, _ in found for label in labels],
    )
    estimates = iter(curve)
    return [_write(wanted, [next(estimates) for _ in wanted]) for _, _, wanted in found]


def _automatic(
    posteriors: Sequence[LocalPosterior], llc: LLCConfig, labels: Sequence[int], wanted: Rows
) -> str | None:
    try:
        return _write(wanted, automatic_estimates(posteriors, llc, labels))
    except LambdascopeError as error:  # of this cell: no step keeps its chains finite
        return str(error)


def plain_estimates(
    posteriors: Sequence[LocalPosterior],
    llc: LLCConfig,
    labels: Sequence[int],
    *,
    full_batch: bool = False,
) -> LLCCurve:
    """λ̂ by SGLD with the settings given.

    Args:
        posteriors: Of one shape.
        llc: The settings.
        labels: A number for each, part of its chains' random streams.
        full_batch: Take all data in every step, whatever the settings say.
    """
    plain = llc.plain()
    kernel = SGLD(step_size=plain.step_size, batch_size=None if full_batch else plain.batch_size)
    trace = sample(
        posteriors,
        kernel,
        chunk_size=_chunk_size(posteriors, kernel, llc),
        num_chains=plain.num_chains,
        num_steps=plain.num_steps,
        seed=llc.seed,
        checkpoints=labels,
        device=llc.device,
        progress=False,
    )
    curve = estimate_llc(trace, burnin=plain.burnin)
    assert isinstance(curve, LLCCurve)  # the trace was made from a list
    return curve


def _chunk_size(posteriors: Sequence[LocalPosterior], kernel: SGLD, llc: LLCConfig) -> int:
    """The usual number of chains at once, rounded up.

    A step is compiled for one number of chains, which takes longer than a small batch's sampling: a
    sweep's last batch, which is smaller, should find the step of the others.
    """
    num_chains = len(posteriors) * llc.plain().num_chains
    plan = make_plan(
        num_chains,
        posteriors[0].num_parameters,
        batch_elements(posteriors[0], kernel),
        choose_device(llc.device),
        None,
    )
    return _CHAINS_ROUNDED_TO * math.ceil(plan.chunk_size / _CHAINS_ROUNDED_TO)


def automatic_estimates(
    posteriors: Sequence[LocalPosterior], llc: LLCConfig, labels: Sequence[int]
) -> LLCCurve:
    """λ̂ with everything chosen, and its total error; arguments as above."""
    # Their chains would cost half as much again, and a sweep has γ as an axis.
    settings = AutomaticSettings(
        target_error=llc.target_error,
        max_steps=llc.max_steps,
        seed=llc.seed,
        localizations=False,
    )
    return automatic_llc(
        posteriors, settings, checkpoints=labels, device=llc.device, progress=False
    ).curve


def estimate_row(one: LLCEstimate) -> dict[str, Any]:
    """An estimate as columns."""
    return {
        "llc": one.llc,
        "llc_stderr": one.stderr,
        "rhat": one.rhat,
        "ess": one.ess,
        "nbeta": one.nbeta,
        "llc_uncorrected": one.llc if math.isnan(one.llc_uncorrected) else one.llc_uncorrected,
        "status": str(one.status),
        "advice": one.advice,
    }


def add_circuits(settings: Settings, run: TrainedRun, rows: Rows) -> None:
    """Put the number of circuits and their frequencies into the rows that are wanted."""
    for index in settings.checkpoints("circuits"):
        search = find_circuits(_network(run, index), error_rate=settings.circuits.error_rate)
        rows[index] |= {
            "num_circuits": len(search.circuits),
            "effective_circuits": search.effective_number,
            "circuits": ",".join(map(str, search.frequencies)) or "none",
        }


def add_hessians(settings: Settings, run: TrainedRun, rows: Rows) -> None:
    """Put the Hessian's spectrum and what it says of λ̂ into the rows that are wanted."""
    llc, config = settings.llc, settings.hessian
    nbeta = settings.inverse_temperature()
    for index in settings.checkpoints("hessian"):
        decay = settings.train.weight_decay if config.weight_decay else 0.0
        spectrum = spectrum_of(
            _network(run, index), run.data.train, config, nbeta=nbeta, weight_decay=decay
        )
        dimension, error = spectrum.effective_dimension(llc.localization / nbeta)
        rows[index] |= {
            "effective_dimension": dimension,
            "effective_dimension_stderr": error,
            "hessian_trace": spectrum.trace,
            "hessian_trace_stderr": spectrum.trace_stderr,
            "hessian_largest": float(spectrum.largest[0]),
            "hessian_smallest": float(spectrum.smallest[0]) if len(spectrum.smallest) else math.nan,
            "eigenvalues": _floats(spectrum.largest),
            "eigenvalues_residual": _floats(spectrum.largest_residual),
            "smallest_eigenvalues": _floats(spectrum.smallest),
            "smallest_eigenvalues_residual": _floats(spectrum.smallest_residual),
        }


def _floats(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values]


def _write(rows: Rows, estimates: Iterable[LLCEstimate]) -> str | None:
    """Put a cell's estimates into its rows; returns where there is none first and why, or None."""
    failures = []
    for row, one in zip(rows, estimates, strict=True):
        row |= estimate_row(one)
        if math.isnan(one.llc):
            where = f"no chain gave an estimate at step {row['step']}"
            failures.append(f"{where}: {one.status}; {one.advice}")
    if not failures:
        return None
    more = f" (and at {len(failures) - 1} more of its checkpoints)" if len(failures) > 1 else ""
    return failures[0] + more


def _network(run: TrainedRun, index: int) -> Network:
    network = make_network(run.config)
    network.load_state_dict(run.weights[index])
    return network


def stream_label(text: str) -> int:
    """A number that no other text has, part of the random streams of the chains it stands for."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
