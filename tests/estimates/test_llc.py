"""λ̂ against exact values, its error, and what becomes of chains that diverge."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import lambdascope as ls
from lambdascope.estimates import Status
from lambdascope.estimates.diagnostics import FEWEST_DRAWS


class Quadratic(nn.Module):
    """½ Σ c_i w_i², a potential without data."""

    def __init__(self, curvatures: torch.Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(len(curvatures)))
        self.register_buffer("curvatures", curvatures)

    def forward(self) -> torch.Tensor:
        return 0.5 * (self.curvatures * self.w.square()).sum()


def exact(curvatures: torch.Tensor, nbeta: float, localization: float, step_size: float) -> float:
    """facts: Σ ½ nβ c/(nβ c + γ) / (1 − h/2) with h = (ε/2)(nβ c + γ)."""
    stiffness = nbeta * curvatures.double() + localization
    return float((0.5 * nbeta * curvatures / stiffness / (1 - step_size * stiffness / 4)).sum())


def trace_of(loss: np.ndarray, *, single: bool = True) -> xr.Dataset:
    """A trace with these losses [chain, step], nβ = 2 and L(w*) = 1."""
    return xr.Dataset(
        {
            "loss": (("checkpoint", "chain", "step"), loss[None]),
            "initial_loss": ("checkpoint", [1.0]),
            "nbeta": ("checkpoint", [2.0]),
        },
        {"checkpoint": [7]},
        {"single": int(single), "settings": json.dumps({"format": 1})},
    )


@pytest.mark.parametrize("dimension", [1, 10, 100, 1000])
def test_quadratics_of_every_dimension(dimension: int) -> None:
    curvatures = torch.logspace(-1, 1, dimension) if dimension > 1 else torch.ones(1)
    nbeta, localization, step_size = 100.0, 20.0, 2e-3
    posterior = ls.LocalPosterior(
        Quadratic(curvatures), None, nbeta=nbeta, localization=localization
    )
    trace = ls.sample(
        posterior,
        ls.SGLD(step_size=step_size),
        num_chains=16,
        num_steps=1500,
        compile=False,
        progress=False,
    )
    estimate = ls.estimate_llc(trace)
    truth = exact(curvatures, nbeta, localization, step_size)
    assert estimate.ess > 300
    assert estimate.stderr < 0.06 * truth
    assert abs(estimate.llc - truth) < 3 * estimate.stderr
    # Without the factor of the step the answer would be told apart at high dimension.
    if dimension == 1000:
        assert abs(estimate.llc - exact(curvatures, nbeta, localization, 0.0)) > 5 * estimate.stderr


def test_linear_regression_at_its_optimum() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 8, generator=generator, dtype=torch.float64)
    y = x @ torch.randn(8, 1, generator=generator, dtype=torch.float64)
    y += torch.randn(400, 1, generator=generator, dtype=torch.float64)
    model = nn.Linear(8, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.linalg.lstsq(x, y).solution.T)
    posterior = ls.LocalPosterior(model, (x, y), loss=ls.gaussian_nll, localization=1.0)
    step_size = 4e-3
    trace = ls.sample(
        posterior,
        ls.SGLD(step_size=step_size),
        num_chains=16,
        num_steps=1500,
        compile=False,
        progress=False,
    )
    estimate = ls.estimate_llc(trace)
    curvatures = torch.linalg.eigvalsh(x.T @ x / len(x))
    truth = exact(curvatures, posterior.nbeta, 1.0, step_size)
    assert estimate.ess > 300
    assert abs(estimate.llc - truth) < 3 * estimate.stderr
    assert estimate.stderr < 0.05 * truth


@pytest.mark.parametrize(("time", "slow_variance"), [(100, 0.02), (100, 0.2), (1, 1.0)])
def test_intervals_cover_under_minibatch_noise(time: int, slow_variance: float) -> None:
    """AR(1) of a slow place plus white noise of variance 1: nominal 95 % intervals of the mean."""
    rng = np.random.default_rng(0)
    decay = np.exp(-1 / time)
    covered, repetitions = 0, 200
    for _ in range(repetitions):
        place = np.empty((4, 3000))
        place[:, 0] = rng.normal(size=4) * np.sqrt(slow_variance)
        pushes = rng.normal(size=place.shape) * np.sqrt(slow_variance * (1 - decay**2))
        for step in range(1, place.shape[1]):
            place[:, step] = decay * place[:, step - 1] + pushes[:, step]
        estimate = ls.estimate_llc(trace_of(1 + place + rng.normal(size=place.shape)))
        low, high = estimate.interval
        covered += low <= 0 <= high
    assert 0.89 <= covered / repetitions <= 0.985


def test_a_diverged_chain_is_counted_and_left_out() -> None:
    rng = np.random.default_rng(1)
    loss = 2 + 0.1 * rng.normal(size=(4, 2000))
    healthy = ls.estimate_llc(trace_of(loss[[0, 1, 3]]))
    loss[2, 1500:] = np.nan
    estimate = ls.estimate_llc(trace_of(loss))
    assert estimate.status is Status.DIVERGED_CHAINS
    assert "1 of 4 chains" in estimate.advice
    assert (estimate.num_chains, estimate.num_diverged_chains) == (4, 1)
    assert estimate.llc == healthy.llc
    assert estimate.stderr == healthy.stderr
    assert np.isnan(estimate.per_chain).tolist() == [False, False, True, False]


def test_a_chain_that_diverges_before_the_end_of_burnin_counts_too() -> None:
    loss = np.full((2, 400), 2.0) + np.random.default_rng(2).normal(size=(2, 400))
    loss[0, 3] = np.inf
    assert ls.estimate_llc(trace_of(loss)).num_diverged_chains == 1


def test_all_chains_diverged_is_said_and_no_number_given() -> None:
    estimate = ls.estimate_llc(trace_of(np.full((3, 100), np.nan)))
    assert estimate.status is Status.ALL_DIVERGED
    assert np.isnan(estimate.llc)
    assert np.isnan(estimate.stderr)


def test_every_other_verdict() -> None:
    rng = np.random.default_rng(3)
    flat = 2 + rng.normal(size=(4, 3000))
    assert ls.estimate_llc(trace_of(flat)).status is Status.CONVERGED
    assert ls.estimate_llc(trace_of(flat[:2, :24])).status is Status.TOO_FEW_SAMPLES
    apart = flat + np.arange(4)[:, None]
    assert ls.estimate_llc(trace_of(apart)).status is not Status.CONVERGED
    rising = flat + np.linspace(0, 1, 3000)
    assert ls.estimate_llc(trace_of(rising)).status is Status.NOT_CONVERGED
    assert ls.estimate_llc(trace_of(flat - 2)).status is Status.NOT_AT_A_MINIMUM


def test_the_mean_drops_burnin_and_nothing_else() -> None:
    loss = np.ones((1, 100))
    loss[0, :25] = 50.0
    assert ls.estimate_llc(trace_of(loss), burnin=0.25).llc == 0
    assert ls.estimate_llc(trace_of(loss), burnin=25).llc == 0
    assert ls.estimate_llc(trace_of(loss), burnin=24).llc == pytest.approx(2 * 49 / 76)


@pytest.mark.parametrize("burnin", [1.0, -0.1, 100, 101, True, "half"])
def test_impossible_burnin(burnin: object) -> None:
    with pytest.raises(ls.LambdascopeError, match="burnin="):
        ls.estimate_llc(trace_of(np.ones((2, 100))), burnin=burnin)  # type: ignore[arg-type]


def test_a_curve_for_a_list() -> None:
    curve = ls.estimate_llc(
        trace_of(2 + np.random.default_rng(4).normal(size=(2, 900)), single=False)
    )
    assert isinstance(curve, ls.LLCCurve)
    assert curve.to_dataframe()["checkpoint"].tolist() == [7]
    assert curve.llc.shape == curve.stderr.shape == (1,)


def test_too_short_for_an_error_is_nan_not_zero() -> None:
    estimate = ls.estimate_llc(
        trace_of(np.random.default_rng(5).normal(size=(2, FEWEST_DRAWS - 1))), 0
    )
    assert np.isnan(estimate.stderr)
    assert estimate.status is Status.TOO_FEW_SAMPLES
