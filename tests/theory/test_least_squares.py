import numpy as np
import pytest

import lambdascope as ls
from lambdascope.theory import localized_quadratic, sgld_on_least_squares

SETTINGS = {"nbeta": 15.0, "localization": 2.0, "step_size": 8e-3}


def problem(n=12, d=3, outputs=1, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), 2 * rng.normal(size=(n, outputs))


def at_the_optimum(x, y):
    return y - x @ np.linalg.lstsq(x, y, rcond=None)[0]


def simulated(x, residuals, batch_size, chains=2000, steps=400, **settings):
    """Plain SGLD on the same problem: λ̂ of each chain's last weights, their means."""
    nbeta, gamma, step_size = (settings[n] for n in ("nbeta", "localization", "step_size"))
    rng = np.random.default_rng(5)
    n, d = x.shape
    outputs = residuals.shape[1]
    delta = np.zeros((chains, outputs, d))
    for _ in range(steps):
        batch = rng.integers(n, size=(chains, batch_size))
        xs, rs = x[batch], residuals[batch]  # [chain, sample, ...]
        error = rs - np.einsum("cbi,coi->cbo", xs, delta)
        gradient = -np.einsum("cbo,cbi->coi", error, xs) / batch_size
        drift = nbeta * gradient + gamma * delta
        delta = delta - step_size / 2 * drift + np.sqrt(step_size) * rng.normal(size=delta.shape)
    errors = residuals - np.einsum("ni,coi->cno", x, delta)
    excess = 0.5 * ((errors**2).sum(axis=2).mean(axis=1) - (residuals**2).sum(axis=1).mean())
    return nbeta * excess, delta


@pytest.mark.parametrize("batch_size", [1, 4, 12])
@pytest.mark.parametrize("optimal", [True, False])
def test_agrees_with_simulation(batch_size, optimal):
    x, y = problem(outputs=2)
    residuals = at_the_optimum(x, y) if optimal else y
    exact = sgld_on_least_squares(x, residuals, batch_size=batch_size, **SETTINGS)
    llc, delta = simulated(x, residuals, batch_size, **SETTINGS)
    assert abs(llc.mean() - exact.llc) < 4 * llc.std() / np.sqrt(len(llc))
    error = delta.std(axis=0) / np.sqrt(len(delta))
    assert (abs(delta.mean(axis=0) - exact.mean) < 4.5 * error).all()
    if optimal:
        assert abs(exact.mean).max() < 1e-12


def test_all_data_is_the_localised_quadratic_with_its_step_factor():
    x, y = problem(n=20, d=5)
    curvatures = np.linalg.eigvalsh(x.T @ x / len(x))
    exact = sgld_on_least_squares(x, at_the_optimum(x, y), batch_size=None, **SETTINGS)
    expected = localized_quadratic(
        curvatures, SETTINGS["nbeta"], SETTINGS["localization"], SETTINGS["step_size"]
    )
    assert exact.llc == pytest.approx(expected, rel=1e-10)


def test_the_excess_falls_as_step_over_batch():
    x, y = problem(n=40, d=4)
    residuals = at_the_optimum(x, y)

    def excess(step_size, batch_size):
        given = {**SETTINGS, "step_size": step_size}
        full = sgld_on_least_squares(x, residuals, batch_size=None, **given).llc
        return sgld_on_least_squares(x, residuals, batch_size=batch_size, **given).llc - full

    assert excess(1e-4, 8) / excess(1e-4, 16) == pytest.approx(2, rel=1e-2)
    assert excess(1e-4, 8) / excess(5e-5, 8) == pytest.approx(2, rel=1e-2)


def test_bad_input():
    x, y = problem()
    with pytest.raises(ls.LambdascopeError, match="inputs hold 12 samples and residuals 11"):
        sgld_on_least_squares(x, y[1:], batch_size=4, **SETTINGS)
    with pytest.raises(ls.LambdascopeError, match=r"residuals has shape \[12\]: 2 dimension"):
        sgld_on_least_squares(x, y[:, 0], batch_size=4, **SETTINGS)
    with pytest.raises(ls.LambdascopeError, match="batch_size=0: an integer ≥ 1"):
        sgld_on_least_squares(x, y, batch_size=0, **SETTINGS)
    with pytest.raises(ls.LambdascopeError, match="inputs have 91 columns: up to 90"):
        sgld_on_least_squares(np.ones((3, 91)), np.ones((3, 1)), batch_size=1, **SETTINGS)
    with pytest.raises(ls.LambdascopeError, match="grows without bound; a smaller step"):
        sgld_on_least_squares(x, y, batch_size=1, **{**SETTINGS, "step_size": 0.3})
