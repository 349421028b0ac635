import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.theory import localized_quadratic
from lambdascope.toys import (
    crossing_potential,
    power_potential,
    product_potential,
    quadratic_potential,
)
from tests.problems import draw

W = [0.7, -1.3, 0.4]


def value_at(toy, w):
    module = toy.module
    with torch.no_grad():
        module.w.copy_(torch.tensor(w, dtype=module.w.dtype))
    return module().item()


@pytest.mark.parametrize(
    ("toy", "w", "expected"),
    [
        (power_potential([2, 3, 2], [1, 2, 0.5]), W, 0.7**2 + 2 * 1.3**3 + 0.5 * 0.4**2),
        (quadratic_potential([1, 4, 0], [0, 0, 3]), W, 0.5 * 0.49 + 2 * 1.69 + 3 * 0.4**4),
        (quadratic_potential([1, 4], 0.5), W[:2], 0.5 * 0.49 + 2 * 1.69 + 0.5 * (0.7**4 + 1.3**4)),
        (crossing_potential([2, 4, 3], 2.0), W, 2 * 0.7**2 * 1.3**4 * 0.4**3),
        (product_potential(0.25), W[:2], (0.49 + 0.25) * (1.69 + 0.25)),
    ],
)
def test_is_the_potential_it_says(toy, w, expected):
    assert toy.module.w.abs().max() == 0  # w* is the origin
    assert value_at(toy, w) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("toy", "llc", "multiplicity"),
    [
        (power_potential([2, 4, 6]), 11 / 12, 1),
        (quadratic_potential([1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]), 1.25, 1),
        (crossing_potential([2, 4, 4]), 0.25, 2),
        (product_potential(0.1), 1.0, 1),
        (product_potential(0.0), 0.5, 2),
    ],
)
def test_knows_its_coefficient(toy, llc, multiplicity):
    assert toy.exact.llc == pytest.approx(llc, rel=1e-14)
    assert toy.exact.multiplicity == multiplicity


def test_knows_the_exact_answer_at_finite_n():
    curvatures = [3.0, 0.1, 0.1, 0.0]
    toy = quadratic_potential(curvatures)
    posterior = toy.posterior(nbeta=50.0, localization=2.0)
    assert toy.localized_llc(posterior) == pytest.approx(
        localized_quadratic(curvatures, 50.0, 2.0), rel=1e-10
    )
    masked = ls.ElementMask({"w": torch.tensor([True, False, True, True])})
    assert toy.localized_llc(toy.posterior(nbeta=50.0, restriction=masked)) is None
    assert toy.localized_llc(toy.posterior(nbeta=50.0, weight_decay=0.1)) is None
    three = crossing_potential([2, 2, 4])
    assert three.localized_llc(three.posterior(nbeta=50.0)) is None


def test_a_hidden_epsilon_looks_like_a_crossing():
    def at(epsilon, nbeta):
        toy = product_potential(epsilon)
        return toy.localized_llc(toy.posterior(nbeta=nbeta, localization=1.0))

    assert at(1e-5, 100.0) == pytest.approx(at(0.0, 100.0), rel=1e-2)
    assert at(0.5, 1e5) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(
    ("toy", "nbeta", "gamma"),
    [
        (power_potential([2, 4, 6], dtype=torch.float64), 40.0, 10.0),
        (quadratic_potential([1.0, 0.0], [3.0, 3.0], dtype=torch.float64), 40.0, 10.0),
        (crossing_potential([2, 2], dtype=torch.float64), 40.0, 10.0),
        (crossing_potential([4], dtype=torch.float64), 40.0, 10.0),
        (product_potential(0.1, dtype=torch.float64), 40.0, 10.0),
    ],
)
def test_sampling_finds_it(toy, nbeta, gamma):
    posterior = toy.posterior(nbeta=nbeta, localization=gamma)
    kernel = ls.SGLD(step_size=2e-3)
    trace = draw(posterior, kernel, num_chains=400, num_steps=1000, thinning=1000)
    estimate = ls.estimate_llc(trace, burnin=300)
    assert estimate.ess > 1000
    exact = toy.localized_llc(posterior)
    # The stiffest curvature here is about 2, so h = 1e-3·(80 + 10) and a step costs up to h/2.
    assert abs(estimate.llc - exact) < 3 * estimate.stderr + 0.045 * exact
    assert estimate.stderr < 0.03 * exact


def test_bad_input():
    with pytest.raises(ls.LambdascopeError, match=r"powers=\[1, 2\]: powers ≥ 2 are accepted"):
        power_potential([1, 2])
    with pytest.raises(ls.LambdascopeError, match=r"coefficients=\[1, 2, 3\]: 2 numbers"):
        power_potential([2, 2], [1, 2, 3])
    with pytest.raises(ls.LambdascopeError, match=r"coefficients=\[1.0, 0.0\]: numbers > 0"):
        power_potential([2, 2], [1, 0])
    with pytest.raises(ls.LambdascopeError, match=r"curvatures\[1\]=-1: a finite number ≥ 0"):
        quadratic_potential([1, -1])
    with pytest.raises(ls.LambdascopeError, match="curvatures and quartic are all 0"):
        quadratic_potential([0.0], 0)
    with pytest.raises(ls.LambdascopeError, match=r"coefficient=0: a positive finite number"):
        crossing_potential([2, 2], 0)
    with pytest.raises(ls.LambdascopeError, match=r"epsilon=-1: a finite number ≥ 0"):
        product_potential(-1)
    assert np.isfinite(value_at(crossing_potential([2, 2]), [0.0, 0.0]))
