import numpy as np
import pytest

import lambdascope as ls
from lambdascope.theory import localized_llc_1d, localized_quadratic


def test_agrees_with_quadrature():
    for c, nbeta, gamma in [(1.0, 50.0, 3.0), (0.01, 200.0, 1.0), (7.0, 3.0, 40.0)]:
        by_quadrature = localized_llc_1d(lambda w, c=c: c / 2 * w**2, nbeta, gamma)
        assert localized_quadratic([c], nbeta, gamma) == pytest.approx(by_quadrature, rel=1e-10)


def test_the_step_factor_is_that_of_the_recursion():
    # The variance of δ ← (1−h)δ + √ε ξ, iterated to its fixed point.
    curvature, nbeta, gamma, step_size = np.array([0.0, 0.3, 5.0]), 40.0, 6.0, 5e-3
    h = step_size / 2 * (nbeta * curvature + gamma)
    variance = np.zeros(3)
    for _ in range(5000):
        variance = (1 - h) ** 2 * variance + step_size
    expected = (0.5 * nbeta * curvature * variance).sum()
    assert localized_quadratic(curvature, nbeta, gamma, step_size) == pytest.approx(expected)
    assert expected > 1.02 * localized_quadratic(curvature, nbeta, gamma)


def test_without_localisation_every_curved_direction_counts_a_half():
    assert localized_quadratic([2.0, 0.0, 1e-3, 5.0], 10.0, 0.0) == 1.5
    assert localized_quadratic([0.0, 0.0], 10.0, 1.0) == 0.0


def test_bad_input():
    with pytest.raises(ls.LambdascopeError, match="curvatures hold -1: numbers ≥ 0"):
        localized_quadratic([1.0, -1.0], 10.0, 1.0)
    with pytest.raises(ls.LambdascopeError, match=r"curvatures has shape \[0\]"):
        localized_quadratic([], 10.0, 1.0)
    with pytest.raises(ls.LambdascopeError, match="curvatures='x': an array of numbers"):
        localized_quadratic("x", 10.0, 1.0)
    with pytest.raises(ls.LambdascopeError, match="nbeta=0: a finite number > 0"):
        localized_quadratic([1.0], 0, 1.0)
    with pytest.raises(ls.LambdascopeError, match="localization=-1: a finite number ≥ 0"):
        localized_quadratic([1.0], 1, -1)
    with pytest.raises(ls.LambdascopeError, match=r"step_size=0\.5.*a step below 0\.364"):
        localized_quadratic([1.0], 10.0, 1.0, 0.5)
