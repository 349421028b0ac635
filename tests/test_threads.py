"""Threads that are given back."""

import platform
from concurrent.futures import ThreadPoolExecutor

import numpy  # noqa: F401 (its BLAS, and below SciPy's)
import pytest
import scipy.linalg  # noqa: F401
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from lambdascope.threads import denormals_flushed, one_thread, one_thread_everywhere


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(limits=2, user_api="blas"):
        yield
    torch.set_num_threads(before)


def blas() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.parametrize(("context", "within"), [(one_thread, {2}), (one_thread_everywhere, {1})])
def test_threads_are_given_back_after_an_error_too(context, within) -> None:
    assert blas() == {2}
    with context():
        assert torch.get_num_threads() == 1
        assert blas() == within
    assert (torch.get_num_threads(), blas()) == (2, {2})
    with pytest.raises(KeyboardInterrupt), context():
        raise KeyboardInterrupt
    assert (torch.get_num_threads(), blas()) == (2, {2})


def halved() -> float:
    return (torch.full((64,), torch.finfo(torch.float32).tiny) * 0.5).sum().item()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere they may not be slow")
@pytest.mark.parametrize("context", [denormals_flushed, one_thread_everywhere])
def test_denormals_are_flushed_here_and_in_threads_begun_meanwhile_and_not_afterwards(
    context,
) -> None:
    assert halved() > 0
    with context():
        assert halved() == 0
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(halved).result() == 0
        with context():  # the inner one leaves the outer one's setting
            pass
        assert halved() == 0
    assert halved() > 0
