"""Errors of what is read from random starts."""

import math

import numpy as np
import pytest

from lambdascope.hessian.quadrature import SpectralQuadrature


@pytest.mark.parametrize("num_probes", [2, 8])
def test_the_interval_of_few_probes_is_students(num_probes: int) -> None:
    """Nodes of weight one whose sums are normal: nothing but the number of probes decides."""
    rng = np.random.default_rng(num_probes)
    held = 0
    for _ in range(2000):
        nodes = rng.normal(5.0, 1.0, size=(num_probes, 1))
        spectrum = SpectralQuadrature(np.empty(0), nodes, np.ones_like(nodes), (0.0, 10.0))
        value, error = spectrum.trace_of(lambda x: x)
        held += abs(value - 5.0) < 1.96 * error
    assert abs(held / 2000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 2000)
