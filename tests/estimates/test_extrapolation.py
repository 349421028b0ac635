"""λ̂ from chains of two step sizes, against exact values and on made traces."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import t

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import Status, diagnostics, estimate_llc
from lambdascope.estimates.extrapolation import combined, extrapolated_llc
from lambdascope.theory import sgld_on_least_squares
from tests.problems import draw, quadratic_posterior


def curvatures(size):
    return np.geomspace(0.05, 20.0, size)


def exact(size):
    """Σ ½ nβc/(nβc + γ), with the nβ = 10 and γ = 1 of the problems."""
    stiff = 10.0 * curvatures(size)
    return float((0.5 * stiff / (stiff + 1.0)).sum())


@pytest.mark.slow
def test_the_step_error_of_sgld_is_removed():
    """ε = 0.004 makes the stiffest direction's factor 1/(1 − h/2) 1.25; its first order goes."""
    size, chains = 200, 24
    posterior = quadratic_posterior(curvatures(size).tolist(), dtype=torch.float64)
    factors = [[2.0] * (chains // 2) + [1.0] * (chains // 2)]
    kernel = ls.SGLD(step_size=2e-3)
    trace = draw(posterior, kernel, num_chains=chains, num_steps=12_000, step_factors=factors)
    one = extrapolated_llc(trace, [4000])[0]
    truth = exact(size)
    assert one.llc_uncorrected - truth > 5 * one.mc_stderr  # there was something to remove
    assert abs(one.llc - truth) < 3 * one.stderr
    assert one.stderr < 0.02 * truth


def test_the_variance_is_that_of_the_combination():
    rng = np.random.default_rng(0)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 8, 4000))
    loss[:, :4] += 0.02
    trace = made_trace(loss, [[2.0] * 4 + [1.0] * 4], "SGLD")
    one = extrapolated_llc(trace)[0]
    assert one.bias == pytest.approx(0.02 * 10, abs=0.05)
    assert one.llc == pytest.approx((1.0 - 0.02) * 10, abs=0.1)
    assert one.llc_uncorrected == pytest.approx(10.0, abs=0.05)
    # 2f − c of two independent means with equal errors s: √5·s; and a tenth of the bias.
    wanted = math.hypot(math.sqrt(5) * one.mc_stderr, 0.1 * one.bias)
    assert one.stderr == pytest.approx(wanted, rel=0.15)


def made_trace(loss, factors, kernel):
    dims = ("checkpoint", "chain", "step")
    return xr.Dataset(
        {
            "loss": (dims, loss),
            "step_factor": (("checkpoint", "chain"), factors),
            "initial_loss": ("checkpoint", [0.0]),
            "nbeta": ("checkpoint", [10.0]),
        },
        {"checkpoint": [3]},
        {"settings": f'{{"kernel": "{kernel}"}}'},
    )


def test_a_small_bias_of_second_order_enters_the_error():
    rng = np.random.default_rng(1)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 8, 4000))
    one = extrapolated_llc(made_trace(loss, [[2.0] * 4 + [1.0] * 4], "BAOAB"))[0]
    assert one.llc == one.llc_uncorrected
    assert one.mc_stderr <= one.stderr < 1.5 * one.mc_stderr
    loss[:, :4] += 0.3
    seen = extrapolated_llc(made_trace(loss, [[2.0] * 4 + [1.0] * 4], "BAOAB"))[0]
    assert seen.llc == pytest.approx(seen.llc_uncorrected - 1.0, abs=0.02)  # 0.3·10/(2² − 1)


def test_the_error_of_few_draws_is_students():
    """White noise: 30 fine steps of one chain are some 30 draws, two of them a freedom."""
    rng = np.random.default_rng(4)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 2, 30))
    one = extrapolated_llc(made_trace(loss, [[2.0, 1.0]], "SGLD"), [0])[0]
    # 2f − c: four times the variance of f, and that of c, each of half as many freedoms as draws.
    variance = one.bias_stderr**2 + 3 * one.mc_stderr**2
    of_fine = 4 * one.mc_stderr**2
    series = [loss[:, chain] for chain in (1, 0)]
    ess = [diagnostics.ess(s) / (1 + diagnostics.excess_kurtosis(s) / 2) for s in series]
    parts = zip((of_fine, variance - of_fine), ess, strict=True)
    freedoms = variance**2 / sum(v**2 / (n / 2 - 1) for v, n in parts)
    wider = t.ppf(0.975, freedoms) / 1.959964
    assert abs(one.bias) < one.bias_stderr  # nothing of it is known, nor given back
    assert one.stderr == pytest.approx(wider * math.sqrt(variance), rel=1e-6)
    assert wider > 1.01


def test_few_coarse_draws_widen_the_error_as_far_as_they_matter():
    """Of chains whose fine draws are many, the coarse ones decide the freedoms."""
    rng = np.random.default_rng(5)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 2, 30))
    few = extrapolated_llc(made_trace(loss, [[2.0, 1.0]], "SGLD"), [0])[0]
    more = np.concatenate([loss[:, :1], *[loss[:, 1:]] * 8], axis=1)
    many = extrapolated_llc(made_trace(more, [[2.0] + [1.0] * 8], "SGLD"), [0])[0]
    assert many.mc_stderr < 0.5 * few.mc_stderr
    normal = math.sqrt(many.bias_stderr**2 + 3 * many.mc_stderr**2)
    assert 1.02 < many.stderr / normal < 1.2


@pytest.mark.parametrize(
    ("kernel", "order_counts"), [("SGLD", Status.NOT_CONVERGED), ("BAOAB", Status.CONVERGED)]
)
def test_coarse_chains_that_still_move_count_where_they_are_subtracted(kernel, order_counts):
    rng = np.random.default_rng(6)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 8, 2000))
    loss[:, :2] += np.linspace(-0.02, 0.02, 2000)
    one = extrapolated_llc(made_trace(loss, [[2.0] * 2 + [1.0] * 6], kernel), [0])[0]
    assert one.status is order_counts
    assert ("of the chains with the longer step" in one.advice) is (kernel == "SGLD")


def test_the_verdict_is_on_the_corrected_value():
    """The chains read λ̂ = 0.2, the correction takes it to −2."""
    rng = np.random.default_rng(7)
    loss = 0.02 + 0.01 * rng.standard_normal((1, 8, 2000))
    loss[:, :4] += 0.66
    one = extrapolated_llc(made_trace(loss, [[2.0] * 4 + [1.0] * 4], "BAOAB"), [0])[0]
    assert one.llc_uncorrected > 0 > one.llc
    assert one.status is Status.NOT_AT_A_MINIMUM


@pytest.mark.parametrize(("lost", "words"), [(1, "the others measure"), (2, "nothing measures")])
def test_coarse_chains_that_diverge_are_counted(lost, words):
    rng = np.random.default_rng(3)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 6, 400))
    loss[:, :lost, 200:] = np.nan
    one = extrapolated_llc(made_trace(loss, [[2.0] * 2 + [1.0] * 4], "SGLD"))[0]
    assert one.status is Status.DIVERGED_CHAINS
    assert one.num_diverged_chains == lost
    assert one.num_chains == 6
    assert f"{lost} of the 2 chains with the longer step" in one.advice
    assert words in one.advice


def test_heavy_tailed_losses_have_wider_intervals():
    """Losses as around w⁴: Gamma(¼), of which few tell of the tail that decides the error.

    Eighty draws' normal intervals cover 84 %, Student's with freedoms by their kurtosis 88 %.
    """
    rng = np.random.default_rng(11)
    true, covered = 0.25, []
    for _ in range(1000):
        loss = rng.gamma(true, size=(1, 8, 20)) / 10  # made_trace's nβ
        one = extrapolated_llc(made_trace(loss, [[2.0] * 4 + [1.0] * 4], "BAOAB"), [0])[0]
        covered.append(abs(one.llc - true) < 1.96 * one.stderr)
    assert np.mean(covered) > 0.86
    assert one.stderr > 1.01 * one.mc_stderr


def test_an_unknown_bias_leaves_the_estimate():
    rng = np.random.default_rng(4)
    loss = 1.0 + 0.1 * rng.standard_normal((1, 4, 100))
    plain = extrapolated_llc(made_trace(loss, [[2.0, 2.0, 1.0, 1.0]], "SGLD"))[0]
    assert combined(plain, dataclasses.replace(plain, llc=math.nan), 1) == plain


@pytest.mark.parametrize(
    ("factors", "kernel", "sentence"),
    [
        ([[1.0, 1.0]], "SGLD", "checkpoint 3: factors h and 2h, both present"),
        ([[1.0, 3.0]], "SGLD", r"step_factor=\[1\.0, 3\.0\]"),
        ([[1.0, 2.0]], "MALA", "one of SGLD or BAOAB with factors"),
    ],
)
def test_other_traces_are_refused(factors, kernel, sentence):
    with pytest.raises(LambdascopeError, match=sentence):
        extrapolated_llc(made_trace(np.ones((1, 2, 100)), factors, kernel))


def test_of_a_large_bias_of_first_order_some_is_left_and_a_larger_one_is_no_estimate():
    """λ̂(h) = 10 with a bias b of 1.5: 2b²/(10 + 2b) are given back, and are the error."""
    rng = np.random.default_rng(8)
    loss = 1.0 + 0.01 * rng.standard_normal((1, 8, 4000))
    loss[:, :4] += 0.15
    one = extrapolated_llc(made_trace(loss, [[2.0] * 4 + [1.0] * 4], "SGLD"))[0]
    assert one.llc == pytest.approx(1 / (2 / 10 - 1 / 11.5), rel=0.002)  # 1/λ̂ linear in ε
    assert one.stderr == pytest.approx(2 * 1.5**2 / 13, rel=0.03)
    assert one.status is Status.CONVERGED
    loss[:, :4] += 0.15
    one = extrapolated_llc(made_trace(loss, [[2.0] * 4 + [1.0] * 4], "SGLD"))[0]
    assert one.status is Status.HEATED
    assert "make 30% of λ̂" in one.advice


@pytest.mark.parametrize(("num_samples", "size"), [(12_000, 20), (20_000, 5), (20_000, 40)])
def test_minibatch_sgld_on_least_squares_is_held_to_its_error_or_called_heated(num_samples, size):
    """By exact stationary moments at ε and 2ε, ε = 0.4/ω² and m = 256: nothing is drawn."""
    nbeta = num_samples / math.log(num_samples)
    step = 0.4 / (nbeta + 5.0)
    values = [
        sgld_on_least_squares_of_white_inputs(nbeta, size, factor * step, 256)
        for factor in (0.0, 1.0, 2.0)
    ]
    truth = values[0]
    rng = np.random.default_rng(9)
    loss = 1e-4 * rng.standard_normal((1, 4, 4000))
    loss[:, :2] += values[2] / 10
    loss[:, 2:] += values[1] / 10
    one = extrapolated_llc(made_trace(loss, [[2.0] * 2 + [1.0] * 2], "SGLD"))[0]
    assert one.status is Status.HEATED
    assert abs(one.llc - truth) < 2 * one.stderr


@pytest.mark.parametrize("size", [2, 20])
@pytest.mark.parametrize("spectrum", ["equal", "spread", "one stiff"])
@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_what_sgld_leaves_on_least_squares_is_within_its_error(size, spectrum, noise):
    """Exact moments of minibatch SGLD at the automatic step; what is heated is not held to it."""
    rng = np.random.default_rng(1)
    n, batch = 2000, 256
    nbeta = n / math.log(n)
    scales = {
        "equal": np.ones(size),
        "spread": np.logspace(0, -1.5, size),
        "one stiff": np.array([1.0] + [0.1] * (size - 1)),
    }[spectrum]
    inputs = rng.standard_normal((n, size)) * scales
    targets = noise * rng.standard_normal((n, 1))
    residuals = targets - inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
    held = 0
    for gamma in (1.0, 10.0, 100.0, 1000.0):
        stiff = nbeta * np.linalg.eigvalsh(inputs.T @ inputs / n)
        truth = float((0.5 * stiff / (stiff + gamma)).sum())
        step = 0.4 / (stiff.max() + gamma)
        fine, coarse = (
            sgld_on_least_squares(
                inputs,
                residuals,
                nbeta=nbeta,
                localization=gamma,
                step_size=factor * step,
                batch_size=batch,
            ).llc
            for factor in (1, 2)
        )
        if coarse - fine > 0.2 * fine:
            continue  # heated
        held += 1
        one = combined(estimate_of(fine), estimate_of(coarse), 1)
        assert abs(one.llc - truth) < 2 * one.stderr
        assert abs(one.llc - truth) < 0.03 * truth
    assert held or noise


def estimate_of(llc):
    """An estimate that is known exactly."""
    rng = np.random.default_rng(0)
    loss = llc / 10 + 1e-9 * rng.standard_normal((1, 4, 400))
    return dataclasses.replace(estimate_llc(made_trace(loss, [[1.0] * 4], "SGLD"))[0], llc=llc)


def sgld_on_least_squares_of_white_inputs(nbeta, size, step, batch, gamma=5.0):
    """λ̂ of SGLD in each direction of unit curvature, the gradient's noise taken at w*.

    w ← w − (ε/2)·((nβ + γ)·w + nβ·noise) + √ε·ξ, noise of variance 1/m, has the variance
    (1 + ε·nβ²/(4m))/((nβ + γ)·(1 − ε(nβ + γ)/4)).
    """
    stiff = nbeta + gamma
    variance = (1 + step * nbeta**2 / (4 * batch)) / (stiff * (1 - step * stiff / 4))
    return 0.5 * nbeta * variance * size
