import numpy as np
import pytest
import torch

from lambdascope.errors import LambdascopeError, fits_into_memory, is_allocation_failure

HUGE = 10**17

ALLOCATIONS = {
    "NumPy": lambda: np.empty(HUGE),
    "NumPy, bytes beyond 64 bits": lambda: np.empty((2**40, 2**40)),
    "NumPy, entries beyond 64 bits": lambda: np.empty(10**30),
    "NumPy, a range": lambda: np.arange(10**30),
    "PyTorch": lambda: torch.empty(HUGE),
    "PyTorch, bytes beyond 64 bits": lambda: torch.empty(2**62),
    "PyTorch, entries beyond 64 bits": lambda: torch.empty(2**40, 2**40),
    "PyTorch, a length beyond 64 bits": lambda: torch.empty(10**30),
    "Python": lambda: [0] * HUGE,
    "Python, beyond 64 bits": lambda: [0] * 10**30,
    "Python, bytes": lambda: bytearray(HUGE),
}


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_memory_that_cannot_be_had_is_a_sentence(name):
    sentence = r"^num=9 does not fit into memory; ask for less\.$"
    with pytest.raises(LambdascopeError, match=sentence), fits_into_memory("num=9", "ask for less"):
        ALLOCATIONS[name]()


def test_what_a_gpu_says_is_recognised():
    assert is_allocation_failure(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    assert is_allocation_failure(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when"))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("no"),
        KeyError("out of memory"),
        OSError(28, "No space left on device"),
        LambdascopeError("training does not fit"),
    ],
)
def test_other_errors_pass(error):
    assert not is_allocation_failure(error)
    with pytest.raises(type(error)) as caught, fits_into_memory("this", "less"):
        raise error
    assert caught.value is error


def test_the_operating_system_too():
    assert is_allocation_failure(OSError(12, "Cannot allocate memory"))
