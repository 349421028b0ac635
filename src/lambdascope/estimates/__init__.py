"""From traces to numbers: λ̂, its error, and whether to believe it."""

from lambdascope.estimates.curve import LLCCurve, LLCEstimate
from lambdascope.estimates.fluctuation import (
    FunctionalVariance,
    functional_variance,
    loss_covariance,
)
from lambdascope.estimates.llc import estimate_llc
from lambdascope.estimates.pca import PrincipalComponents, principal_components
from lambdascope.estimates.step_check import StepCheck, check_step
from lambdascope.estimates.verdict import Status

__all__ = [
    "FunctionalVariance",
    "LLCCurve",
    "LLCEstimate",
    "PrincipalComponents",
    "Status",
    "StepCheck",
    "check_step",
    "estimate_llc",
    "functional_variance",
    "loss_covariance",
    "principal_components",
]
