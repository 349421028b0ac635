"""λ̂ against exact values at finite n, for the parts of the posterior beyond a plain quadratic."""

import numpy as np
import pytest
import torch
from torch import nn

import lambdascope as ls
from tests.problems import Quadratic, draw, quadratic_posterior


def within_three_errors(estimate, truth, largest_error):
    assert estimate.ess > 300
    assert estimate.stderr < largest_error * abs(truth)
    assert abs(estimate.llc - truth) < 3 * estimate.stderr


@pytest.mark.parametrize("dimension", [1, 10, 100, 1000])
def test_a_large_step_has_its_exact_factor(dimension):
    # h up to ½, where the factor 1/(1 − h/2) is up to 4/3: far beyond the error.
    curvature = np.geomspace(0.1, 10, dimension) if dimension > 1 else np.ones(1) * 10
    nbeta, gamma, step_size = 30.0, 4.0, 1 / 304
    stiffness = nbeta * curvature + gamma
    truth = (0.5 * nbeta * curvature / stiffness / (1 - step_size / 4 * stiffness)).sum()
    without_factor = (0.5 * nbeta * curvature / stiffness).sum()
    trace = draw(
        quadratic_posterior(curvature, nbeta=nbeta, localization=gamma),
        ls.SGLD(step_size=step_size),
        num_chains=400 if dimension == 1 else 40,
        num_steps=800,
        thinning=1000,
    )
    estimate = ls.estimate_llc(trace)
    within_three_errors(estimate, truth, 0.03)
    assert estimate.llc - without_factor > 5 * estimate.stderr


def test_weight_decay_pulls_to_the_origin():
    curvature, start, nbeta, gamma, decay, step_size = (
        np.array([0.5, 2.0]),
        0.8,
        20.0,
        2.0,
        1.5,
        0.01,
    )
    posterior = ls.LocalPosterior(
        Quadratic(curvature, start=start, dtype=torch.float64),
        None,
        nbeta=nbeta,
        localization=gamma,
        weight_decay=decay,
    )
    stiffness = nbeta * (curvature + decay) + gamma
    shift = -nbeta * decay * start / stiffness
    variance = 1 / stiffness / (1 - step_size / 4 * stiffness)
    truth = (0.5 * nbeta * curvature * (variance + shift**2)).sum()
    trace = draw(posterior, ls.SGLD(step_size=step_size), num_chains=200, num_steps=600)
    within_three_errors(ls.estimate_llc(trace), truth, 0.02)


def test_across_the_gradient_there_is_one_direction_less():
    generator = np.random.default_rng(0)
    root = generator.normal(size=(6, 6))
    curvature = root @ root.T / 6 + 0.3 * np.eye(6)

    class Slope(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(6, dtype=torch.float64))
            self.register_buffer("curvature", torch.tensor(curvature))

        def forward(self):
            return 0.5 * self.w @ self.curvature @ self.w

    nbeta, gamma, step_size = 25.0, 3.0, 4e-3
    posterior = ls.LocalPosterior(
        Slope(), None, nbeta=nbeta, localization=gamma, restriction=ls.OrthogonalToGradient()
    )
    # A basis of the hyperplane: along it the loss has no slope, so the chain is centred at w*.
    gradient = curvature @ np.ones(6)
    basis = np.linalg.svd(gradient[None])[2][1:].T
    inside = np.linalg.eigvalsh(basis.T @ curvature @ basis)
    stiffness = nbeta * inside + gamma
    truth = (0.5 * nbeta * inside / stiffness / (1 - step_size / 4 * stiffness)).sum()
    trace = draw(posterior, ls.SGLD(step_size=step_size), num_chains=200, num_steps=600)
    within_three_errors(ls.estimate_llc(trace), truth, 0.02)


def test_a_mask_leaves_the_free_directions():
    curvature, nbeta, gamma, step_size = np.array([1.0, 2.0, 4.0, 8.0]), 20.0, 5.0, 2e-3
    free = np.array([True, False, True, False])
    posterior = quadratic_posterior(
        curvature,
        nbeta=nbeta,
        localization=gamma,
        restriction=ls.ElementMask({"w": torch.tensor(free)}),
    )
    stiffness = nbeta * curvature[free] + gamma
    truth = (0.5 * nbeta * curvature[free] / stiffness / (1 - step_size / 4 * stiffness)).sum()
    trace = draw(posterior, ls.SGLD(step_size=step_size), num_chains=200, num_steps=800)
    within_three_errors(ls.estimate_llc(trace), truth, 0.02)


def minibatch_llc(x, residual, nbeta, gamma, step_size, batch_size):
    """Exact λ̂ of SGLD with minibatches on least squares, at its optimum.

    δ ← (I − (ε/2)(nβ A_b + γ)) δ + (ε/2) nβ r_b + √ε ξ, where A_b and r_b are the minibatch means
    of a = x xᵀ and r = x·residual, drawn afresh with replacement: E a⊗a and E r rᵀ of a mean of m
    draws are 1/m of one draw's, and 1 − 1/m of the product of means (here r̄ = 0). The stationary
    second moment S of δ solves a linear equation; λ̂ = ½ nβ tr(Ā S).
    """
    n, d = x.shape
    a = np.einsum("ni,nj->nij", x, x)
    r = x * residual[:, None]
    mean = a.mean(axis=0)
    pairs = np.einsum("nij,nkl->ikjl", a, a).reshape(d * d, d * d) / n
    both = pairs / batch_size + (1 - 1 / batch_size) * np.kron(mean, mean)
    drift = step_size / 2 * (nbeta * mean + gamma * np.eye(d))
    eye, half = np.eye(d), step_size / 2
    # E M ⊗ M for M = (1 − half·γ) I − half·nβ·A_b.
    keep = 1 - half * gamma
    moved = (
        keep**2 * np.eye(d * d)
        - keep * half * nbeta * (np.kron(eye, mean) + np.kron(mean, eye))
        + (half * nbeta) ** 2 * both
    )
    noise = step_size * eye + (half * nbeta) ** 2 * (r.T @ r / n) / batch_size
    assert np.abs(np.linalg.eigvals(eye - drift)).max() < 1
    second = np.linalg.solve(np.eye(d * d) - moved, noise.reshape(-1)).reshape(d, d)
    return 0.5 * nbeta * np.trace(mean @ second)


@pytest.mark.parametrize("batch_size", [1, 4, 30])
def test_linear_regression_with_minibatches_has_its_exact_bias(batch_size):
    rng = np.random.default_rng(1)
    n, d, nbeta, gamma, step_size = 12, 3, 15.0, 2.0, 8e-3
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, 1)) * 2
    solution = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = (y - x @ solution)[:, 0]
    model = nn.Linear(d, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(torch.tensor(solution.T))
    posterior = ls.LocalPosterior(
        model,
        (torch.tensor(x), torch.tensor(y)),
        loss=ls.gaussian_nll,
        nbeta=nbeta,
        localization=gamma,
    )
    truth = minibatch_llc(x, residual, nbeta, gamma, step_size, batch_size)
    full = minibatch_llc(x, residual, nbeta, gamma, step_size, 10**9)
    stiffness = nbeta * np.linalg.eigvalsh(x.T @ x / n) + gamma
    plain = (0.5 * (stiffness - gamma) / stiffness / (1 - step_size / 4 * stiffness)).sum()
    assert full == pytest.approx(plain, rel=1e-9)
    kernel = ls.SGLD(step_size=step_size, batch_size=batch_size)
    estimate = ls.estimate_llc(draw(posterior, kernel, num_chains=500, num_steps=800, thinning=999))
    within_three_errors(estimate, truth, 0.05)
    if batch_size < 10:
        assert estimate.llc - full > 5 * estimate.stderr
