"""Exact answers, each with its source: learning coefficients, and what a finite sample gives."""

from lambdascope.theory.coefficient import LearningCoefficient
from lambdascope.theory.deep_linear import deep_linear_network
from lambdascope.theory.deep_linear_local import deep_linear_network_at
from lambdascope.theory.least_squares import StationarySGLD, sgld_on_least_squares
from lambdascope.theory.potentials import normal_crossing, regular_model, sum_of_powers
from lambdascope.theory.quadratic import localized_quadratic
from lambdascope.theory.quadrature import (
    localized_llc_1d,
    localized_llc_2d,
    localized_llc_of_three_squares,
)
from lambdascope.theory.reduced_rank import reduced_rank_regression

__all__ = [
    "LearningCoefficient",
    "StationarySGLD",
    "deep_linear_network",
    "deep_linear_network_at",
    "localized_llc_1d",
    "localized_llc_2d",
    "localized_llc_of_three_squares",
    "localized_quadratic",
    "normal_crossing",
    "reduced_rank_regression",
    "regular_model",
    "sgld_on_least_squares",
    "sum_of_powers",
]
