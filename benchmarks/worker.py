"""A contestant in a process of its own, which stays up so that rounds can be interleaved.

Parent and child speak JSON, one line a message. The child measures; the parent decides whose turn
it is, so that a single contestant works at any moment and all see the machine in the same state.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.environment import REPOSITORY, describe_environment

Reply = dict[str, Any]


class WorkerError(RuntimeError):
    """A contestant failed; the message holds what it wrote."""


class Worker:
    """The parent's end: starts `python -m module example_path` and passes it one request at a time.

    Attributes:
        environment: What the child said about its interpreter, threads and versions.
        missing: The distribution that the child could not import, or None when it is ready.
    """

    def __init__(self, python: Path, module: str, example: Path, *, threads: int) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open for as long as the process)
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [str(python), "-m", module, str(example)],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        greeting = self._receive()
        self.missing: str | None = greeting.get("missing")
        self.environment: Reply = greeting.get("environment", {})

    def request(self, **arguments: Any) -> Reply:
        """Ask for one measurement and wait for it.

        Raises:
            WorkerError: If the child raised or died.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return self._receive()

    def close(self) -> None:
        """End the child by closing its input; it leaves by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._log.close()

    def _receive(self) -> Reply:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise WorkerError("a contestant stopped:\n" + "".join(self._log.readlines()[-30:]))
        reply: Reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply


def serve(
    prepare: Callable[[Path], Callable[..., Reply]],
) -> None:
    """The child's end: prepare once, then answer requests until the input closes.

    Args:
        prepare: Gets the path of the example; returns the function that measures. That function
            is called with a request's arguments, and what it returns is sent back.
    """
    # Whatever the contestant prints must not land among our messages.
    messages = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        measure = prepare(Path(sys.argv[1]))
    except ModuleNotFoundError as error:
        messages.write(json.dumps({"missing": error.name}) + "\n")
        return
    messages.write(json.dumps({"environment": describe_environment()}) + "\n")
    for line in sys.stdin:
        try:
            reply = measure(**json.loads(line))
        except Exception:
            reply = {"error": traceback.format_exc()}
        messages.write(json.dumps(reply) + "\n")


def segment(
    seconds: float, num_chains: int, num_steps: int, llc: list[float], **others: Any
) -> Reply:
    """One measurement in the form that all contestants share.

    Args:
        seconds: Wall time of the timed part.
        num_chains: Chains that ran in it.
        num_steps: Steps each of them took in it.
        llc: λ̂ at the last checkpoint, one number a chain (or one in all).
        others: Anything else worth storing, start-up seconds for instance.
    """
    return {
        "us_per_chain_step": 1e6 * seconds / (num_chains * num_steps),
        "seconds": seconds,
        "num_chains": num_chains,
        "num_steps": num_steps,
        "llc": llc,
        **others,
    }
