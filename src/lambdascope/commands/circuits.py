"""`lambdascope circuits`: a run's circuits, when they formed, and whether they are clocks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.circuits_tables import (
    circuits_table,
    held_out_accuracies,
    measures_table,
    over_training_table,
)
from lambdascope.commands.command_lines import arguments_of
from lambdascope.commands.systems import LoadedRun, check_finished, load_run
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import is_tied
from lambdascope.modular_addition.circuits import CircuitSearch, find_circuits
from lambdascope.modular_addition.formation import rise_by_chance
from lambdascope.modular_addition.logit_waves import alignment_p_value
from lambdascope.modular_addition.verdicts import classify
from lambdascope.progress import tracked
from lambdascope.reporting.circuits_figure import contributions_figure
from lambdascope.reporting.circuits_text import (
    circuits_finding,
    circuits_notes,
    circuits_table_text,
)
from lambdascope.reporting.formation_figure import formation_figure
from lambdascope.reporting.llc_text import (
    SAMPLING_ERROR_ONLY,
    TARGET_SETTINGS,
    cautions_in_brief,
    llc_target,
)
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes, check_writable, remove_file
from lambdascope.runs.history import record_command
from lambdascope.runs.settings import contents, rewritten, stands
from lambdascope.runs.tables import read_table, write_table
from lambdascope.sampling.plan import available_cores
from lambdascope.threads import one_thread_everywhere

_CIRCUITS, _OVER_TRAINING, _MEASURES = (
    "circuits.csv",
    "circuits_over_training.csv",
    "clock_or_pizza.csv",
)
_FIGURES = ("circuits_formation.png", "circuits_contributions.png")


@dataclass(frozen=True)
class CircuitsResult:
    """What the command found and where it is.

    Attributes:
        circuits: A row for each circuit of the last checkpoint, as in circuits.csv.
        over_training: A row for each checkpoint and mode, as in circuits_over_training.csv.
        measures: A row for each measure of the whole network, as in clock_or_pizza.csv.
        text: The table, what it says, and notes.
        paths: Files written.
        rewritten: What became of results of these settings that stood, in a sentence; or empty.
    """

    circuits: pd.DataFrame
    over_training: pd.DataFrame
    measures: pd.DataFrame
    text: str
    paths: list[Path]
    rewritten: str


def circuits(
    run: Path, config: CircuitsConfig, *, overwrite: bool = False, progress: bool = True
) -> CircuitsResult:
    """Find the circuits at every checkpoint of a run, and describe those of the last.

    All that is written follows from the run and the settings: given again, the same call writes the
    same. Where llc.csv stands, the figure shows λ̂ over training above the circuits.

    Args:
        run: A run directory of a network that adds, p ≥ 5.
        config: The error rate.
        overwrite: Replace results with another error rate.
        progress: Show a progress bar.

    Returns:
        The tables. Written are circuits.csv, circuits_over_training.csv, clock_or_pizza.csv and,
        under figures/, circuits_formation.png and circuits_contributions.png.

    Raises:
        LambdascopeError: The run cannot be read, is not finished or has no checkpoints, the
            directory holds results with another error rate, or p < 5.
    """
    loaded = load_run(run)
    check_finished(loaded)
    check_writable(loaded.directory.path)
    settings = config.model_dump()
    is_new = not stands(loaded.directory.path / _MEASURES, settings, overwrite=overwrite)
    cores = available_cores()
    # Kernels are small: threads within them would wait for each other by spinning, which takes four
    # times the processor's time, and the wall's too where other work goes on beside.
    with one_thread_everywhere():
        searches = _searches(loaded, config.error_rate, cores, progress=progress)
        last = searches[-1].frequencies
        passing = sorted({k for search in searches for k in search.frequencies} - set(last))
        over_training = over_training_table(loaded, searches, [*last, *passing])
        final = loaded.network_at(len(loaded.steps) - 1)
        classification = classify(final, last)
    least_rise = rise_by_chance(
        final.embedding.weight.shape[1], loaded.config.p // 2, config.error_rate
    )
    table = circuits_table(searches, classification, over_training, loaded.steps, least_rise)
    measures = measures_table(
        classification,
        searches[-1],
        held_out_accuracies(final, loaded.data, last, loaded.config.task),
    ).assign(**settings)
    finding = circuits_finding(table, measures, loaded.config.p)
    # With a tied unembedding classes are not named, and any phase that is near enough will do.
    chance = 0.0 if is_tied(final) else alignment_p_value(1.0, loaded.config.p, 1)
    notes = circuits_notes(
        loaded.config.p,
        loaded.config.task,
        loaded.config.network,
        chance_of_a_perfect_circle=chance if chance >= config.error_rate else None,
    )
    drawn = _figures(loaded, table, over_training, finding[0])
    if not drawn:
        notes.append(f"{' and '.join(_FIGURES)} show circuits, and are not written.")
    paths = [loaded.directory.path / name for name in (_CIRCUITS, _OVER_TRAINING, _MEASURES)]
    tables, before = list(paths), contents(paths)
    if is_new:  # the last one holds the settings: until it is written, they are open
        remove_file(paths[-1])
    for path, content in zip(paths, (table, over_training, measures), strict=True):
        write_table(path, content)
    for name in _FIGURES:
        path = loaded.directory.figures / name
        if name in drawn:
            paths.append(path)
            atomic_write_bytes(path, png_bytes(drawn[name]))
        else:
            # Of an earlier call with another error rate: it shows circuits that the tables lack.
            remove_file(path)
    record_command(loaded.directory.path, "circuits", arguments_of(config))
    text = "\n".join([circuits_table_text(table), "", *finding, *notes]).lstrip()
    said = "" if is_new else rewritten(before, contents(tables))
    return CircuitsResult(table, over_training, measures, text, paths, said)


def print_result(result: CircuitsResult) -> None:
    """The table, what it says and where everything is, on standard output."""
    print(f"{result.text}\n")
    if result.rewritten:
        print(f"{result.rewritten}\n")
    for path in result.paths:
        print(path)


def _searches(
    loaded: LoadedRun, error_rate: float, cores: int, *, progress: bool
) -> list[CircuitSearch]:
    """What is found at each checkpoint, a checkpoint a core at a time."""
    count = len(loaded.steps)
    with ThreadPoolExecutor(cores) as pool:
        found = pool.map(
            lambda index: find_circuits(loaded.network_at(index), error_rate=error_rate),
            range(count),
        )
        return list(tracked(found, "circuits", total=count, unit="checkpoint", wanted=progress))


def _figures(
    loaded: LoadedRun, table: pd.DataFrame, over_training: pd.DataFrame, finding: str
) -> dict[str, Figure]:
    if table.empty:
        return {}
    llc = _estimates(loaded.directory.path / "llc.csv")
    caption = [
        "each ridge: a circuit's share of the power of all modes",
        "the diamond: first found, whatever came later",
        "in hindsight: the bar, from a tenth to nine tenths of the share's rise",
        "the line, where it formed: the best split into a lower level, pale, and a higher one",
        "right: its share of the logits",
        *([] if llc is None else _about_llc(llc)),
    ]
    return {
        "circuits_formation.png": formation_figure(
            table, over_training, llc, loaded.metrics, caption=" · ".join(caption)
        ),
        "circuits_contributions.png": contributions_figure(table, caption=finding),
    }


def _estimates(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    llc = read_table(path)
    needed = {"checkpoint", "step", "llc", "llc_stderr", "status", "sampler", *TARGET_SETTINGS}
    if missing := sorted(needed - set(llc.columns)):
        raise LambdascopeError(
            f"{path} lacks {', '.join(missing)}: one that this version's `lambdascope llc` wrote "
            "is accepted"
        )
    return llc


def _about_llc(llc: pd.DataFrame) -> list[str]:
    """How the λ̂ that is drawn was made."""
    settings = llc.iloc[0].to_dict()
    band = "total error" if settings["sampler"] == "automatic" else SAMPLING_ERROR_ONLY
    return [f"λ̂: {', '.join(llc_target(settings))}", f"band: {band}", *cautions_in_brief(llc)]
