"""Why a step fails, where the user's model or loss is to blame."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lambdascope.errors import LambdascopeError, is_allocation_failure
from lambdascope.sampling.stack import ChainTensors, PosteriorStack
from lambdascope.sampling.target import ChunkTarget


@contextmanager
def explained_gradients(
    stack: PosteriorStack, chains: ChainTensors, target_of: Callable[[ChainTensors], ChunkTarget]
) -> Iterator[None]:
    """Turn a failure within into a sentence, if it is the gradient that fails.

    Whether one chain by itself would run is tried out, not guessed.

    Args:
        stack: The posteriors.
        chains: On which the gradient is taken within.
        target_of: What it is taken of, for some chains.

    Raises:
        LambdascopeError: with what to do, if the loss has no gradient, or none for several chains
            at once. Other errors pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, LambdascopeError) or is_allocation_failure(error):
            raise
        together = _failure(chains, target_of)
        if together is None:
            raise
        alone = _failure(chains.first(stack.shared_held), target_of)
        if alone is None:
            raise LambdascopeError(
                "the model or the loss can't be evaluated for several chains at once by "
                f"torch.func.vmap ({_line(together)}); sample(..., chunk_size=1) runs chains one "
                "at a time, slower, and takes such models."
            ) from together
        raise LambdascopeError(
            f"the gradient of the loss can't be taken ({type(alone).__name__}: {_line(alone)}); a "
            "model and a loss that torch.func.grad accepts are needed."
        ) from alone


def _failure(
    chains: ChainTensors, target_of: Callable[[ChainTensors], ChunkTarget]
) -> Exception | None:
    """What taking the gradient at w* raises; None if it can be taken."""
    try:
        target_of(chains).evaluate(chains.w_star)
    except Exception as error:
        return error
    return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).partition(". ")[0][:200].rstrip(".")
