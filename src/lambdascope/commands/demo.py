"""`lambdascope demo`: the README's example from training to the figure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdascope.commands.llc import LLCResult


QUICK_NOTE = (
    "The quick form shows that everything works. Its chains are too few and too short for numbers "
    "to be trusted, these among them: `lambdascope demo` gives real ones."
)


@dataclass(frozen=True)
class DemoResult:
    """What was found and how long it took.

    Attributes:
        llc: The curve of λ̂.
        quick: Whether it was the quick form.
        seconds: Wall time of each part.
        total_seconds: Of all.
    """

    llc: LLCResult
    quick: bool
    seconds: dict[str, float]
    total_seconds: float


def demo(
    out: Path, *, quick: bool = False, overwrite: bool = False, progress: bool = True
) -> DemoResult:
    """Train the example network, estimate λ̂ at its checkpoints, draw the figure.

    Args:
        out: The run directory.
        quick: Fewer checkpoints, chains and steps.
        overwrite: Begin afresh where a run stands.
        progress: Show progress bars.

    Raises:
        LambdascopeError: The directory holds something else, or cannot be written.
    """
    begun = time.perf_counter()
    # Imported here so that the time it takes is one of the parts that are reported.
    from lambdascope.commands.demo_config import LLC, QUICK_LLC, QUICK_TRAIN, TRAIN
    from lambdascope.commands.llc import llc
    from lambdascope.commands.train import train

    seconds = {"import": time.perf_counter() - begun}
    started = time.perf_counter()
    train(QUICK_TRAIN if quick else TRAIN, out, None, overwrite=overwrite, progress=progress)
    seconds["train"] = time.perf_counter() - started
    result = llc(out, QUICK_LLC if quick else LLC, overwrite=overwrite, progress=progress)
    seconds |= result.seconds
    return DemoResult(result, quick, seconds, time.perf_counter() - begun)


def print_result(result: DemoResult) -> None:
    """The curve and the time that each part took, on standard output."""
    from lambdascope.commands.llc import print_result as print_curve

    print_curve(result.llc, timing=False)
    if result.quick:
        print(f"\n{QUICK_NOTE}")
    parts = ", ".join(f"{part} {value:.1f}" for part, value in result.seconds.items())
    print(f"\n{result.total_seconds:.1f} s in all ({parts})")
