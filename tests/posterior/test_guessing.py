"""The loss of one answer for every input, against its closed forms."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import lambdascope as ls
from tests.problems import classifier, classifier_data


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_a_classifiers_is_the_entropy_of_its_labels(scale):
    """However sure its outputs are of themselves, whose mean alone would be a worse answer."""
    model, (tokens, targets) = classifier(dtype=torch.float64), classifier_data(9000)
    loss = ls.CrossEntropy(logit_scale=scale)
    posterior = ls.LocalPosterior(model, (tokens, targets), loss=loss)
    shares = torch.bincount(targets).double() / len(targets)
    entropy = -(shares[shares > 0] * shares[shares > 0].log()).sum().item()
    assert posterior.guessing_loss == pytest.approx(entropy, rel=2e-3)
    assert posterior.guessing_loss >= entropy - 1e-12
    with torch.no_grad():
        mean = scale * model(tokens).mean(dim=0, keepdim=True).expand(len(tokens), -1)
    assert posterior.guessing_loss <= functional.cross_entropy(mean, targets).item()


def test_without_a_say_in_the_answer_it_is_that_of_chance():
    model = nn.Linear(4, 3)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    data = torch.randn(90, 4), torch.arange(90) % 3
    posterior = ls.LocalPosterior(model, data, loss=ls.cross_entropy)
    assert posterior.guessing_loss == pytest.approx(math.log(3), rel=1e-6)
    assert posterior.guessing_loss == pytest.approx(posterior.initial_loss, rel=1e-6)


def test_a_regressions_is_half_the_variance_over_the_noise():
    x = torch.linspace(-1, 1, 201, dtype=torch.float64)[:, None]
    model = nn.Linear(1, 1, dtype=torch.float64)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.bias.fill_(5.0)
    posterior = ls.LocalPosterior(model, (x, 2 * x + 5), loss=ls.GaussianNLL(noise_std=0.1))
    variance = (2 * x).var(correction=0).item()
    assert posterior.guessing_loss == pytest.approx(variance / 2 / 0.1**2, rel=1e-12)
    assert posterior.initial_loss == pytest.approx(0, abs=1e-12)


class Pair(nn.Module):
    """A module with two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.line(x), x


def of_the_first(outputs, targets):
    return ls.cross_entropy(outputs[0], targets)


def of_the_model(model, batch):
    return ls.cross_entropy(model(batch[0]), batch[1])


class Potential(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))

    def forward(self) -> torch.Tensor:
        return (self.w**2).sum()


@pytest.mark.parametrize(
    ("model", "loss"), [(Pair(), of_the_first), (nn.Linear(2, 2), of_the_model)]
)
def test_where_outputs_have_no_mean_there_is_none(model, loss):
    data = torch.randn(8, 2), torch.arange(8) % 2
    assert math.isnan(ls.LocalPosterior(model, data, loss=loss).guessing_loss)


def test_a_potential_has_none():
    assert math.isnan(ls.LocalPosterior(Potential(), None, nbeta=1.0).guessing_loss)


def test_copies_at_another_localization_share_it_and_randomness_is_left_alone(monkeypatch):
    posterior = ls.LocalPosterior(
        nn.Linear(2, 2), (torch.randn(8, 2), torch.arange(8) % 2), loss=ls.cross_entropy
    )
    other = posterior.with_localization(7.0)
    before = torch.get_rng_state()
    expected = posterior.guessing_loss
    assert torch.equal(torch.get_rng_state(), before)
    monkeypatch.setattr("lambdascope.posterior.local_posterior.guessing_loss", None)
    assert other.guessing_loss == expected
