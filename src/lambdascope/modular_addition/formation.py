"""When a circuit formed: the change point of its magnitude over the checkpoints."""

from collections.abc import Sequence

import numpy


def formation_index(magnitudes: Sequence[float]) -> int | None:
    """The checkpoint at which a circuit has formed.

    The rule: take the stretch from one checkpoint to a later one over which the magnitude rises
    most (so that what decays before, or fades after, does not count); split it into two constant
    levels, by least squares; the circuit has formed at the first checkpoint of the upper level. It
    formed between that checkpoint and the one before, and the step is known no better.

    Args:
        magnitudes: of the circuit's mode in the embedding, one a checkpoint, in order.

    Returns:
        the place of the checkpoint, or None where the magnitude never rises.
    """
    values = numpy.asarray(magnitudes, dtype=float)
    if len(values) < 2:
        return None
    lowest = numpy.minimum.accumulate(values)
    end = int((values - lowest).argmax())
    if values[end] <= lowest[end]:
        return None
    # Of equal minima the last: what lies between them is no part of the rise.
    start = end - 1 - int(values[:end][::-1].argmin())
    stretch = values[start : end + 1]
    splits = range(1, len(stretch))
    errors = [_spread(stretch[:split]) + _spread(stretch[split:]) for split in splits]
    return start + 1 + int(numpy.argmin(errors))


def _spread(values: numpy.ndarray) -> float:
    """Sum of squares about the mean."""
    return float(((values - values.mean()) ** 2).sum())
