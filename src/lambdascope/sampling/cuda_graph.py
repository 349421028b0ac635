"""Steps on a GPU as one captured graph, so that the interpreter is not in the loop."""

from collections.abc import Callable

import torch

_WARM_UP_CALLS = 3


def capture(step: Callable[[], None], warm_up: Callable[[], None]) -> Callable[[], None]:
    """Record `step` as a CUDA graph and return its replay.

    Args:
        step: Launches kernels on tensors that keep their place in memory, and does not wait.
        warm_up: The same work on other tensors: libraries allocate their workspaces in it, which a
            capture forbids.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP_CALLS):
            warm_up()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
