import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.sampling import memory
from tests.problems import classifier_posterior, draw, quadratic_posterior

WIDTH = 32


def squared_error(output, target):
    return (output - target).square().sum(dim=1)


@pytest.fixture
def posterior():
    model = nn.Sequential(nn.Linear(8, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 4))
    data = torch.randn(500, 8), torch.randn(500, 4)
    return ls.LocalPosterior(model, data, loss=squared_error, nbeta=10.0)


@pytest.fixture
def small_machine(monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda device: 100_000)


def test_what_a_sample_costs(posterior):
    # Kept of each sample: the tanh's output and the error. The inputs are there anyway.
    assert memory.bytes_per_sample(posterior) == 4 * (WIDTH + 4)


def test_the_machine_has_memory():
    found = memory.total_memory(torch.device("cpu"))
    assert found is None or 2**28 < found < 2**50


@pytest.mark.parametrize(
    "kernel", [ls.MALA(step_size=1e-4), ls.HMC(step_size=1e-2), ls.SGLD(step_size=1e-4)]
)
def test_too_large_a_batch_is_refused_with_its_size_and_the_alternatives(
    kernel, posterior, small_machine
):
    # 500 samples × 144 bytes × 2 chains = 144,000 bytes, and there are 100,000.
    with pytest.raises(
        LambdascopeError,
        match=r"batch_size=None: the gradient on all 500 samples keeps about 0\.000134 GiB .* "
        r"2 chains at once, .* has 9\.31e-05 GiB; microbatch_size=86 gives",
    ):
        draw(posterior, kernel, num_chains=2, chunk_size=2)


def test_parts_or_fewer_chains_fit(posterior, small_machine):
    draw(posterior, ls.MALA(step_size=1e-4, microbatch_size=86), num_chains=2, chunk_size=2)
    draw(posterior, ls.MALA(step_size=1e-4), num_chains=1)


def test_minibatches_and_potentials_are_not_asked(small_machine, monkeypatch):
    monkeypatch.setattr(memory, "bytes_per_sample", None)
    draw(classifier_posterior(n=4000), ls.SGLD(step_size=1e-4, batch_size=16))
    draw(quadratic_posterior([1.0, 2.0]), ls.MALA(step_size=1e-2))
