"""`lambdascope demo`: the README's example from training to the page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdascope.commands.circuits import CircuitsResult
    from lambdascope.commands.llc import LLCResult
    from lambdascope.commands.report import ReportResult


QUICK_NOTE = (
    "The quick form shows that everything works. Its chains are too few and too short for numbers "
    "to be trusted, these among them: `lambdascope demo` gives real ones."
)

# By each part of the work, once it is done.
_LAST_WRITTEN = ("training.csv", "llc.csv", "progress.csv", "clock_or_pizza.csv", "report.html")


@dataclass(frozen=True)
class DemoResult:
    """What was found and how long it took.

    Attributes:
        llc: The curve of λ̂.
        circuits: What the network adds with.
        report: The page, and the run in a sentence.
        quick: Whether it was the quick form.
        seconds: Wall time of each part.
        total_seconds: Of all.
        stood: Whether all of it stood already, finished.
    """

    llc: LLCResult
    circuits: CircuitsResult
    report: ReportResult
    quick: bool
    seconds: dict[str, float]
    total_seconds: float
    stood: bool


def demo(
    out: Path, *, quick: bool = False, overwrite: bool = False, progress: bool = True
) -> DemoResult:
    """Train the example network, estimate λ̂, follow modes and circuits, make the page.

    Args:
        out: The run directory.
        quick: Fewer checkpoints, chains and steps.
        overwrite: Replace another run or other results that stand there.
        progress: Show progress bars.

    Raises:
        LambdascopeError: The directory holds something else, or cannot be written.
    """
    begun = time.perf_counter()
    # Of other settings they would be refused.
    stood = not overwrite and all((out / name).is_file() for name in _LAST_WRITTEN)
    # Imported here so that the time it takes is one of the parts that are reported.
    from lambdascope.commands.circuits import circuits
    from lambdascope.commands.circuits_config import CircuitsConfig
    from lambdascope.commands.demo_config import LLC, QUICK_LLC, QUICK_TRAIN, TRAIN
    from lambdascope.commands.fourier import fourier
    from lambdascope.commands.fourier_config import FourierConfig
    from lambdascope.commands.llc import llc
    from lambdascope.commands.report import report
    from lambdascope.commands.train import train

    seconds = {"import": time.perf_counter() - begun}
    started = time.perf_counter()

    def note(part: str) -> None:
        nonlocal started
        seconds[part] = time.perf_counter() - started
        started = time.perf_counter()

    train(QUICK_TRAIN if quick else TRAIN, out, None, overwrite=overwrite, progress=progress)
    note("train")
    curve = llc(out, QUICK_LLC if quick else LLC, overwrite=overwrite, progress=progress)
    seconds |= curve.seconds
    started = time.perf_counter()
    fourier(out, FourierConfig(), overwrite=overwrite, progress=progress)
    note("fourier")
    found = circuits(out, CircuitsConfig(), overwrite=overwrite, progress=progress)
    note("circuits")
    page = report(out)
    note("report")
    return DemoResult(curve, found, page, quick, seconds, time.perf_counter() - begun, stood)


def print_result(result: DemoResult) -> None:
    """The curve, the circuits, the time that each part took, the run in a sentence and its page."""
    from lambdascope.commands.llc import print_result as print_curve
    from lambdascope.commands.report import print_result as print_page
    from lambdascope.reporting.llc_text import parts_text

    print_curve(result.llc, timing=False)
    print(f"\n{result.circuits.text}")
    if result.quick:
        print(f"\n{QUICK_NOTE}")
    if result.stood:
        print("\nThis run stood already: nothing was trained or sampled again.")
    print(f"\n{result.total_seconds:.1f} s in all ({parts_text(result.seconds)})\n")
    print_page(result.report)
