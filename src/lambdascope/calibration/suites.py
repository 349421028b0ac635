"""Which systems a suite holds, and with which settings.

The settings follow from the systems' curvatures, which are known here: h = (ε/2)·nβ·c is at most
0.1 or so in the stiffest direction, so that the step costs at most a few percent.

Deep linear networks are sampled at nβ = n/log n of n = 10⁵, with γ = 1, as in the benchmark that
their classes come from. Their curvatures are 1 to L, the number of layers, so h is at most 0.01·L.
In chains of some thousand steps each weight moves by about √(ε·steps) = 0.06: enough for the
quartic directions of a singular w* to fill, all but the most singular, and little beside the
weights, so that λ is that around w*. Minibatches of 100 cost little, since without noise on the
targets the gradient noise vanishes at w*.
"""

import functools
import math
from collections.abc import Callable

import numpy as np

from lambdascope.calibration.case import Case
from lambdascope.samplers import SGLD, Kernel, RMSpropSGLD
from lambdascope.toys import (
    NETWORK_CLASSES,
    Toy,
    complex_multiplication,
    crossing_potential,
    padded_networks,
    power_potential,
    product_potential,
    quadratic_potential,
    random_networks,
)

_NBETA = 1e5 / math.log(1e5)
# For chains that are long enough to lose w* otherwise.
_LARGE_NBETA = 1e5
# Of the size of a typical element of the gradient, √(c/nβ): elements with and without differ.
_DAMPING = 0.01

MakeCase = Callable[[], Case]

_POTENTIALS: dict[str, Callable[[], Toy]] = {
    "quadratic": lambda: quadratic_potential(np.geomspace(0.1, 1, 10).tolist()),
    "quartic": lambda: quadratic_potential([1.0, 0.5, 0.0, 0.0], 1.0),
    "powers": lambda: power_potential([2, 4, 6], [0.5, 1, 1]),
    "w⁴": lambda: power_potential([4]),
    "x²y²": lambda: crossing_potential([2, 2]),
    "x²y⁴": lambda: crossing_potential([2, 4]),
    "x²y²z²": lambda: crossing_potential([2, 2, 2]),
    "ε": lambda: product_potential(0.01),
}

# Each of the four cases of Aoyagi & Watanabe (2005): M, H, N, r.
_REDUCED_RANK = ((10, 6, 10, 3), (4, 4, 12, 2), (12, 4, 4, 2), (4, 12, 5, 3))


def _potential(name: str) -> Case:
    toy = _POTENTIALS[name]()
    group = "normal crossing" if name.startswith("x") else "potential"
    kernel = SGLD(step_size=1.5e-4)
    return Case(group, [toy], kernel, 600, 2000, localization=20.0, nbeta=1000.0, compile=False)


def _reduced_rank() -> Case:
    toys = padded_networks([((m, h, n), r) for m, h, n, r in _REDUCED_RANK])
    kernel = SGLD(step_size=2 * 0.02 / _LARGE_NBETA, batch_size=100)
    return Case("reduced rank", toys, kernel, 4, 10_000, localization=1.0, nbeta=_LARGE_NBETA)


def _linear(name: str, num_networks: int, num_steps: int, preconditioned: bool) -> Case:
    toys = random_networks(NETWORK_CLASSES[name], num_networks)
    h = 0.008  # at curvature 1; the largest is L
    kernel: Kernel
    if preconditioned:
        kernel = RMSpropSGLD(
            step_size=2 * h / _NBETA * _DAMPING,
            batch_size=100,
            damping=_DAMPING,
            num_adaptation_steps=num_steps // 2,
        )
    else:
        kernel = SGLD(step_size=2 * h / _NBETA, batch_size=100)
    group = f"linear, class {name}"
    return Case(group, toys, kernel, 1, num_steps, localization=1.0, nbeta=_NBETA)


def _complex_multiplication(activation: str) -> Case:
    toy = complex_multiplication(activation)
    kernel = SGLD(step_size=2e-7, batch_size=200)
    return Case(
        "complex multiplication", [toy], kernel, 4, 4000, localization=5.0, nbeta=_LARGE_NBETA
    )


def _both(name: str, num_networks: int, num_steps: int) -> list[MakeCase]:
    return [
        functools.partial(_linear, name, num_networks, num_steps, preconditioned)
        for preconditioned in (False, True)
    ]


_SMALL: list[MakeCase] = [
    *(functools.partial(_potential, name) for name in _POTENTIALS),
    _reduced_rank,
    functools.partial(_complex_multiplication, "quadratic"),
]

# The longest first, so that no worker waits for it at the end.
SUITES: dict[str, list[MakeCase]] = {
    "quick": [*_both("10K", 8, 1500), *_both("1K", 12, 2500), *_SMALL],
    "full": [
        *_both("100K", 6, 1500),
        *_both("10K", 20, 5000),
        *_both("1K", 40, 10_000),
        *_SMALL,
        functools.partial(_complex_multiplication, "silu"),
        functools.partial(_complex_multiplication, "relu"),
    ],
}
"""By name, what makes each case."""
