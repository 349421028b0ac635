"""Random streams that belong to one run: a function of its seed and of what they are for."""

from enum import IntEnum

import numpy
import torch


class Stream(IntEnum):
    """What a stream is for; the numbers are part of every result and never change."""

    INITIAL_WEIGHTS = 0
    SPLIT = 1
    MINIBATCHES = 2


def generator(stream: Stream, seed: int, block: int = 0) -> torch.Generator:
    """A generator at the start of a stream, on the CPU.

    Streams of different (stream, seed, block) are independent for all purposes: NumPy's
    `SeedSequence` mixes the three numbers into the 64 bits that seed torch's generator.

    Args:
        stream: what for.
        seed: the run's seed, ≥ 0.
        block: part of the stream, ≥ 0, so that a stream can be entered midway.
    """
    words = numpy.random.SeedSequence((int(stream), seed, block)).generate_state(1, numpy.uint64)
    # torch takes seeds up to 2⁶³ − 1 on every build.
    return torch.Generator().manual_seed(int(words[0]) >> 1)
