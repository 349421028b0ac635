"""What stands of a command's traces before it samples, whole or in part, and what it left alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lambdascope.sampling.folder import CHUNK, PARTIAL, SETTINGS, SNAPSHOT
from lambdascope.sampling.plan import ceil_div

CHAINS_STOOD = "These chains stood already: none was sampled again."
"""Said of traces that were `left_alone`."""


class StandingTraces:
    """The traces of a command, looked at before it samples.

    Args:
        place: A trace, named `*.zarr`, or a folder of them.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._before = self._identities()

    def resumed(self, asked: Mapping[str, Any]) -> list[str]:
        """Which interrupted traces go on, and from where, in a sentence each.

        Args:
            asked: Settings of now, by the names that a trace gives them; parts that were made with
                others are refused or replaced, and nothing is said of them.
        """
        pattern = f"{self._place.name if self._is_trace else '*.zarr'}{PARTIAL}"
        folder = self._place.parent if self._is_trace else self._place
        sentences = []
        for parts in sorted(folder.glob(pattern)):
            share = _share_done(parts, asked)
            if share is not None:
                name = parts.name.removesuffix(PARTIAL)
                sentences.append(
                    "Sampling goes on where it was interrupted: "
                    f"{100 * share:.0f} % of the steps of {name} stand."
                )
        return sentences

    def left_alone(self) -> bool:
        """Whether, now that the command has sampled, all traces are those that stood before."""
        now = self._identities()
        return bool(now) and now.items() <= self._before.items()

    @property
    def _is_trace(self) -> bool:
        return self._place.suffix == ".zarr"

    def _identities(self) -> dict[Path, int]:
        """Which directory stands at each path: a trace that is replaced is another one."""
        found = [self._place] if self._is_trace else self._place.glob("*.zarr")
        return {path: path.stat().st_ino for path in found if path.exists()}


def _share_done(parts: Path, asked: Mapping[str, Any]) -> float | None:
    """The part of a trace's steps that its snapshots have behind them, from 0 to 1.

    Returns:
        None where there is nothing to go on from: no snapshot, one that cannot be read, or one of
        other settings than are asked for.
    """
    try:
        held = json.loads((parts / SETTINGS).read_text())
        if any(held.get(name) != value for name, value in asked.items()):
            return None
        num_chains, size = held["num_chains"] * _count(held["checkpoints"]), held["chunk_size"]
        done = 0
        for number in range(ceil_div(num_chains, size)):
            file = parts / f"{CHUNK}{number:05d}{SNAPSHOT}"
            if file.exists():
                with safe_open(file, "pt") as snapshot:
                    step = int(snapshot.metadata()["step"])
                done += step * min(size, num_chains - number * size)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError):
        return None  # `sample` says what is wrong with it
    return done / (num_chains * held["num_steps"]) if done else None


def _count(checkpoints: Sequence[int] | None) -> int:
    return len(checkpoints or (0,))
