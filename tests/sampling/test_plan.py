import math

import pytest
import torch

from lambdascope.sampling import plan as plan_module
from lambdascope.sampling.plan import available_cores, make_plan

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(params=[1, 2, 3, 16])
def cores(request, monkeypatch):
    monkeypatch.setattr(plan_module, "available_cores", lambda: request.param)
    return request.param


@pytest.mark.parametrize("num_chains", [1, 2, 7, 100, 2501])
@pytest.mark.parametrize("chunk_size", [None, 1, 3, 64, 10**6])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_every_chain_runs_exactly_once(num_chains, chunk_size, device, cores):
    plan = make_plan(num_chains, 4428, 64 * 3, device, chunk_size)
    positions = []
    for index in range(plan.num_chunks):
        chunk = plan.chunk(index, num_chains)
        assert len(chunk) == plan.chunk_size
        real = plan.real(index, num_chains)
        assert 1 <= real <= plan.chunk_size
        assert set(chunk[real:]) <= {num_chains - 1}  # fillers
        positions += chunk[:real]
    assert positions == list(range(num_chains))
    assert 1 <= plan.num_workers <= min(cores, plan.num_chunks)


def test_the_work_is_shared_evenly(cores):
    for num_chains in (cores, 100, 2500):
        plan = make_plan(num_chains, 4428, 192, CPU, None)
        rounds = math.ceil(plan.num_chunks / plan.num_workers)
        assert rounds * plan.chunk_size * plan.num_workers <= num_chains + rounds * cores


@pytest.mark.parametrize("device", [CPU, GPU])
def test_chunks_are_bounded_by_weights_and_by_data(device, cores):
    small = make_plan(10_000, 100, 100, device, None).chunk_size
    assert make_plan(10_000, 10**6, 100, device, None).chunk_size < small
    assert make_plan(10_000, 100, 10**6, device, None).chunk_size < small
    assert make_plan(10_000, 10**12, 100, device, None).chunk_size == 1
    assert small <= 4096


def test_cores_are_no_more_than_pytorch_was_told():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert available_cores() == 1
    finally:
        torch.set_num_threads(before)
    assert available_cores() >= 1
