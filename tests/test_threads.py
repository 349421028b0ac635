"""Threads that are given back."""

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from lambdascope.threads import one_thread, one_thread_everywhere


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(limits=2, user_api="blas"):
        yield
    torch.set_num_threads(before)


def blas() -> set[int]:
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401

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
