"""Runs kernels: many chains of many checkpoints as one batch, on streams of their own."""

from lambdascope.sampling.compiler import EagerModeWarning
from lambdascope.sampling.engine import sample
from lambdascope.sampling.points import PointSamples, trace_bytes
from lambdascope.sampling.trace import open_trace

__all__ = ["EagerModeWarning", "PointSamples", "open_trace", "sample", "trace_bytes"]
