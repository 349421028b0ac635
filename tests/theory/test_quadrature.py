import math

import numpy as np
import pytest
from scipy.special import gamma as gamma_function

import lambdascope as ls
from lambdascope.theory import (
    localized_llc_1d,
    localized_llc_2d,
    localized_llc_of_three_squares,
)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("nbeta", [3.0, 1e3, 1e7])
def test_a_power_without_localisation_has_its_coefficient_at_any_n(k, nbeta):
    found = localized_llc_1d(lambda w: w ** (2 * k), nbeta, 0.0)
    assert found == pytest.approx(1 / (2 * k), rel=1e-9)


@pytest.mark.parametrize("b", [1e-3, 1.0, 300.0])
def test_a_quartic_with_localisation_against_its_series(b):
    # ∫ w^{2s} exp(−a w⁴ − b w²) dw = ½ a^{−s/2−¼} Σ_j Γ((s+j)/2 + ¼) (−b/√a)^j / j!
    a, scale = 50.0, b / math.sqrt(50.0)
    if scale > 3:  # the alternating series would lose all its digits
        a = b**2 / 4

    def moment(s):
        terms = (
            gamma_function((s + j) / 2 + 0.25) * (-b / math.sqrt(a)) ** j / math.factorial(j)
            for j in range(80)
        )
        return a ** (-s / 2 - 0.25) * sum(terms)

    expected = a * moment(2) / moment(0)
    assert localized_llc_1d(lambda w: w**4, a, 2 * b) == pytest.approx(expected, rel=1e-8)


def test_a_crossing_against_its_one_dimensional_integral():
    # Integrating y out of exp(−nβ x²y² − γ/2 (x²+y²)) leaves exp(−γx²/2)/√(2nβx²+γ).
    nbeta, gamma = 500.0, 2.0
    x = np.concatenate([[0.0], np.geomspace(1e-9, 12, 400_001)])
    left = np.exp(-gamma * x**2 / 2) / np.sqrt(2 * nbeta * x**2 + gamma)
    share = nbeta * x**2 / (2 * nbeta * x**2 + gamma)
    expected = np.trapezoid(left * share, x) / np.trapezoid(left, x)
    found = localized_llc_2d(lambda x, y: x**2 * y**2, nbeta, gamma)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found < 0.5  # multiplicity 2: a finite sample reads low


def test_three_squares_against_weighted_draws_from_the_prior():
    nbeta, gamma, c = 60.0, 4.0, 2.0
    rng = np.random.default_rng(0)
    w = rng.normal(size=(3, 2_000_000)) / np.sqrt(gamma)
    k = nbeta * c * (w**2).prod(axis=0)
    weights = np.exp(-k)
    mean = (weights * k).sum() / weights.sum()
    error = np.sqrt((weights**2 * (k - mean) ** 2).sum()) / weights.sum()
    found = localized_llc_of_three_squares(nbeta, gamma, c)
    assert abs(found - mean) < 4 * error
    assert error < 2e-3 * found
    with pytest.raises(ls.LambdascopeError, match="localization=0: a finite number > 0"):
        localized_llc_of_three_squares(nbeta, 0, c)


def test_two_independent_directions_add():
    both = localized_llc_2d(lambda x, y: x**4 + 3 * y**2, 80.0, 1.5)
    alone = localized_llc_1d(lambda x: x**4, 80.0, 1.5) + localized_llc_1d(
        lambda y: 3 * y**2, 80.0, 1.5
    )
    assert both == pytest.approx(alone, rel=1e-9)


def test_the_point_and_its_level_do_not_matter():
    moved = localized_llc_1d(lambda w: 4.0 + (w - 3) ** 4, 80.0, 1.5, w_star=3.0)
    assert moved == pytest.approx(localized_llc_1d(lambda w: w**4, 80.0, 1.5), rel=1e-7)


def test_bad_input():
    with pytest.raises(ls.LambdascopeError, match=r"beyond all bounds; a localization > 0"):
        localized_llc_2d(lambda x, y: x**2 * y**2, 100.0, 0.0)
    with pytest.raises(ls.LambdascopeError, match="with twice the nodes"):
        localized_llc_1d(lambda w: 5 * w**2 + np.cos(3000 * w), 10.0, 1.0)
    with pytest.raises(ls.LambdascopeError, match="nbeta=nan: a finite number > 0"):
        localized_llc_1d(lambda w: w**2, math.nan, 1.0)
