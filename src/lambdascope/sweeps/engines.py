"""Who works on a sweep's batches: this process, or several on this machine."""

import multiprocessing
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps.cell import Cell
from lambdascope.sweeps.records import Outcome

Batch = Sequence[Cell]
Work = Callable[[Batch], list[Outcome]]
Worked = tuple[Batch, list[Outcome]]

# A batch that has taken so many workers with it is given up: it would take the next one too.
_MOST_DEATHS = 3


class Engine(ABC):
    """Works on batches of cells."""

    name: str

    @property
    def num_workers(self) -> int:
        """Batches that are worked on at once, as far as that is known before they begin."""
        return 1

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

    A worker that dies (out of memory, killed) takes only its own batch with it. The batch is begun
    again in a new worker, after those that wait; one that takes a worker every time is taken apart,
    and a single cell is given up.

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

    @property
    def num_workers(self) -> int:
        """See `Engine`."""
        return self._num_workers

    def outcomes(self, batches: Sequence[Batch], work: Work) -> Iterator[Worked]:
        """See `Engine`."""
        queue = deque((batch, 0) for batch in batches)
        free: list[ProcessPoolExecutor] = []
        running: dict[Future[list[Outcome]], tuple[ProcessPoolExecutor, Batch, int]] = {}
        finished = False
        try:
            while queue or running:
                while queue and len(running) < self._num_workers:
                    batch, deaths = queue.popleft()
                    worker, future = self._begin(free, work, batch)
                    running[future] = (worker, batch, deaths)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    worker, batch, deaths = running.pop(future)
                    try:
                        outcomes = future.result()
                    except BrokenProcessPool:
                        worker.shutdown()
                        if deaths + 1 < _MOST_DEATHS:
                            queue.append((batch, deaths + 1))
                        elif len(batch) > 1:  # one of its cells may be the only one to blame
                            queue.extend(([cell], 0) for cell in batch)
                        else:
                            error = f"its worker process died {_MOST_DEATHS} times (out of memory?)"
                            yield batch, [Outcome(error=error)]
                    else:
                        free.append(worker)
                        yield batch, outcomes
            finished = True
        finally:
            for worker in [*free, *(worker for worker, _, _ in running.values())]:
                processes = list((worker._processes or {}).values())
                worker.shutdown(wait=finished, cancel_futures=True)
                if not finished:  # else the interpreter waits at its end for batches in work
                    for process in processes:
                        process.terminate()

    def _begin(
        self, free: list[ProcessPoolExecutor], work: Work, batch: Batch
    ) -> tuple[ProcessPoolExecutor, Future[list[Outcome]]]:
        """Hand a batch to a free worker, or to a new one where there is none."""
        while free:
            worker = free.pop()
            try:
                return worker, worker.submit(attempt, work, batch)
            except BrokenProcessPool:  # killed while it had nothing to do: no batch is to blame
                worker.shutdown()
        worker = self._worker()
        return worker, worker.submit(attempt, work, batch)

    def _worker(self) -> ProcessPoolExecutor:
        # A pool for each process: one of several would not say which of them died, and would end
        # the others' work. Forked, a process would inherit locks that PyTorch's threads hold.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, _begin_worker, (self._initialize,))


def _begin_worker(initialize: Callable[[], None] | None) -> None:
    """What a worker does first: see to its own end, and what it is told."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initialize is not None:
        initialize()


def _end_with_parent() -> None:
    """End this process with the one that started it, which may be killed and could not say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # only workers run this
    parent.join()
    os._exit(1)


def shared_out(batches: Sequence[Batch], num_workers: int) -> list[Batch]:
    """Batches cut in two, the largest first, until every worker has one.

    Args:
        batches: Cells that may be worked on together.
        num_workers: As of `Engine`.
    """
    found = list(batches)
    while len(found) < num_workers and any(len(batch) > 1 for batch in found):
        largest = max(range(len(found)), key=lambda place: len(found[place]))
        batch = found[largest]
        middle = (len(batch) + 1) // 2
        found[largest : largest + 1] = [batch[:middle], batch[middle:]]
    return found


def attempt(work: Work, batch: Batch) -> list[Outcome]:
    """The outcomes of a batch; errors stay with the cells that cause them."""
    begun = time.perf_counter()
    try:
        return work(batch)
    except Exception as error:
        if len(batch) > 1:
            return [outcome for cell in batch for outcome in attempt(work, [cell])]
        return [Outcome(error=said_of(error), seconds=time.perf_counter() - begun)]


def said_of(error: Exception) -> str:
    """An exception as the error of a cell."""
    return str(error) if isinstance(error, LambdascopeError) else repr(error)
