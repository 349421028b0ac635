"""Every sampler as `sample` runs it: cut into chunks, interrupted, restricted, compiled."""

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.sampling import loop, runner
from tests.problems import classifier_posterior, draw, flat_weights
from tests.samplers.cases import each_sampler, small

RESTRICTION = [ls.Parameters("linear", "unembedding"), ls.OrthogonalToGradient()]


def posteriors(dtype=torch.float64, **settings):
    return [classifier_posterior(seed, dtype, **settings) for seed in (0, 1)]


@each_sampler
def test_the_cut_into_chunks_changes_nothing(case):
    for batch_size in case.batch_sizes:
        kernel = small(case, batch_size=batch_size, start_jitter=0.01)
        whole, cut = (
            draw(posteriors(restriction=RESTRICTION), kernel, num_chains=3, chunk_size=size)
            for size in (6, 4)
        )
        for name in (*type(kernel).info_names, "distance"):
            np.testing.assert_allclose(whole[name], cut[name], rtol=1e-9, atol=1e-12)


@each_sampler
def test_interrupted_it_goes_on_to_the_same_bits(case, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "BLOCK", 10)
    kernel = small(case, batch_size=case.batch_sizes[-1])
    settings = {"num_steps": 40, "chunk_size": 2}
    expected = draw(classifier_posterior(), kernel, **settings)
    advance, taken = loop.DirectLoop.advance, []

    def interrupted(self):
        taken.append(1)
        if len(taken) == 15:  # past the snapshot of step 10, in the midst of a trajectory of HMC
            raise KeyboardInterrupt
        advance(self)

    monkeypatch.setattr(loop.DirectLoop, "advance", interrupted)
    settings["store"] = tmp_path / "trace.zarr"
    with pytest.raises(KeyboardInterrupt):
        draw(classifier_posterior(), kernel, **settings)
    found = draw(classifier_posterior(), kernel, **settings)
    assert len(taken) == 15 + 30
    for name in (*type(kernel).info_names, "distance"):
        np.testing.assert_array_equal(expected[name], found[name])


@each_sampler
def test_nothing_moves_that_is_held(case):
    mask = torch.arange(5 * 6).reshape(5, 6) % 3 > 0
    everything = torch.ones(6, 6, dtype=torch.bool)
    posterior = classifier_posterior(
        restriction=[
            ls.ElementMask({"unembedding.weight": mask, "linear.weight": everything}),
            ls.OrthogonalToGradient(),
        ]
    )
    trace = draw(
        posterior,
        small(case),
        num_steps=60,
        thinning=5,
        observables={"w": lambda parameters: posterior.layout.ravel(parameters)},
    )
    away = torch.tensor(trace.w.values) - posterior.w_star
    assert (away[..., ~posterior.mask] == 0).all()
    assert (away[:, :, -1][..., posterior.mask] != 0).all()
    # In float32 a displacement is rounded as the weights are, which are of order 1.
    along = (away.double() @ posterior.normal.double()).abs().max()
    assert along < 1e-6 < 0.01 < away.norm(dim=-1).max()


@each_sampler
def test_frozen_parameters_and_buffers_do_not_move(case):
    posterior = classifier_posterior(restriction=ls.Parameters("unembedding"))
    trace = draw(posterior, small(case), num_steps=30, observables={"all": flat_weights})
    held = posterior.num_parameters
    size = trace["all"].shape[-1]
    still = (trace["all"].values == trace["all"].values[:, :, :1]).all(axis=(0, 1, 2))
    assert still.sum() == size - held > 0


@pytest.mark.slow
@each_sampler
def test_compiled_it_does_the_same(case):
    kernel = small(case, batch_size=case.batch_sizes[-1])
    eager, compiled = (
        draw(posteriors(restriction=RESTRICTION), kernel, compile=way, num_steps=60)
        for way in (False, True)
    )
    for name in (*type(kernel).info_names, "distance"):
        np.testing.assert_allclose(eager[name], compiled[name], rtol=1e-7, atol=1e-9)
