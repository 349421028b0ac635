"""`lambdascope llc`: λ̂ of a run's checkpoints, as a table, a trace and a figure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from lambdascope.commands.command_lines import arguments_of, command_line
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.llc_sampling import sampler_of
from lambdascope.commands.llc_target import llc_posterior
from lambdascope.commands.standing_traces import CHAINS_STOOD, StandingTraces
from lambdascope.commands.systems import LoadedRun, check_finished, chosen_checkpoints, load_run
from lambdascope.posterior import LocalPosterior
from lambdascope.progress import tracked
from lambdascope.reporting.finding import llc_finding, llc_headline
from lambdascope.reporting.llc_figure import llc_figure
from lambdascope.reporting.llc_text import (
    cautions_in_brief,
    llc_advice,
    llc_table_text,
    seconds_text,
)
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes
from lambdascope.runs.history import record_command
from lambdascope.runs.settings import contents, stands
from lambdascope.runs.tables import write_table
from lambdascope.threads import one_thread

_TABLE, _FIGURE = "llc.csv", "llc_vs_checkpoint.png"


@dataclass(frozen=True)
class LLCResult:
    """What the command found and where it is.

    Attributes:
        table: One row a checkpoint, as in llc.csv.
        finding: The curve in words.
        caption: How it was made.
        choices: What was chosen and why, a sentence each; none where the user chose.
        table_path: llc.csv.
        figure_path: The figure.
        seconds: Wall time of each part: prepare, compile, sample, figure.
        stood: Whether all chains stood already, finished, and none was sampled again.
        outdated: What in the run's directory shows another λ̂ or none, and what makes it anew, a
            sentence each.
    """

    table: pd.DataFrame
    finding: str
    caption: str
    choices: tuple[str, ...]
    table_path: Path
    figure_path: Path
    seconds: dict[str, float]
    stood: bool
    outdated: tuple[str, ...] = ()


def llc(
    run: Path, config: LLCConfig, *, overwrite: bool = False, progress: bool = True
) -> LLCResult:
    """Estimate λ̂ around checkpoints of a run, all chains of all of them as one batch.

    An interrupted call goes on from its trace; a finished one reads it.

    Args:
        run: A run directory.
        config: How to sample and average.
        overwrite: Replace results with other settings.
        progress: Show a progress bar, and say from where interrupted sampling goes on.

    Returns:
        The table with its finding and paths. Written are llc.csv,
        figures/llc_vs_checkpoint.png, and llc_trace.zarr or, of an automatic estimate, the traces
        in llc_automatic.

    Raises:
        LambdascopeError: The run cannot be read, a checkpoint does not exist, the directory holds
            results with other settings, or the settings do not fit the network.
    """
    begun = time.perf_counter()
    loaded = load_run(run)
    chosen = _chosen(loaded, config)
    posteriors, losses = _posteriors(loaded, chosen, config, progress=progress)
    sampler = sampler_of(config, posteriors[0])
    table_path = loaded.directory.path / _TABLE
    stands(table_path, sampler.settings, overwrite=overwrite, checkpoints=chosen)
    figure_path = loaded.directory.figures / _FIGURE
    traces = StandingTraces(loaded.directory.path / sampler.traces)
    if progress:
        for sentence in traces.resumed(sampler.traced_settings(chosen)):
            print(sentence)
    started = time.perf_counter()
    sampled = sampler.run(
        posteriors, chosen, loaded.directory.path, overwrite=overwrite, progress=progress
    )
    finished = time.perf_counter()
    table = _table(
        sampled.curve.to_dataframe(), [loaded.steps[index] for index in chosen], losses
    ).assign(**sampled.columns, **sampler.settings)
    finding = llc_finding(table)
    assert loaded.metrics is not None  # the run is finished
    figure = llc_figure(
        table,
        loaded.metrics,
        title=llc_headline(table),
        caption=" · ".join([sampled.caption, *cautions_in_brief(table)]),
    )
    atomic_write_bytes(figure_path, png_bytes(figure))
    before = contents([table_path])
    write_table(table_path, table)
    is_new = contents([table_path]) != before
    record_command(loaded.directory.path, "llc", arguments_of(config))
    seconds = {
        "prepare": started - begun,
        **sampled.seconds,
        "figure": time.perf_counter() - finished,
    }
    return LLCResult(
        table,
        finding,
        sampled.caption,
        sampled.choices,
        table_path,
        figure_path,
        seconds,
        stood=traces.left_alone(),
        outdated=_outdated(loaded.directory.path) if is_new else (),
    )


def print_result(result: LLCResult, *, timing: bool = True) -> None:
    """What was found, how, and where everything is, on standard output.

    Args:
        result: As `llc` returned it.
        timing: Close with the seconds of each part.
    """
    print(llc_table_text(result.table))
    print(f"  made by: {result.caption}")
    for line in result.choices:
        print(f"  {line}")
    for line in llc_advice(result.table):
        print(f"  {line}")
    print(f"\n{result.finding}\n")
    if result.stood:
        print(f"{CHAINS_STOOD}\n")
    for line in result.outdated:
        print(line)
    print(f"{result.table_path}\n{result.figure_path}")
    if timing:
        print(f"\n{seconds_text(result.seconds)}")


# What shows λ̂ beside something else, and the command that draws it.
_SHOWN_IN = {
    "figures/circuits_formation.png": "circuits",
    "figures/hessian_effective_dimension.png": "hessian",
    "report.html": "report",
}


def _outdated(run: Path) -> tuple[str, ...]:
    """What was made before this λ̂, and which command makes it again, a sentence each."""
    return tuple(
        f"{run / name} was made before this λ̂: `{command_line(command, run)}` makes it anew."
        for name, command in _SHOWN_IN.items()
        if (run / name).is_file()
    )


def unconverged(result: LLCResult) -> str:
    """How many checkpoints have not converged, in a sentence; empty if all have."""
    count = int((result.table["status"] != "converged").sum())
    return f"{count} of {len(result.table)} checkpoints have not converged" if count else ""


def _chosen(loaded: LoadedRun, config: LLCConfig) -> list[int]:
    check_finished(loaded)
    if config.checkpoints is None:
        return list(range(len(loaded.steps)))
    return chosen_checkpoints(loaded, config.checkpoints)


def _posteriors(
    loaded: LoadedRun, chosen: Sequence[int], config: LLCConfig, *, progress: bool
) -> tuple[list[LocalPosterior], list[tuple[float, float]]]:
    """The posterior around each checkpoint, and its plain train and test loss."""
    train, test = loaded.data.train, loaded.data.test
    posteriors, losses = [], []
    # Evaluations are short: threads within them wait for each other longer than they work.
    with one_thread():
        for index in tracked(chosen, "preparing", unit="checkpoint", wanted=progress):
            network = loaded.network_at(index)
            posteriors.append(llc_posterior(network, train, config))
            losses.append((_mean_loss(network, *train), _mean_loss(network, *test)))
    return posteriors, losses


def _mean_loss(network: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Mean cross-entropy in nats; NaN without samples (a train fraction of 1 has no test set)."""
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(network(inputs).double(), targets).item()


def _table(
    estimates: pd.DataFrame, steps: Sequence[int], losses: Sequence[tuple[float, float]]
) -> pd.DataFrame:
    """The estimates with the training step and both losses, in a reader's order of columns."""
    table = estimates.assign(
        step=steps,
        train_loss=[train for train, _ in losses],
        test_loss=[test for _, test in losses],
    )
    first = ["checkpoint", "step", "llc", "llc_stderr", "rhat", "ess", "train_loss", "test_loss"]
    return table[first + [name for name in table.columns if name not in first]]
