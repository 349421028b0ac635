import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.sampling import PointSamples, open_trace, trace_bytes
from tests.problems import classifier_posterior, draw, flat_weights


@pytest.mark.parametrize("stored", [True, False])
def test_points_are_the_weights_to_half_precision(tmp_path, stored):
    posterior = classifier_posterior()
    trace = draw(
        posterior,
        thinning=5,
        observables={
            "points": PointSamples(),
            "exact": PointSamples(precision="float32"),
            "w": flat_weights,
        },
        store=tmp_path / "trace.zarr" if stored else None,
    )
    assert trace["points"].dtype == np.float16
    assert trace["exact"].dtype == np.float32
    np.testing.assert_array_equal(trace["exact"], trace["w"])
    np.testing.assert_allclose(trace["points"], trace["w"], rtol=5e-4, atol=1e-7)
    if stored:
        assert open_trace(tmp_path / "trace.zarr")["points"].dtype == np.float16


def test_in_double_precision_points_are_kept_as_asked_for():
    posterior = classifier_posterior(dtype=torch.float64)
    observables = {"points": PointSamples(), "w": flat_weights}
    trace = draw(posterior, observables=observables)
    assert trace["points"].dtype == np.float16
    assert trace["w"].dtype == np.float64


def test_points_of_some_parameters():
    trace = draw(
        classifier_posterior(),
        observables={"some": PointSamples("embedding", "linear.b*"), "w": flat_weights},
    )
    names = dict(ls_names(classifier_posterior()))
    chosen = [n for n in names if n.startswith("embedding.") or n == "linear.bias"]
    parts = np.split(trace["w"].values, np.cumsum(list(names.values()))[:-1], axis=-1)
    expected = np.concatenate([parts[list(names).index(n)] for n in chosen], axis=-1)
    np.testing.assert_allclose(trace["some"], expected, rtol=5e-4, atol=1e-7)


def ls_names(posterior):
    return zip(posterior.layout.names, posterior.layout.sizes, strict=True)


@pytest.mark.parametrize("num_posteriors", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_size_said_before_is_the_size_of_the_trace(num_posteriors, dtype):
    posteriors = [classifier_posterior(seed=s, dtype=dtype) for s in range(num_posteriors)]
    kernel = ls.SGLD(step_size=1e-3, batch_size=8)
    settings = {
        "num_chains": 2,
        "num_steps": 23,
        "thinning": 4,
        "observables": {"points": PointSamples("linear"), "norm": lambda p: flat_weights(p).norm()},
    }
    said = trace_bytes(posteriors, kernel, **settings)
    trace = draw(posteriors, kernel, **settings)
    assert said == {name: trace[name].nbytes for name in said}
    assert set(said) == {"loss", "distance", "weight_norm", "points", "norm"}
    if num_posteriors == 1:
        assert trace_bytes(posteriors[0], kernel, **settings) == said


def test_what_cannot_be_recorded_is_refused():
    with pytest.raises(LambdascopeError, match="precision='int8': float16 or float32"):
        PointSamples(precision="int8")
    with pytest.raises(LambdascopeError, match=r"precision=\[\]: float16 or float32"):
        PointSamples(precision=[])
    with pytest.raises(LambdascopeError, match=r"Parameters\(3\): patterns such as"):
        PointSamples(3)
    wrong = {"points": PointSamples("embeding")}
    kernel = ls.SGLD(step_size=1e-3)
    with pytest.raises(LambdascopeError, match=r"'points' failed .*'embeding' matches nothing"):
        trace_bytes(classifier_posterior(), kernel, num_chains=1, num_steps=4, observables=wrong)
    with pytest.raises(LambdascopeError, match="'embeding' matches nothing"):
        draw(classifier_posterior(), observables=wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_chains": None}, r"num_chains=None: an integer ≥ 1"),
        ({"num_steps": 0}, r"num_steps=0: an integer ≥ 1"),
        ({"thinning": 0}, r"thinning=0: an integer ≥ 1"),
        ({"observables": 3}, r"observables is a int; a dict"),
        ({"observables": {"x": lambda p: 1.0}}, r"observable 'x' failed \(it returned a float\)"),
    ],
)
def test_what_sample_refuses_is_refused_beforehand(settings, message):
    settings = {"num_chains": 1, "num_steps": 4, **settings}
    with pytest.raises(LambdascopeError, match=message):
        trace_bytes(classifier_posterior(), ls.SGLD(step_size=1e-3), **settings)


def test_a_size_is_asked_for_posteriors_and_a_sampler():
    settings = {"num_chains": 1, "num_steps": 4}
    with pytest.raises(LambdascopeError, match="posteriors holds a NoneType"):
        trace_bytes(None, ls.SGLD(step_size=1e-3), **settings)
    with pytest.raises(LambdascopeError, match="kernel='SGLD': a sampler"):
        trace_bytes(classifier_posterior(), "SGLD", **settings)
