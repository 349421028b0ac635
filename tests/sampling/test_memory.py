import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.posterior import local_posterior
from lambdascope.sampling import memory
from lambdascope.sampling.target import ChunkTarget
from tests.problems import draw, quadratic_posterior

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
    assert posterior.bytes_per_sample == 4 * (WIDTH + 4)


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


def test_a_potential_without_data_is_not_asked(small_machine, monkeypatch):
    monkeypatch.setattr(local_posterior, "bytes_per_sample", None)
    draw(quadratic_posterior([1.0, 2.0]), ls.MALA(step_size=1e-2))


def test_too_large_a_minibatch_is_refused_with_the_alternatives(posterior, small_machine):
    # A sample keeps 144 bytes, its inputs and targets take 48, its index 12, in each of 2 chains.
    settings = {"num_chains": 2, "chunk_size": 2}
    draw(posterior, ls.SGLD(step_size=1e-4, batch_size=200), **settings)
    with pytest.raises(
        LambdascopeError,
        match=r"batch_size=400: the gradient keeps about 0\.000152 GiB .* 2 chains at once, .* a "
        r"smaller batch_size is needed, or a microbatch_size such as 65, .*smaller chunk_size",
    ):
        draw(posterior, ls.SGLD(step_size=1e-4, batch_size=400), **settings)
    parts = ls.SGLD(step_size=1e-4, batch_size=400, microbatch_size=65)
    draw(posterior, parts, **settings)


def test_a_minibatch_that_no_machine_holds_is_refused(posterior):
    with pytest.raises(LambdascopeError, match=r"batch_size=2000000000: the gradient keeps"):
        draw(posterior, ls.SGLD(step_size=1e-4, batch_size=2 * 10**9))
    with pytest.raises(LambdascopeError, match=r"batch_size=100000000000: .*less than or"):
        ls.SGLD(step_size=1e-4, batch_size=10**11)


def test_what_the_check_lets_pass_and_memory_does_not_hold_is_a_sentence(posterior, monkeypatch):
    monkeypatch.setattr(ChunkTarget, "evaluate", lambda self, w: torch.empty(10**17))
    with pytest.raises(
        LambdascopeError,
        match=r"sampling 2 chains of 420 parameters, 2 at once, with batch_size=8 and "
        r"num_steps=20, does not fit into memory; a smaller chunk_size",
    ):
        draw(posterior, chunk_size=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": 10**6}, r"the records take .* this machine has .*; store=PATH keeps them"),
        ({"num_chains": 2 * 10**4}, r"the records take .* fewer num_steps or num_chains"),
        ({"num_steps": 2 * 10**9, "num_chains": 10**9, "chunk_size": 1}, "the records take"),
    ],
)
def test_records_that_memory_does_not_hold_are_refused(settings, message, monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda device: 1_000_000)
    with pytest.raises(LambdascopeError, match=message):
        draw(quadratic_posterior([1.0]), ls.SGLD(step_size=1e-4), **settings)


def test_records_in_a_store_must_fit_by_checkpoint_and_onto_the_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "total_memory", lambda device: 10_000)
    many, kernel = [quadratic_posterior([1.0])] * 3, ls.SGLD(step_size=1e-4)
    settings = {"store": tmp_path / "trace.zarr", "num_chains": 2, "num_steps": 1000}
    with pytest.raises(LambdascopeError, match=r"24.*|the records take .*store=PATH"):
        draw(many, kernel, **{**settings, "store": None})
    draw(many, kernel, **settings)  # 8,000 bytes a checkpoint
    with pytest.raises(LambdascopeError, match=r"the records of 'loss' take .* a checkpoint"):
        draw(many, kernel, **{**settings, "num_steps": 2000, "overwrite": True})
    monkeypatch.setattr(memory, "disk_size", lambda path: 20_000)
    settings |= {"store": tmp_path / "other.zarr"}
    with pytest.raises(LambdascopeError, match=r"and the disk under .*other\.zarr holds 1\.86e-05"):
        draw(many, kernel, **settings)
    assert not list(tmp_path.glob("other*"))
