"""The one error that a user can cause and mend, and what is needed to say it in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

# What a message shows of a value that was refused.
_MOST_CHARACTERS = 60


class LambdascopeError(ValueError):
    """A sentence for the user: which field, what was received, what would be accepted.

    The command line prints it without a traceback and exits with code 2.
    """


def shown(value: object) -> str:
    """A value as it is written in Python, cut where it would fill the screen."""
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        value = f"{value[:_MOST_CHARACTERS]}…"
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) < 2 * _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


# How NumPy and PyTorch, which have no common class for it, say that memory can't be had, or that a
# size has more digits than they count in.
_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "status_alloc_failed",
    "storage size calculation overflowed",
    "integer multiplication overflow",
    "array is too big",
    "maximum allowed dimension exceeded",
    "maximum allowed size exceeded",
    "invalid buffer size",
    "too large to convert to c",
    "overflow when unpacking long",
    "cannot fit 'int' into an index-sized integer",
)


def is_allocation_failure(error: BaseException) -> bool:
    """Whether `error` says that more memory was asked for than can be had.

    True for MemoryError, and for the errors of other classes by which NumPy, PyTorch (CPU and CUDA)
    and the operating system say the same.
    """
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError | ValueError | TypeError | OverflowError | OSError):
        return False
    text = str(error).lower()
    return any(words in text for words in _NO_MEMORY)


@contextmanager
def fits_into_memory(what: str, advice: str) -> Iterator[None]:
    """Turn a failed allocation within into a sentence.

    Args:
        what: What was being done, with the settings that decide its size (`training with
            batch_size=…`).
        advice: What would need less.

    Raises:
        LambdascopeError: `what` does not fit into memory; `advice`. Other errors pass unchanged.
    """
    try:
        yield
    except LambdascopeError:
        raise
    except Exception as error:
        if not is_allocation_failure(error):
            raise
        raise LambdascopeError(f"{what} does not fit into memory; {advice}.") from error
