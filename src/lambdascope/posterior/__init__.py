"""What is sampled: the localised posterior, its data, loss and restrictions."""

from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.losses import CrossEntropy, GaussianNLL, cross_entropy, gaussian_nll
from lambdascope.posterior.restrictions import (
    ElementMask,
    OrthogonalToGradient,
    Parameters,
    Restriction,
)

__all__ = [
    "CrossEntropy",
    "ElementMask",
    "GaussianNLL",
    "LocalPosterior",
    "OrthogonalToGradient",
    "Parameters",
    "Restriction",
    "cross_entropy",
    "gaussian_nll",
]
