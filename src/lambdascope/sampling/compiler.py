"""The step under `torch.compile`, or eager with one warning that says why and what it costs."""

import contextlib
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch

from lambdascope.sampling.loop import Step

# Vectorised single-thread kernels called from C++ without the interpreter's lock: chunks run side by
# side on Python threads. Kernels with threads of their own would wait for each other at every
# barrier, and add up gradients of embeddings in an order that changes from run to run.
_CPU_OPTIONS: dict[str, Any] = {"cpp_wrapper": True, "cpp.threads": 1}
_EAGER_COST = "the same numbers to rounding, but several times slower (docs/performance.md)"


class EagerModeWarning(RuntimeWarning):
    """Sampling runs without `torch.compile`."""


def compiler_missing(device: torch.device) -> str | None:
    """Why steps can't be compiled for `device` here; None if they can."""
    if device.type != "cpu":
        return None
    candidates = [os.environ.get("CXX"), "clang++" if sys.platform == "darwin" else "g++"]
    if any(name and shutil.which(name.split()[0]) for name in candidates):
        return None
    return "no C++ compiler was found (install g++ or clang++, or set CXX)"


def warm_up_compiler() -> threading.Thread:
    """Load the compiler on a thread of its own, while the caller prepares what is to be sampled.

    Importing it and finding out which vector instructions the machine has takes some two seconds
    of a program's life, most of them waiting.
    """

    def load() -> None:
        # A head start only: whatever goes wrong here is met, and reported, where it matters.
        with contextlib.suppress(Exception):
            import torch._dynamo
            import torch._inductor.compile_fx  # noqa: F401
            from torch._inductor.cpu_vec_isa import pick_vec_isa

            pick_vec_isa()

    thread = threading.Thread(target=load, name="lambdascope-compiler", daemon=True)
    thread.start()
    return thread


def compile_step(
    step: Step,
    device: torch.device,
    wanted: bool | str,
    rehearse: Callable[[Step], None],
) -> tuple[Step, bool]:
    """Compile `step` for one fixed shape, and prove it by a rehearsal.

    Args:
        step: A pure function of tensors.
        device: Where they lie.
        wanted: True, False or "auto" (compile if that is possible).
        rehearse: Calls the function it is given once, on tensors that do not matter.

    Returns:
        The function to call, and whether it is compiled.
    """
    if wanted is False:
        return step, False
    missing = compiler_missing(device)
    if missing is None:
        options = _CPU_OPTIONS if device.type == "cpu" else {}
        compiled = torch.compile(step, fullgraph=True, dynamic=False, options=options)
        try:
            rehearse(compiled)
        except torch._dynamo.exc.TorchDynamoException as error:
            if wanted is True:
                raise
            missing = f"torch.compile failed ({_first_line(error)})"
        else:
            return compiled, True
    warnings.warn(f"Sampling runs eagerly: {missing}; {_EAGER_COST}.", EagerModeWarning, stacklevel=4)
    return step, False


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
