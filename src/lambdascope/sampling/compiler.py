"""The step under `torch.compile`, or eager with one warning that says why and what it costs."""

import functools
import logging
import os
import shutil
import sys
import types
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.sampling.loop import Info, State, Step
from lambdascope.sampling.stack import ChainTensors

# Vectorised single-thread kernels called from C++ without the interpreter's lock: chunks run side
# by side on Python threads. Kernels with threads of their own would wait for each other at every
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


def compile_step(
    step: Step,
    device: torch.device,
    wanted: bool | str,
    rehearse: Callable[[Step, int], None],
    kind: Hashable = None,
) -> tuple[Step, bool]:
    """Compile `step` for one fixed shape, and prove it, or the step as it is, by a rehearsal.

    Args:
        step: A pure function of tensors.
        device: Where they lie.
        wanted: True, False or "auto" (compile if that is possible).
        rehearse: Calls the function it is given so many times, on tensors that do not matter.
        kind: What the compiled code depends on; a step of a kind met before is not compiled again.

    Returns:
        The function to call, and whether it is compiled.

    Raises:
        LambdascopeError: if `wanted` is True and it can't be compiled.
        Exception: what the step itself raises.
    """
    if wanted is False:
        rehearse(step, 1)
        return step, False
    missing = compiler_missing(device)
    cause: Exception | None = None
    if missing is None:
        options = _CPU_OPTIONS if device.type == "cpu" else {}
        # Not fullgraph=True: PyTorch 2.13 counts the frames of such calls in one number for the
        # whole process, and chunks on several threads trip over it. The rehearsal alone insists.
        compiled = torch.compile(_with_own_code(step, kind), dynamic=False, options=options)
        try:
            with torch._dynamo.error_on_graph_break(True), _without_its_warnings():
                # Twice: what a step hands on may differ in layout from the first state, and all
                # compiling must be done before several threads run.
                rehearse(compiled, 2)
        except torch._dynamo.exc.TorchDynamoException as error:
            missing, cause = f"torch.compile failed ({_first_line(error)})", error
        else:
            return compiled, True
    rehearse(step, 1)  # the step may be at fault, and not the compiler
    if wanted is True:
        raise LambdascopeError(
            f"compile=True: {missing}; compile='auto' runs eagerly where it must, False always."
        ) from cause
    text = f"Sampling runs eagerly: {missing}; {_EAGER_COST}."
    warnings.warn(text, EagerModeWarning, stacklevel=6)
    return step, False


@contextmanager
def _without_its_warnings() -> Iterator[None]:
    """PyTorch logs fifty lines on what it can't compile; what matters of them is said here."""
    logger = logging.getLogger("torch._dynamo")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _with_own_code(step: Step, kind: Hashable) -> Step:
    """`step` under a code object that only steps of its kind share.

    PyTorch keeps what it compiled by code object, and gives up at the ninth that differs: without
    this, so would the ninth kind of `sample` in one process.
    """

    def own(chains: ChainTensors, state: State, number: Tensor) -> tuple[State, Info, Tensor]:
        return step(chains, state, number)

    code = _code_of_kind(kind, own.__code__)
    return types.FunctionType(code, own.__globals__, own.__name__, None, own.__closure__)


@functools.lru_cache(maxsize=16)
def _code_of_kind(kind: Hashable, template: types.CodeType) -> types.CodeType:  # noqa: ARG001
    return template.replace()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])
    return text[:200].rstrip(".") or type(error).__name__
