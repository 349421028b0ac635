"""What a run's page is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class ModeRecord:
    """The embedding's Fourier modes at every checkpoint.

    Attributes:
        p: The modulus.
        magnitudes: [checkpoint, p//2], of mode k at place k − 1, in units of weights.
        shown: The modes that get a picture, ascending.
        key_modes: The most important first: the circuits found, else the largest.
        are_circuits: Whether the key modes are circuits that were found.
        positions: [checkpoint, shown mode, token, 2], cosine and sine part, in units of weights.
    """

    p: int
    magnitudes: np.ndarray
    shown: Sequence[int]
    key_modes: Sequence[int]
    are_circuits: bool
    positions: np.ndarray


@dataclass(frozen=True)
class LossTraceRecord:
    """The losses along the chains around one checkpoint, in means over blocks of steps.

    Attributes:
        steps: [block], the middle of each block, in steps.
        loss: [chain, block], in nats; NaN where a chain diverged.
        step_factors: [chain], steps in units of the smallest; 1 for all of the plain estimator.
        num_steps: Steps of a chain.
        block: Steps in a block.
        initial_loss: L_n(w*), in nats.
        nbeta: nβ, in 1/loss.
    """

    steps: np.ndarray
    loss: np.ndarray
    step_factors: Sequence[float]
    num_steps: int
    block: int
    initial_loss: float
    nbeta: float


@dataclass(frozen=True)
class StepRecord:
    """A command that had a part in the run.

    Attributes:
        name: Of the command.
        line: As it is typed.
        versions: lambdascope 0.1 · torch 2.9 · …; empty where it was not recorded.
    """

    name: str
    line: str
    versions: str


@dataclass(frozen=True)
class RunRecord:
    """A run, read from its directory.

    Attributes:
        name: Of the directory.
        settings: Those of the training, as JSON values.
        versions: Of the package that wrote config.json.
        steps: Training step of each checkpoint.
        tables: File name → table, for those that stand.
        files: File name → its text, for the same.
        modes: None without checkpoints.
        traces: Checkpoint → the losses along its chains.
        made_by: The commands, in order.
        suggestions: Command → the line that would give what is missing.
        diverged_before: Step before which the training diverged; None if it did not.
        thresholds: What the verdicts hold the diagnostics against: `rhat`, `ess`, `drift`, and of
            the chains' distance from w* `growth` of its square from half to half, of one,
            `distance_rhat` between chains, and `reach`, in that of localisation alone.
    """

    name: str
    settings: Mapping[str, Any]
    versions: str
    steps: Sequence[int]
    tables: Mapping[str, pd.DataFrame]
    files: Mapping[str, str]
    modes: ModeRecord | None
    traces: Mapping[int, LossTraceRecord]
    made_by: Sequence[StepRecord]
    suggestions: Mapping[str, str]
    diverged_before: int | None
    thresholds: Mapping[str, float]

    def table(self, name: str) -> pd.DataFrame | None:
        """A table that has rows, or None."""
        found = self.tables.get(name)
        return None if found is None or found.empty else found
