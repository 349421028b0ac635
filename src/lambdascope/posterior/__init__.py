"""What is sampled: the localised posterior, its data, loss and restrictions."""

from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.losses import CrossEntropy, GaussianNLL, cross_entropy, gaussian_nll
from lambdascope.posterior.restrictions import (
    ElementMask,
    OrthogonalToGradient,
    Parameters,
    Restriction,
)
from lambdascope.posterior.sample_losses import SampleLosses

__all__ = [
    "CrossEntropy",
    "ElementMask",
    "GaussianNLL",
    "LocalPosterior",
    "OrthogonalToGradient",
    "Parameters",
    "Restriction",
    "SampleLosses",
    "cross_entropy",
    "gaussian_nll",
]
