"""All cases of a suite, on all cores."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed

import pandas as pd
import torch

from lambdascope.calibration.case import run_case
from lambdascope.calibration.suites import SUITES
from lambdascope.errors import LambdascopeError
from lambdascope.sampling.plan import available_cores


def calibrate(
    suite: str = "quick",
    *,
    num_workers: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Estimate λ̂ on every system of a suite, beside its exact answer.

    Each case is a process's work of its own; what it finds does not depend on how many there are.

    Args:
        suite: "quick" or "full".
        num_workers: Processes; None for one a core; 1 runs everything in this one.
        report: Called with the number of cases done and the number of all, after each.

    Returns:
        One row a system and sampler, as `case.run_case` describes, in the suite's order.

    Raises:
        LambdascopeError: for an unknown suite, or no worker.
    """
    if suite not in SUITES:
        raise LambdascopeError(f"suite={suite!r}: {', '.join(SUITES)} are accepted.")
    workers = available_cores() if num_workers is None else num_workers
    if workers < 1:
        raise LambdascopeError(f"num_workers={num_workers!r}: an integer ≥ 1 is accepted.")
    total = len(SUITES[suite])
    rows: dict[int, list] = {}
    if workers == 1:
        for index in range(total):
            rows[index] = _work(suite, index)
            if report is not None:
                report(len(rows), total)
    else:
        # Fresh processes: a fork of one that has run PyTorch's threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_alone) as pool:
            futures = {pool.submit(_work, suite, index): index for index in range(total)}
            try:
                for future in as_completed(futures):
                    rows[futures[future]] = future.result()
                    if report is not None:
                        report(len(rows), total)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return pd.DataFrame([row for index in sorted(rows) for row in rows[index]])


def _alone() -> None:
    """One thread a worker: the cores are taken by the others."""
    torch.set_num_threads(1)


def _work(suite: str, index: int) -> list:
    return run_case(SUITES[suite][index]())
