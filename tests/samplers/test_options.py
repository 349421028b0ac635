"""What every sampler takes besides its own settings: box, jittered start, microbatches, decay."""

import numpy as np
import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.samplers.moves import folded
from tests.problems import classifier_posterior, draw, flat_weights, quadratic_posterior
from tests.samplers.cases import CASES, each_sampler, small, with_settings

WEIGHTS = {"weights": lambda parameters: parameters["w"]}


class Flat(nn.Module):
    """A potential that is the same everywhere: only the walls hold the chain."""

    def __init__(self, start):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self):
        return 0.0 * self.w.sum()


def test_folding_by_hand():
    box = 2.0
    displacement = torch.tensor([-9.0, -3.0, -2.0, -0.1, 0.0, 1.9, 2.5, 5.0, 6.5, 8.3])
    inside, sign = folded(displacement, box)
    expected = torch.tensor([-1.0, -1.0, -2.0, -0.1, 0.0, 1.9, 1.5, -1.0, -1.5, 0.3])
    torch.testing.assert_close(inside, expected, rtol=0, atol=1e-6)
    assert sign.tolist() == [1, -1, 1, 1, 1, 1, -1, -1, 1, 1]


@each_sampler
def test_chains_stay_in_the_box_and_fill_it(case):
    box = 0.75
    posterior = ls.LocalPosterior(Flat([1.0, -3.0]), None, nbeta=1.0, localization=0.0)
    trace = draw(
        posterior,
        with_settings(case, bounding_box=box),
        num_chains=64,
        num_steps=400,
        thinning=1,
        observables=WEIGHTS,
    )
    away = trace.weights.values[0] - [1.0, -3.0]  # [chain, step, param]
    assert np.abs(away).max() <= box * (1 + 1e-12)
    # Without a force the posterior is uniform on the box: mean 0, mean square box²/3.
    for moment, exact in ((away, 0.0), (away**2, box**2 / 3)):
        per_chain = moment[:, 100:].mean(axis=(1, 2))
        error = per_chain.std(ddof=1) / 8
        assert abs(per_chain.mean() - exact) < 4 * error
        assert error < 0.05 * box


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.order is None])
def test_exact_samplers_are_exact_in_a_box(case):
    box, curvature = 0.8, 2.0
    posterior = quadratic_posterior([curvature], dtype=torch.float64, nbeta=1.0, localization=0.0)
    kernel = with_settings(case, bounding_box=box)
    trace = draw(posterior, kernel, num_chains=400, num_steps=400, chunk_size=400)
    grid = np.linspace(-box, box, 20001)
    density = np.exp(-curvature * grid**2 / 2)
    exact = (density * curvature * grid**2 / 2).sum() / density.sum()
    per_chain = trace.loss.values[0, :, 100:].mean(axis=1)
    error = per_chain.std(ddof=1) / 20
    assert abs(per_chain.mean() - exact) < 4 * error
    assert error < 0.01 * exact


@each_sampler
def test_a_wide_box_changes_nothing(case):
    kernels = [small(case), small(case, bounding_box=1e6)]
    free, boxed = (draw(classifier_posterior(), k, num_steps=30) for k in kernels)
    np.testing.assert_array_equal(free.loss, boxed.loss)


@each_sampler
def test_a_box_across_the_hyperplane_is_refused(case):
    posterior = classifier_posterior(restriction=ls.OrthogonalToGradient())
    with pytest.raises(LambdascopeError, match=r"bounding_box=0.5 with OrthogonalToGradient"):
        draw(posterior, small(case, bounding_box=0.5))


@each_sampler
def test_a_jittered_start_has_its_scale_and_its_restrictions(case):
    posterior = quadratic_posterior(
        torch.ones(50),
        dtype=torch.float64,
        restriction=ls.ElementMask({"w": torch.arange(50) < 40}),
    )
    kernel = with_settings(case, start_jitter=0.3)
    settings = {"num_chains": 100, "num_steps": 4, "observables": WEIGHTS}
    start = draw(posterior, kernel, chunk_size=100, **settings).weights.values[0, :, 0]
    assert (start[:, 40:] == 0).all()
    assert start[:, :40].std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * 4000))
    assert abs(start[:, :40].mean()) < 4 * 0.3 / np.sqrt(4000)
    assert len(np.unique(start[:, :40])) == 4000
    cut = draw(posterior, kernel, chunk_size=7, **settings).weights.values[0, :, 0]
    np.testing.assert_allclose(start, cut, rtol=1e-12)


@each_sampler
def test_a_jittered_start_is_inside_the_box(case):
    kernel = with_settings(case, start_jitter=5.0, bounding_box=0.5)
    trace = draw(quadratic_posterior(torch.ones(50)), kernel, num_steps=4, observables=WEIGHTS)
    start = trace.weights.values[0, :, 0]
    assert 0.4 < np.abs(start).max() <= 0.5 * (1 + 1e-6)


@each_sampler
@pytest.mark.parametrize("microbatch_size", [4, 12])
def test_microbatches_give_the_same_numbers(case, microbatch_size):
    posteriors = [classifier_posterior(seed, dtype=torch.float64, n=13) for seed in (0, 1)]
    for batch_size in case.batch_sizes:
        kernel = small(case, batch_size=batch_size)
        parts = small(case, batch_size=batch_size, microbatch_size=microbatch_size)
        for chunk_size in (1, 4):
            whole, parted = (
                draw(posteriors, k, chunk_size=chunk_size, num_steps=8) for k in (kernel, parts)
            )
            for name in (*type(kernel).info_names, "distance"):
                np.testing.assert_allclose(whole[name], parted[name], rtol=1e-9, atol=1e-12)


@each_sampler
def test_the_recorded_loss_is_free_of_weight_decay(case):
    plain, decayed = (
        classifier_posterior(dtype=torch.float64, weight_decay=decay) for decay in (0.0, 0.5)
    )
    traces = [
        draw(p, small(case), num_steps=40, thinning=1, observables={"weights": flat_weights})
        for p in (plain, decayed)
    ]
    assert traces[0].loss.values[0, 0, 0] == traces[1].loss.values[0, 0, 0]
    assert abs(traces[0].distance - traces[1].distance).max() > 0.01  # yet it pulls
    for step in (0, 13, 39):
        w = torch.tensor(traces[1].weights.values[0, 1, step])
        assert traces[1].loss.values[0, 1, step] == pytest.approx(decayed.mean_loss(w), rel=1e-12)


@each_sampler
@pytest.mark.parametrize("name", ["bounding_box", "start_jitter", "microbatch_size"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "wide", "1", b"1", True])
def test_impossible_options_are_refused(case, name, value):
    with pytest.raises(LambdascopeError, match=rf"{name}=.*input should be"):
        with_settings(case, **{name: value})
