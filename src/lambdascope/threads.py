"""How many threads numerical libraries use, for as long as something takes."""

import contextlib
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
def one_thread_everywhere() -> Iterator[None]:
    """As `one_thread`, and the linear algebra of NumPy and SciPy too.

    For many small steps that go to and fro between them: OpenBLAS's threads wait for each other by
    spinning, and beside those that do the work they cost more than they bring.
    """
    with one_thread(), threadpool_limits(limits=1, user_api="blas"):
        yield
