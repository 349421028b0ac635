"""`lambdascope demo`: the README's example from training to the figure."""

import time
from pathlib import Path


def demo(out: Path, *, quick: bool = False, overwrite: bool = False, quiet: bool = False) -> None:
    """Train the example network, estimate λ̂ at its checkpoints, draw the figure.

    Args:
        out: The run directory.
        quick: Fewer checkpoints, chains and steps.
        overwrite: Begin afresh where a run stands.
        quiet: Print nothing.

    Raises:
        LambdascopeError: The directory holds something else, or cannot be written.
    """
    begun = time.perf_counter()
    # Imported here so that the time it takes is one of the parts reported below.
    from lambdascope.commands.demo_config import LLC, QUICK_LLC, QUICK_TRAIN, TRAIN
    from lambdascope.commands.llc import llc, print_result
    from lambdascope.commands.train import train

    seconds = {"import": time.perf_counter() - begun}
    started = time.perf_counter()
    train(QUICK_TRAIN if quick else TRAIN, out, None, overwrite=overwrite, progress=not quiet)
    seconds["train"] = time.perf_counter() - started
    result = llc(out, QUICK_LLC if quick else LLC, overwrite=overwrite, progress=not quiet)
    seconds |= result.seconds
    if quiet:
        return
    print_result(result)
    parts = ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
    print(f"\n{time.perf_counter() - begun:.1f} s in all ({parts})")
