"""The engine against twenty lines of float64 that are fed the same noise and minibatches."""

import copy

import numpy as np
import pytest
import torch

import lambdascope as ls
from tests.problems import classifier, classifier_data, classifier_posterior, draw
from tests.sampling.reference import reference_chain

STEPS, SEED, LABELS = 50, 3, (4, 11)
NAMES = tuple(name for name, _ in classifier().named_parameters())


def random_mask(name, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(classifier().get_parameter(name).shape, generator=generator) < 0.4


MASKS = {
    "linear.weight": random_mask("linear.weight", 1),
    "linear.bias": random_mask("linear.bias", 2),
}
RESTRICTIONS = {
    "none": ([], {}),
    "parameters": ([ls.Parameters("embedding*", "*bias")], {"names": (NAMES[0], NAMES[2])}),
    "mask": ([ls.ElementMask(MASKS)], {"masks": MASKS}),
    "gradient": ([ls.OrthogonalToGradient()], {"across_gradient": True}),
    "all": (
        [ls.Parameters("linear"), ls.ElementMask(MASKS), ls.OrthogonalToGradient()],
        {"names": NAMES[1:3], "masks": MASKS, "across_gradient": True},
    ),
}


def chosen_weights(names):
    return lambda parameters: torch.cat([parameters[name].reshape(-1) for name in names])


def both(restriction, dtype=torch.float64, batch_size=16, **settings):
    """The engine's trace and the reference's losses and paths, [checkpoint, chain, step, ...]."""
    restrictions, differently = RESTRICTIONS[restriction]
    common = {"nbeta": 30.0, "localization": 4.0, "weight_decay": 0.01}
    names = differently.get("names", NAMES)
    trace = draw(
        [
            classifier_posterior(seed=label, dtype=dtype, restriction=restrictions, **common)
            for label in LABELS
        ],
        ls.SGLD(step_size=2e-3, batch_size=batch_size),
        checkpoints=LABELS,
        num_chains=2,
        num_steps=STEPS,
        seed=SEED,
        thinning=1,
        observables={"weights": chosen_weights(names)},
        **settings,
    )
    # The float32 weights in float64, so that both start at the same point.
    models = [classifier(seed=label, dtype=dtype).double() for label in LABELS]
    expected = [
        [
            reference_chain(
                copy.deepcopy(model),
                classifier_data(),
                label=label,
                chain=chain,
                seed=SEED,
                steps=STEPS,
                step_size=2e-3,
                batch_size=batch_size,
                **{"names": NAMES, **common, **differently},
            )
            for chain in range(2)
        ]
        for label, model in zip(LABELS, models, strict=True)
    ]
    losses, paths = (
        np.stack([[pair[part].numpy() for pair in row] for row in expected]) for part in range(2)
    )
    return trace, losses, paths


@pytest.mark.parametrize("chunk_size", [4, 3, 1])
@pytest.mark.parametrize("restriction", RESTRICTIONS)
def test_every_restriction(restriction, chunk_size):
    trace, losses, paths = both(restriction, chunk_size=chunk_size)
    np.testing.assert_allclose(trace.loss, losses, rtol=1e-11)
    np.testing.assert_allclose(trace.weights, paths, rtol=0, atol=1e-12)
    away = np.linalg.norm(paths - paths[:, :, :1], axis=-1)
    assert away[:, :, -1].min() > 0.05  # the chains went somewhere
    np.testing.assert_allclose(trace.distance, away, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(trace.weight_norm, np.linalg.norm(paths, axis=-1), rtol=1e-11)


def test_a_minibatch_larger_than_the_data():
    trace, losses, _ = both("none", batch_size=100)
    np.testing.assert_allclose(trace.loss, losses, rtol=1e-11)


@pytest.mark.parametrize("restriction", ["none", "all"])
def test_float32_stays_near(restriction):
    trace, losses, paths = both(restriction, torch.float32)
    assert trace.loss.dtype == np.float32
    np.testing.assert_allclose(trace.loss, losses, rtol=2e-5)
    np.testing.assert_allclose(trace.weights, paths, rtol=0, atol=2e-5)


def test_the_compiled_step():
    trace, losses, paths = both("all", compile=True, chunk_size=2)
    assert trace.attrs["compiled"] == 1
    np.testing.assert_allclose(trace.loss, losses, rtol=1e-11)
    np.testing.assert_allclose(trace.weights, paths, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("restriction", RESTRICTIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-5)])
def test_the_compiled_step_with_every_restriction(restriction, dtype, tolerance):
    trace, losses, paths = both(restriction, dtype, compile=True)
    assert trace.attrs["compiled"] == 1
    np.testing.assert_allclose(trace.loss, losses, rtol=tolerance)
    np.testing.assert_allclose(trace.weights, paths, rtol=0, atol=tolerance)
