"""The step asked at points of the chain, against MALA's own acceptance and a closed form."""

import numpy as np
import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import step_check
from tests.problems import classifier_posterior, draw, quadratic_posterior

QUIET = {"progress": False, "compile": False, "device": "cpu"}


def test_the_acceptance_is_that_of_mala():
    """εc up to 1: SGLD's own places differ from MALA's by its step error, a few per cent here."""
    posterior = quadratic_posterior([1.0] * 20, dtype=torch.float64)
    step = 0.05
    trace = draw(posterior, ls.MALA(step_size=step), num_chains=60, num_steps=400)
    expected = float(np.nanmean(trace["acceptance"].values[..., 100:]))
    (found,) = ls.check_step(
        posterior, ls.SGLD(step_size=step), num_chains=400, num_steps=200, **QUIET
    )
    assert expected < 0.95
    assert found.mala_acceptance == pytest.approx(expected, abs=0.03)
    assert found.noise_ratio == 0
    (small,) = ls.check_step(posterior, ls.SGLD(step_size=1e-4), num_steps=100, **QUIET)
    assert small.mala_acceptance > 0.995


def test_the_noise_ratio_is_the_variance_of_a_mean_of_samples():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    targets = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    model = nn.Linear(3, 1, bias=False, dtype=torch.float64)
    posterior = ls.LocalPosterior(
        model, (inputs, targets), loss=ls.gaussian_nll, nbeta=10.0, localization=1e6
    )
    kernel = ls.SGLD(step_size=1e-7, batch_size=5)  # so localised that chains stay at w*
    (found,) = ls.check_step(posterior, kernel, num_chains=200, num_steps=4, **QUIET)
    weight = posterior.w_star
    each = ((inputs @ weight)[:, None] - targets) * inputs
    expected = 1e-7 / 4 * 10.0**2 * float(each.var(dim=0, correction=0).mean()) / 5
    assert found.noise_ratio == pytest.approx(expected, rel=0.05)


def test_each_checkpoint_has_its_own():
    many = [classifier_posterior(seed) for seed in (0, 1)]
    found = ls.check_step(
        many, ls.SGLD(step_size=1e-3, batch_size=8), num_steps=20, checkpoints=[3, 7], **QUIET
    )
    assert [one.checkpoint for one in found] == [3, 7]
    assert all(0 < one.mala_acceptance <= 1 and one.noise_ratio > 0 for one in found)


def test_large_samples_are_taken_a_few_at_once(monkeypatch):
    """Memory decides how many, and the acceptance is the same."""
    taken, target = [], step_check._target

    def watched(stack, w, at_once):
        taken.append(at_once)
        return target(stack, w, at_once)

    monkeypatch.setattr(step_check, "_target", watched)
    posterior, kernel = classifier_posterior(), ls.SGLD(step_size=0.01, batch_size=8)
    (whole,) = ls.check_step(posterior, kernel, num_chains=2, num_steps=10, **QUIET)
    monkeypatch.setattr(step_check, "_MOST_BYTES", 7 * 2 * posterior.bytes_per_sample)
    (parts,) = ls.check_step(posterior, kernel, num_chains=2, num_steps=10, **QUIET)
    assert taken == [4096, 7]
    assert parts.mala_acceptance == pytest.approx(whole.mala_acceptance, rel=1e-5)


def test_other_kernels_are_refused():
    with pytest.raises(LambdascopeError, match="kernel is a BAOAB; an SGLD is accepted"):
        ls.check_step(quadratic_posterior([1.0]), ls.BAOAB(step_size=0.1), **QUIET)
