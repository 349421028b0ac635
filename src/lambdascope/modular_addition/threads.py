"""How many threads to compute a stretch of training with."""

import time
from collections.abc import Callable

import torch

from lambdascope.threads import one_thread

_STEPS_TIMED = 2
_SLOW_STEPS_ALLOWED = 3
_HOPELESS = 5


class ThreadChoice:
    """Finds out, from time to time, whether several threads are faster than one.

    Training steps here are many short operations, after each of which threads wait for each other.
    With the cores to themselves, two threads train 25 networks 1.6 × as fast as one; beside other
    busy processes they have been seen to take fifty times as long. So a few steps are timed on one
    thread, several go on for as long as they are faster, and where they lose (three steps in a row,
    or one by far) they are tried again ever more rarely.

    Threads share out networks and entries, never the terms of one sum, so they leave the results
    alone; a test compares the bits.

    Args:
        worthwhile: False keeps to one thread, for steps so small that a second one cannot help.
    """

    def __init__(self, *, worthwhile: bool) -> None:
        self._most = torch.get_num_threads()
        self._defeats = 0
        self._stretches_to_wait = 0
        self._worthwhile = worthwhile and self._most > 1

    def run(self, step: Callable[[int], None], start: int, end: int) -> None:
        """Take the steps from `start` up to, but without, `end`; torch's setting is given back.

        Args:
            step: takes one step, given its number.
            start: the first step.
            end: the step after the last.
        """
        with one_thread():
            if self._worthwhile and end - start > _STEPS_TIMED:
                if self._stretches_to_wait:
                    self._stretches_to_wait -= 1
                else:
                    start = self._compete(step, start, end)
            for number in range(start, end):
                step(number)

    def _compete(self, step: Callable[[int], None], start: int, end: int) -> int:
        """Go on with several threads for as long as they are faster; the step after the last."""
        alone = min(_seconds(step, number) for number in range(start, start + _STEPS_TIMED))
        start += _STEPS_TIMED
        torch.set_num_threads(self._most)
        slow = 0
        while slow < _SLOW_STEPS_ALLOWED and start < end:
            seconds = _seconds(step, start)
            start += 1
            if seconds > _HOPELESS * alone:
                slow = _SLOW_STEPS_ALLOWED
            elif seconds > alone:
                slow += 1
            else:
                slow = 0
        torch.set_num_threads(1)
        lost = slow == _SLOW_STEPS_ALLOWED
        self._defeats = self._defeats + 1 if lost else 0
        self._stretches_to_wait = 4**self._defeats if lost else 0
        return start


def _seconds(step: Callable[[int], None], number: int) -> float:
    begun = time.perf_counter()
    step(number)
    return time.perf_counter() - begun
