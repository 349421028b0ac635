"""Systems with known answers; each enters through `LocalPosterior`, as any user's module does."""

from lambdascope.toys.complex_multiplication import ProductNetwork, complex_multiplication
from lambdascope.toys.linear_networks import DeepLinear, deep_linear, reduced_rank
from lambdascope.toys.network_classes import NETWORK_CLASSES, NetworkClass
from lambdascope.toys.padded import padded_networks, random_networks
from lambdascope.toys.potentials import (
    crossing_potential,
    power_potential,
    product_potential,
    quadratic_potential,
)
from lambdascope.toys.toy import Toy

__all__ = [
    "NETWORK_CLASSES",
    "DeepLinear",
    "NetworkClass",
    "ProductNetwork",
    "Toy",
    "complex_multiplication",
    "crossing_potential",
    "deep_linear",
    "padded_networks",
    "power_potential",
    "product_potential",
    "quadratic_potential",
    "random_networks",
    "reduced_rank",
]
