"""How far a long computation is: a bar on a terminal, one line a minute in a log.

A log is any standard error that is no terminal; what takes less than a minute leaves nothing there.
"""

import math
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # All it says is that a notebook without ipywidgets gets no widget for a bar.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

Item = TypeVar("Item")

_LOG_INTERVAL = 60.0  # seconds
# The first unit of a kind may compile, or load what the others find: it tells no rate.
_FEWEST_TIMED = 2
# From here on a bar counts in thousands and millions.
_LARGE = 100_000


_OPEN: "weakref.WeakSet[Progress]" = weakref.WeakSet()
"""What has a bar on the terminal."""


class Progress:
    """The progress of one computation, shown on standard error; a context manager.

    Several threads may report to it.

    Args:
        description: What is being done, in a word or two.
        total: How many units there are; None if that is not known.
        unit: What is counted, in the singular.
        initial: Units that were done before.
        wanted: False shows nothing.
    """

    def __init__(
        self,
        description: str,
        *,
        total: int | None = None,
        unit: str = "step",
        initial: int = 0,
        wanted: bool = True,
    ) -> None:
        self._description, self._unit = description, unit
        self._total, self._done, self._skipped = total, initial, initial
        self._lock = threading.Lock()
        self._begun = self._told = time.monotonic()
        self._aside, self._aside_since = 0.0, math.nan  # seconds of what else was done
        self._bar: Any = None
        wanted = wanted and sys.stderr is not None  # which a process without a console may lack
        self._logs = wanted and not _shows_bars()
        if wanted and not self._logs:
            self._bar = tqdm(
                desc=description,
                total=total,
                unit=unit,
                bar_format=_count_alone(unit) if total is None else None,
                initial=initial,
                unit_scale=total is not None and total >= _LARGE,
                disable=False,
                smoothing=0.05,
            )
            _OPEN.add(self)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the bar's line, if there is one; further reports show nothing."""
        _OPEN.discard(self)
        if self._bar is not None:
            self._bar.close()

    @property
    def done(self) -> int:
        """Units that are done."""
        return self._done

    def update(self, count: int = 1) -> None:
        """`count` more units are done."""
        with self._lock:
            self._done += count
            if self._bar is not None:
                self._bar.update(count)
            elif self._logs and time.monotonic() - self._told >= _LOG_INTERVAL:
                self._told = time.monotonic()
                sys.stderr.write(self._line() + "\n")
                sys.stderr.flush()

    def skip(self, count: int) -> None:
        """`count` units were found done, which says nothing of how fast the others go."""
        with self._lock:
            self._done += count
            self._skipped += count
            if self._bar is not None:
                self._bar.initial += count
                self._bar.n += count
                self._bar.refresh()

    def set_total(self, total: int) -> None:
        """How many units there are, now that it is known."""
        with self._lock:
            self._total = total
            if self._bar is not None:
                self._bar.total, self._bar.bar_format = total, None
                self._bar.refresh()

    def say(self, description: str | None = None) -> None:
        """Show what else is being done for the moment, on a bar only; None: what it was.

        The time that it took does not count towards the rate.
        """
        with self._lock:
            now = time.monotonic()
            if not math.isnan(self._aside_since):
                self._aside += now - self._aside_since
            self._aside_since = math.nan if description is None else now
            if self._bar is not None:
                # Without tqdm's colon, which the bar has already.
                self._bar.set_description_str(description or self._description)
                if description is None:
                    self._bar.unpause()

    def write(self, text: str) -> None:
        """A line of its own, above the bar where there is one."""
        with self._lock:
            if self._bar is not None:
                self._bar.write(text, file=sys.stderr)
            elif sys.stderr is not None:
                sys.stderr.write(text + "\n")

    def _line(self) -> str:
        """`sampling: 1,200 of 3,000 steps (40 %), 2 min, about 3 min more`."""
        elapsed = time.monotonic() - self._begun
        if self._total is None:
            return f"{self._description}: {self._done:,} {self._unit}s, {_duration(elapsed)}"
        text = f"{self._description}: {self._done:,} of {self._total:,} {self._unit}s"
        text += f" ({self._done / max(self._total, 1):.0%}), {_duration(elapsed)}"
        fresh = self._done - self._skipped
        if fresh >= _FEWEST_TIMED:
            left = (elapsed - self._aside) * (self._total - self._done) / fresh
            text += f", about {_duration(left)} more"
        return text


def close_bars() -> None:
    """End the lines of all bars that are open, so that what is said next stands on one of its own.

    An error or interruption leaves the bar of a generator such as `tracked` open for a while.
    """
    for one in list(_OPEN):
        one.close()


def tracked(
    items: Iterable[Item],
    description: str,
    *,
    total: int | None = None,
    unit: str = "step",
    wanted: bool = True,
) -> Iterator[Item]:
    """`items`, one after the other, with their progress shown.

    Args:
        items: Anything to go through.
        description: As for `Progress`.
        total: As for `Progress`; by default the length of `items`, where it has one.
        unit: As for `Progress`.
        wanted: As for `Progress`.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(description, total=total, unit=unit, wanted=wanted) as progress:
        for item in items:
            yield item
            progress.update()


def _shows_bars() -> bool:
    """Whether a bar can be drawn: on a terminal, or in a notebook, by tqdm's own reckoning."""
    in_notebook = any(base.__name__ == "tqdm_notebook" for base in tqdm.__mro__)
    return in_notebook or sys.stderr.isatty()


def _count_alone(unit: str) -> str:
    """The form of a bar without a total: "spectrum: 1129 products [00:12]"."""
    return f"{{desc}}: {{n_fmt}} {unit}s [{{elapsed}}]"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
