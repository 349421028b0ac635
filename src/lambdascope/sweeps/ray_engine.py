"""A sweep's batches on a Ray cluster: one task a batch, results through the object store."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, TextIO, cast

from lambdascope.errors import LambdascopeError
from lambdascope.machine import usable_cores
from lambdascope.sweeps.engines import Batch, Engine, Work, Worked, attempt
from lambdascope.sweeps.records import Outcome

# Tasks handed out beyond one a core, so that no core waits for the driver, even where tasks take a
# millisecond. More would only hold memory: what is not handed out yet costs nothing.
_AHEAD = 2
_FEWEST_IN_FLIGHT = 64
# Ray starts a task again itself where its worker or machine died; a batch that has taken so many
# with it is taken apart, and a single cell is given up.
_RETRIES = 2
# How often a silent cluster is looked at, and for how long it may not answer.
_LOOK_EVERY, _GONE_AFTER = 2.0, 15.0


class RayEngine(Engine):
    """Tasks on a Ray cluster, or on a cluster of this machine alone that is started for them.

    Lambdascope must be installed on every machine of the cluster, in the same version. Only the
    settings of cells travel there, and only measurements come back; the records are written here.

    Args:
        address: Of the cluster (`auto`, `HOST:PORT`), to which this machine must belong; None
            starts one here, whatever the environment variable RAY_ADDRESS says.
        num_workers: Tasks at once: cores of the cluster started here, or at most so many of those
            of a cluster that stands; None takes all.
        initialize: Called before each task, for instance to keep to one core; importable.

    Raises:
        LambdascopeError: Ray is not installed, there are fewer than one worker, or the address is
            that of a Ray client server.
    """

    name = "ray"

    def __init__(
        self,
        address: str | None = None,
        num_workers: int | None = None,
        initialize: Callable[[], None] | None = None,
    ) -> None:
        if num_workers is not None and num_workers < 1:
            raise LambdascopeError(f"workers={num_workers}: a whole number ≥ 1 is accepted")
        if address is not None and address.startswith("ray://"):
            raise LambdascopeError(
                f"address={address!r}: 'auto' or HOST:PORT is accepted, on a machine that belongs "
                "to the cluster (`ray start --address HOST:PORT` makes it one)"
            )
        self._ray = _import_ray()
        self._address, self._num_workers, self._initialize = address, num_workers, initialize

    @property
    def num_workers(self) -> int:
        """See `Engine`; of a cluster that stands, and no number given, it is not known yet."""
        if self._num_workers is not None:
            return self._num_workers
        return usable_cores() if self._address is None else 1

    def outcomes(self, batches: Sequence[Batch], work: Work) -> Iterator[Worked]:
        """See `Engine`.

        Raises:
            LambdascopeError: no cluster at the address, another version of Ray there, a worker that
                can't import the work, or a cluster that goes away: what came before it stands.
        """
        if not batches:
            return
        with self._connected():
            task = self._ray.remote(_attempt).options(num_cpus=1, max_retries=_RETRIES)
            cores = int(self._ray.cluster_resources().get("CPU", 1))
            at_once = min(self._num_workers or cores, cores)
            limit = at_once if self._num_workers else max(_AHEAD * at_once, _FEWEST_IN_FLIGHT)
            waiting = deque(batches)
            running: dict[Any, Batch] = {}
            health = _Health(self._ray)
            try:
                while waiting or running:
                    while waiting and len(running) < limit:
                        batch = waiting.popleft()
                        running[task.remote(self._initialize, work, batch)] = batch
                    done = self._wait(running, health)
                    for reference in done:
                        # Nothing here may hold on to it: the store lets go of what nobody holds.
                        batch = running.pop(reference)
                        try:
                            outcomes = self._outcome(reference, batch, health)
                        except _BatchLostError as error:
                            if len(batch) > 1:  # one of its cells may be the only one to blame
                                waiting.extend([cell] for cell in batch)
                                continue
                            outcomes = [Outcome(error=str(error))]
                        yield batch, outcomes
            except BaseException:
                self._cancel(running)
                raise

    def _wait(self, running: dict[Any, Batch], health: _Health) -> list[Any]:
        """What has come; at least one."""
        while True:
            done, _ = self._ray.wait(
                list(running), num_returns=len(running), timeout=0, fetch_local=False
            )
            if not done:
                done, _ = self._ray.wait(list(running), num_returns=1, timeout=_LOOK_EVERY)
            if done:
                health.answered()
                return done
            health.check()

    def _outcome(self, reference: Any, batch: Batch, health: _Health) -> list[Outcome]:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.LocalRayletDiedError as error:
            raise health.gone(error) from error
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            health.insist()  # a cluster that goes away takes its workers with it
            kind = type(error).__name__.removesuffix("Error")
            raise _BatchLostError(
                f"its worker died {_RETRIES + 1} times ({kind}; out of memory?)"
            ) from error
        except errors.ObjectLostError as error:
            health.insist()
            raise _BatchLostError(
                f"its result was lost with the machine that held it ({type(error).__name__})"
            ) from error
        except errors.RayError as error:
            health.insist()
            raise LambdascopeError(
                f"Ray could not run {batch[0]}: {_first_line(error)}; lambdascope should be "
                "installed in the same version on every machine of the cluster"
            ) from error

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Connected to the cluster; a connection that stood before is used and left standing."""
        ray = self._ray
        if ray.is_initialized():
            yield
            return
        if self._address not in (None, "auto") and (error := _silence(self._address)) is not None:
            # Ray would try for minutes.
            raise self._unreachable(error) from error
        own = {} if self._address else {"num_cpus": self._num_workers, "include_dashboard": False}
        try:
            ray.init(
                # Without an address Ray would join any cluster that this machine belongs to.
                address=self._address or "local",
                logging_level=logging.ERROR,
                log_to_driver=False,
                configure_logging=False,
                **own,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise self._unreachable(error) from error
        try:
            with contextlib.redirect_stdout(cast(TextIO, _NotesAside(sys.stdout))):
                yield
        finally:
            ray.shutdown()

    def _unreachable(self, error: Exception) -> LambdascopeError:
        return LambdascopeError(
            f"address={self._address!r}: no Ray cluster could be reached there "
            f"({_first_line(error)}); start one with `ray start --head`, or leave the address out "
            "for a cluster of this machine alone"
        )

    def _cancel(self, running: dict[Any, Batch]) -> None:
        """Nobody waits for these any more; a cluster that has gone can't be told."""
        for reference in running:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)


class _BatchLostError(Exception):
    """A batch took its workers with it, or its result was lost; says which."""


class _NotesAside:
    """Standard output for everybody but Ray.

    A thread of Ray's prints notes there on workers that died and tasks begun again; they belong on
    standard error.
    """

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def write(self, text: str) -> int:
        """Write, to where the thread's words belong."""
        ray_speaks = threading.current_thread().name.startswith("ray_")
        return (sys.stderr if ray_speaks else self._stdout).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)


class _Health:
    """Whether the cluster's head still answers.

    Ray itself waits a minute for its head and then ends the whole process; before that, the sweep
    should say what happened and that it can go on.
    """

    def __init__(self, ray: ModuleType) -> None:
        self._address = ray.get_runtime_context().gcs_address
        self.answered()

    def answered(self) -> None:
        """Something came from it."""
        self._seen = time.monotonic()

    def check(self) -> None:
        """Raises LambdascopeError: the head has not answered for a while."""
        error = _silence(self._address)
        if error is None:
            self.answered()
        elif time.monotonic() - self._seen > _GONE_AFTER:
            raise self.gone(error) from error

    def insist(self) -> None:
        """Raises LambdascopeError: the head does not answer."""
        if (error := _silence(self._address)) is not None:
            raise self.gone(error) from error

    def gone(self, error: Exception) -> LambdascopeError:
        """What to say of it."""
        return LambdascopeError(
            f"the Ray cluster at {self._address} has gone ({_first_line(error)}): what was "
            "finished is recorded, and the same command goes on with the rest"
        )


def _silence(address: str) -> Exception | None:
    """Why nothing answers at HOST:PORT; None if something does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_LOOK_EVERY).close()
    except (OSError, ValueError, OverflowError) as error:
        return error
    return None


def _attempt(initialize: Callable[[], None] | None, work: Work, batch: Batch) -> list[Outcome]:
    """What runs on the cluster."""
    if initialize is not None:
        initialize()
    return attempt(work, batch)


def _import_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise LambdascopeError(
            "engine='ray' needs Ray, which is not installed: pip install 'lambdascope[ray]' brings "
            "it; local and processes work without"
        ) from error
    return ray


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".:")
