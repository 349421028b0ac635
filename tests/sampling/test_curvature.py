"""The largest curvature, against Hessians that are known."""

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.sampling import curvature
from lambdascope.sampling.curvature import largest_curvature, least_curvature
from tests.problems import classifier_posterior, quadratic_posterior


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_quadratics(dtype):
    many = [quadratic_posterior([1.0, 4.0, top], dtype=dtype) for top in (0.5, 9.0)]
    # nβ·c + γ with nβ = 10, γ = 1
    np.testing.assert_allclose(largest_curvature(many), [41.0, 91.0], rtol=0.02)


def test_of_a_classifier_against_its_dense_hessian():
    posterior = classifier_posterior(dtype=torch.float64)

    def potential(w):
        batch = posterior.samples.batch(posterior.samples.tensors)
        loss = posterior.objective(w, posterior.held, batch).mean()
        return (
            posterior.nbeta * loss
            + posterior.localization / 2 * (w - posterior.w_star).pow(2).sum()
        )

    dense = torch.autograd.functional.hessian(potential, posterior.w_star)
    exact = torch.linalg.eigvalsh(dense).abs().max().item()
    assert largest_curvature([posterior])[0] == pytest.approx(exact, rel=0.1)


def test_only_directions_that_may_move_count():
    mask = {"w": torch.tensor([True, True, False])}
    free = quadratic_posterior([1.0, 4.0, 50.0], restriction=ls.ElementMask(mask))
    assert largest_curvature([free])[0] == pytest.approx(41.0, rel=0.02)


def test_at_other_points():
    class Quartic(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self):
            return self.w.pow(4).sum()

    posterior = ls.LocalPosterior(Quartic(), None, nbeta=10.0, localization=1.0)
    found = [largest_curvature([posterior], np.array([[[w]]]))[0] for w in (0.0, 2.0)]
    np.testing.assert_allclose(found, [1.0, 12 * 10 * 4 + 1], rtol=1e-3)
    assert largest_curvature([posterior], np.array([[[0.0], [2.0]]]))[0] == found[1]


def test_large_samples_are_fewer_and_fewer_places_run_at_once(monkeypatch):
    posteriors = [classifier_posterior(seed=s, n=400) for s in range(3)]
    whole = largest_curvature(posteriors)
    samples, size = curvature._at_once(posteriors, 93)
    assert samples == 400
    assert size > 3
    monkeypatch.setattr(curvature, "_MOST_BYTES", 1 << 15)
    samples, size = curvature._at_once(posteriors, 93)
    assert 30 < samples < 400
    assert size == 1
    # Of other samples, and so another number, of the same order.
    np.testing.assert_allclose(largest_curvature(posteriors), whole, rtol=0.3)


def test_sorted_samples_are_not_taken_from_the_front(monkeypatch):
    """Inputs of one half are ten times as large as those of the other, which comes first."""
    inputs = torch.cat([torch.full((200, 1), 1.0), torch.full((200, 1), 10.0)])
    model = torch.nn.Linear(1, 1, bias=False)
    posterior = ls.LocalPosterior(
        model, (inputs, torch.zeros(400, 1)), loss=_squared, nbeta=10.0, localization=1.0
    )
    exact = 10 * 2 * (1 + 100) / 2 + 1
    assert largest_curvature([posterior])[0] == pytest.approx(exact, rel=1e-3)
    monkeypatch.setattr(curvature, "_MOST_SAMPLES", 100)
    assert largest_curvature([posterior])[0] == pytest.approx(exact, rel=0.3)


def _squared(output, targets):
    return (output - targets).pow(2).sum(dim=1)


def test_models_that_vmap_cannot_take_are_told_of():
    class Branching(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(2))

        def forward(self):
            return self.w.pow(2 if self.w.detach().sum() > 0 else 4).sum()

    one = ls.LocalPosterior(Branching(), None, nbeta=1.0, localization=1.0)
    assert largest_curvature([one])[0] == pytest.approx(3.0, rel=0.02)
    with pytest.raises(LambdascopeError, match=r"vmap \(.*chunk_size=1\) runs chains one"):
        largest_curvature([one, one])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_softest_of_quadratics(dtype):
    many = [quadratic_posterior(c, dtype=dtype) for c in ([3.0, 0.7, 900.0], [1.0, 0.0, 4.0])]
    np.testing.assert_allclose(least_curvature(many), [8.0, 1.0], rtol=0.05)


def test_the_softest_of_those_that_may_move():
    mask = {"w": torch.tensor([True, False, True])}
    posterior = quadratic_posterior([1.0, 0.2, 50.0], restriction=ls.ElementMask(mask))
    assert least_curvature([posterior])[0] == pytest.approx(11.0, rel=0.02)


def test_the_softest_across_the_gradient_against_the_dense_matrix():
    posterior = classifier_posterior(dtype=torch.float64, localization=0.5)
    held = classifier_posterior(
        dtype=torch.float64, localization=0.5, restriction=ls.OrthogonalToGradient()
    )
    assert held.normal is not None

    def potential(w):
        batch = posterior.samples.batch(posterior.samples.tensors)
        loss = posterior.objective(w, posterior.held, batch).mean()
        return posterior.nbeta * loss + 0.25 * (w - posterior.w_star).pow(2).sum()

    dense = torch.autograd.functional.hessian(potential, posterior.w_star)
    normal = held.normal.to(dense)
    basis = torch.linalg.svd(normal[None]).Vh[1:]
    exact = torch.linalg.eigvalsh(basis @ dense @ basis.T).min().item()
    assert least_curvature([held])[0] == pytest.approx(max(exact, 0.5), rel=0.05)


def test_softer_places_beside_it_count_and_no_less_than_the_localisation():
    """½·log(1 + w²) bends upwards at 0 alone, and downwards beyond 1."""

    class Flattening(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self):
            return torch.log1p(self.w.pow(2)).sum() / 2

    posterior = ls.LocalPosterior(Flattening(), None, nbeta=3.0, localization=0.1)
    assert 0.1 <= least_curvature([posterior])[0] < 1.0
