import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from tests.problems import classifier_posterior, draw, quadratic_posterior


def test_the_losses_of_the_samples_that_are_watched():
    posterior = classifier_posterior(dtype=torch.float64)
    trace = draw(posterior, observables={"one": ls.SampleLosses(posterior, [3, 0])})
    tensors = [tensor[[3, 0]] for tensor in posterior.samples.tensors]
    expected = posterior.objective(posterior.w_star, posterior.held, tuple(tensors))
    torch.testing.assert_close(torch.tensor(trace.one.values[0, 0, 0]), expected)


def test_the_same_call_is_the_same_however_often(tmp_path):
    posterior = classifier_posterior()
    watch = {"sample_loss": ls.SampleLosses(posterior)}
    for _ in range(3):
        draw(posterior, observables=watch, store=tmp_path / "trace.zarr")
    other = {"sample_loss": ls.SampleLosses(posterior, [1])}
    with pytest.raises(LambdascopeError, match=r"other settings \(observables: "):
        draw(posterior, observables=other, store=tmp_path / "trace.zarr")


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (3, r"samples=3: a list of positions, whole numbers, is accepted"),
        ([1.5], r"samples=\[1\.5\]: a list of positions"),
        ([40], r"samples=40: one or more positions from 0 to 39 are accepted"),
        ([-1], r"samples=-1: one or more positions"),
        ([], r"samples=\[\]: one or more positions"),
    ],
)
def test_positions_that_are_none_are_refused(samples, message):
    with pytest.raises(LambdascopeError, match=message):
        ls.SampleLosses(classifier_posterior(), samples)


def test_what_has_no_samples_is_refused():
    with pytest.raises(LambdascopeError, match="potential without data"):
        ls.SampleLosses(quadratic_posterior([1.0]))
    with pytest.raises(LambdascopeError, match="posterior is a Linear; a LocalPosterior"):
        ls.SampleLosses(torch.nn.Linear(1, 1))
