"""Who works on a sweep's batches: this process, or several on this machine."""

import multiprocessing
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps.plan import Cell
from lambdascope.sweeps.records import Outcome

Batch = Sequence[Cell]
Work = Callable[[Batch], list[Outcome]]
Worked = tuple[Batch, list[Outcome]]

# A batch that has taken so many workers with it is given up: it would take the next one too.
_MOST_DEATHS = 3


class Engine(ABC):
    """Works on batches of cells."""

    name: str

    @abstractmethod
    def outcomes(self, batches: Sequence[Batch], work: Work) -> Iterator[Worked]:
        """Each batch with the outcomes of its cells, as they come.

        An exception in `work` becomes the error of its cells; the other batches go on. A batch of
        several that fails as a whole is taken apart, so that one bad cell spoils no other.
        """


class LocalEngine(Engine):
    """One batch after the other, in this process."""

    name = "local"

    def outcomes(self, batches: Sequence[Batch], work: Work) -> Iterator[Worked]:
        """See `Engine`."""
        for batch in batches:
            yield batch, attempt(work, batch)


class ProcessEngine(Engine):
    """Several worker processes on this machine, a batch each at a time.

    A worker that dies (out of memory, killed) takes the pool with it; a new one takes up the
    batches that were not finished.

    Args:
        num_workers: Processes, ≥ 1.
        initialize: Called once in each worker, for instance to share the cores out; importable.

    Raises:
        LambdascopeError: for fewer than one worker.
    """

    name = "processes"

    def __init__(self, num_workers: int, initialize: Callable[[], None] | None = None) -> None:
        if num_workers < 1:
            raise LambdascopeError(f"workers={num_workers}: a whole number ≥ 1 is accepted")
        self._num_workers, self._initialize = num_workers, initialize

    def outcomes(self, batches: Sequence[Batch], work: Work) -> Iterator[Worked]:
        """See `Engine`."""
        waiting = list(batches)
        deaths: dict[int, int] = {}
        while waiting:
            finished: list[Batch] = []
            with self._pool() as pool:
                running: dict[Future[list[Outcome]], Batch] = {}
                queue = list(waiting)
                try:
                    while queue or running:
                        # No more than one batch a worker is handed out: when a worker dies, only
                        # those in hand can have been its victims.
                        while queue and len(running) < self._num_workers:
                            batch = queue.pop(0)
                            running[pool.submit(attempt, work, batch)] = batch
                        done, _ = wait(running, return_when=FIRST_COMPLETED)
                        for future in done:
                            outcomes = future.result()
                            batch = running.pop(future)
                            finished.append(batch)
                            yield batch, outcomes
                except BrokenProcessPool:
                    for batch in running.values():
                        deaths[batch[0].number] = deaths.get(batch[0].number, 0) + 1
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            waiting = [batch for batch in waiting if batch not in finished]
            for batch in [one for one in waiting if deaths.get(one[0].number, 0) >= _MOST_DEATHS]:
                waiting.remove(batch)
                error = f"its worker process died {_MOST_DEATHS} times (out of memory?)"
                yield batch, [Outcome(error=error)] * len(batch)

    def _pool(self) -> ProcessPoolExecutor:
        # Forked, a process would inherit locks that PyTorch's threads hold.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._num_workers, context, self._initialize)


def attempt(work: Work, batch: Batch) -> list[Outcome]:
    """The outcomes of a batch; errors stay with the cells that cause them."""
    begun = time.perf_counter()
    try:
        return work(batch)
    except Exception as error:
        if len(batch) > 1:
            return [outcome for cell in batch for outcome in attempt(work, [cell])]
        said = str(error) if isinstance(error, LambdascopeError) else repr(error)
        return [Outcome(error=said, seconds=time.perf_counter() - begun)]
