"""How threads compute, for as long as something takes."""

import contextlib
import math
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch's kernels on one thread; its setting is given back, whatever happens."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Numbers too small for full precision, below 1e-38 in float32, count as 0 on this thread.

    The softmax of a network that is sure of its answers is full of them, and a processor takes a
    hundred times as long over each: chains around such a network ran at a third of their speed.
    Threads that are started meanwhile inherit it. The setting of before is given back.
    """
    before = _flushes()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushes() -> bool:
    return math.ulp(0.0) * 1.0 == 0.0


@contextlib.contextmanager
def one_thread_everywhere() -> Iterator[None]:
    """As `one_thread`, with denormals flushed, and the linear algebra of NumPy and SciPy too.

    For many small steps that go to and fro between them: OpenBLAS's threads wait for each other by
    spinning, and beside those that do the work they cost more than they bring.
    """
    with one_thread(), denormals_flushed(), threadpool_limits(limits=1, user_api="blas"):
        yield
