"""Lambdascope: how structure forms inside a neural network while it trains."""

import importlib
from typing import TYPE_CHECKING

from lambdascope.errors import LambdascopeError

if TYPE_CHECKING:
    from lambdascope.estimates import (
        FunctionalVariance,
        LLCCurve,
        LLCEstimate,
        StepCheck,
        check_step,
        estimate_llc,
        functional_variance,
        loss_covariance,
        principal_components,
    )
    from lambdascope.posterior import (
        CrossEntropy,
        ElementMask,
        GaussianNLL,
        LocalPosterior,
        OrthogonalToGradient,
        Parameters,
        SampleLosses,
        cross_entropy,
        gaussian_nll,
    )
    from lambdascope.samplers import BAOAB, HMC, MALA, SGLD, SGNHT, AdamSGLD, RMSpropSGLD
    from lambdascope.sampling import (
        EagerModeWarning,
        PointSamples,
        open_trace,
        sample,
        trace_bytes,
    )

__version__ = "0.1.0"

__all__ = [
    "BAOAB",
    "HMC",
    "MALA",
    "SGLD",
    "SGNHT",
    "AdamSGLD",
    "CrossEntropy",
    "EagerModeWarning",
    "ElementMask",
    "FunctionalVariance",
    "GaussianNLL",
    "LLCCurve",
    "LLCEstimate",
    "LambdascopeError",
    "LocalPosterior",
    "OrthogonalToGradient",
    "Parameters",
    "PointSamples",
    "RMSpropSGLD",
    "SampleLosses",
    "StepCheck",
    "check_step",
    "cross_entropy",
    "estimate_llc",
    "functional_variance",
    "gaussian_nll",
    "loss_covariance",
    "open_trace",
    "principal_components",
    "sample",
    "trace_bytes",
]

# torch takes a second or more to import: each name is fetched when it is first asked for, so that
# `lambdascope --help` and a config cost no more than themselves.
_HOMES = {
    "estimates": (
        "FunctionalVariance",
        "LLCCurve",
        "LLCEstimate",
        "StepCheck",
        "check_step",
        "estimate_llc",
        "functional_variance",
        "loss_covariance",
        "principal_components",
    ),
    "posterior": (
        "CrossEntropy",
        "ElementMask",
        "GaussianNLL",
        "LocalPosterior",
        "OrthogonalToGradient",
        "Parameters",
        "SampleLosses",
        "cross_entropy",
        "gaussian_nll",
    ),
    "samplers": ("BAOAB", "HMC", "MALA", "SGLD", "SGNHT", "AdamSGLD", "RMSpropSGLD"),
    "sampling": ("EagerModeWarning", "PointSamples", "open_trace", "sample", "trace_bytes"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(f"lambdascope.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'lambdascope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
