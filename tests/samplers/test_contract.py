"""The contract that every sampler keeps. A new one joins by a line in `cases.CASES`."""

import inspect

import numpy as np
import pytest
import torch

from lambdascope.errors import LambdascopeError
from tests.samplers.cases import CHAINS, DIMENSION, each_sampler, gaussian, noise_at, run


def same(one, other):
    """To the bit, NaN being like NaN (nothing accepted yet, for instance)."""
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(
        one.nan_to_num(), other.nan_to_num()
    )


@each_sampler
def test_signatures(case):
    assert list(inspect.signature(type(case.kernel).init).parameters) == ["self", "w"]
    assert list(inspect.signature(type(case.kernel).step).parameters) == [
        "self", "state", "target", "noise"
    ]  # fmt: skip


@each_sampler
def test_the_state_starts_at_w_star(case):
    w = gaussian().w_star.clone()
    state = case.kernel.init(w)
    assert torch.equal(state["w"], w)
    assert all(len(tensor) == CHAINS for tensor in state.values())
    assert all(isinstance(name, str) for name in state)


@each_sampler
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_keeps_the_form_of_the_state(case, dtype):
    target = gaussian(dtype=dtype)
    before = case.kernel.init(target.w_star.clone())
    after, info = case.kernel.step(before, target, noise_at(0, dtype=dtype))
    assert after.keys() == before.keys()
    for name, tensor in after.items():
        assert tensor.shape == before[name].shape
        assert tensor.dtype == before[name].dtype
    assert tuple(info) == type(case.kernel).info_names
    assert all(tensor.shape == (CHAINS,) for tensor in info.values())


@each_sampler
def test_a_step_is_pure(case):
    target = gaussian()
    state = case.kernel.init(target.w_star.clone())
    for step in range(3):  # from a state with every part in motion
        state, _ = case.kernel.step(state, target, noise_at(step))
    held = {name: tensor.clone() for name, tensor in state.items()}
    w_star = target.w_star.clone()
    randomness, settings = torch.get_rng_state(), dict(vars(case.kernel))
    first, first_info = case.kernel.step(state, target, noise_at(3))
    second, second_info = case.kernel.step(state, target, noise_at(3))
    for name in first:
        assert same(first[name], second[name])
        assert same(state[name], held[name])
        assert first[name].data_ptr() != state[name].data_ptr()
    for name in first_info:
        assert same(first_info[name], second_info[name])
    assert torch.equal(target.w_star, w_star)
    assert torch.equal(torch.get_rng_state(), randomness)
    assert vars(case.kernel) == settings


@each_sampler
def test_the_reported_loss_is_the_one_before_the_step(case):
    target = gaussian()
    state = case.kernel.init(target.w_star.clone())
    for step in range(4):
        expected = target.evaluate(state["w"]).loss
        state, info = case.kernel.step(state, target, noise_at(step))
        assert torch.equal(info["loss"], expected)


@each_sampler
def test_other_noise_leads_elsewhere(case):
    target = gaussian()
    ends = []
    for first in (0, 1000):
        state = case.kernel.init(target.w_star.clone())
        for step in range(first, first + 40):  # enough that no chain rejects all along
            state, _ = case.kernel.step(state, target, noise_at(step))
        ends.append(state["w"])
    assert (ends[0] != ends[1]).all()


@each_sampler
def test_chains_do_not_mix(case):
    whole, alone = gaussian(), gaussian()
    alone.w_star = alone.w_star[:2]
    for (many, _), (few, _) in zip(
        run(case.kernel, whole, 20), run(case.kernel, alone, 20, chains=2), strict=True
    ):
        torch.testing.assert_close(many["w"][:2], few["w"], rtol=1e-13, atol=1e-13)


@each_sampler
def test_masked_elements_do_not_move(case):
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    target = gaussian(mask=mask)
    *_, (state, _) = run(case.kernel, target, 50)
    moved = state["w"] != target.w_star
    assert torch.equal(moved, mask.bool().expand(CHAINS, -1))


@each_sampler
def test_nothing_moves_along_the_normal(case):
    normal = torch.tensor([0.5, -0.5, 0.5, 0.5], dtype=torch.float64)
    target = gaussian(normal=normal)
    for state, _ in run(case.kernel, target, 200):
        away = state["w"] - target.w_star
        assert (away @ normal).abs().max() < 1e-14
    assert away.norm(dim=1).min() > 0.1


@each_sampler
def test_a_nan_is_reported_and_stays_with_its_chain(case):
    whole, torn = gaussian(), gaussian()
    torn.w_star[1, 2] = float("nan")
    for (calm, _), (broken, info) in zip(
        run(case.kernel, whole, 10), run(case.kernel, torn, 10), strict=True
    ):
        assert torch.isnan(info["loss"]).tolist() == [False, True, False, False, False]
        others = [0, 2, 3, 4]
        assert torch.equal(broken["w"][others], calm["w"][others])


def without_warmup(kernel):
    settings = kernel.model_dump()
    known = {name: 0 for name in ("num_warmup_trajectories",) if name in settings}
    return type(kernel)(**{**settings, **known})


@each_sampler
def test_a_nan_gradient_is_reported_of_its_chain(case):
    calm, torn = gaussian(), gaussian()
    evaluate = torn.evaluate

    def spoiled(w):
        now = evaluate(w)
        if torn.calls > 3:
            now.loss_gradient[1, 2] = now.potential_gradient[1, 2] = float("nan")
        return now

    torn.evaluate = spoiled
    kernel = without_warmup(case.kernel)  # in which chains diverge by trying too large steps
    reports = []
    for (clean, _), (state, info) in zip(run(kernel, calm, 10), run(kernel, torn, 10), strict=True):
        reports.append(torch.isnan(info["loss"]) | (info.get("divergent", torch.zeros(CHAINS)) > 0))
        assert torch.equal(state["w"][[0, 2, 3, 4]], clean["w"][[0, 2, 3, 4]])
    assert torch.stack(reports).any(dim=0).tolist() == [False, True, False, False, False]


NORMAL = torch.tensor([0.5, -0.5, 0.5, 0.5], dtype=torch.float64)
MASK = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
RESTRICTIONS = {
    "free": ({}, torch.eye(DIMENSION, dtype=torch.float64)),
    "normal": ({"normal": NORMAL}, torch.linalg.svd(NORMAL[None])[2][1:].T),
    "mask": ({"mask": MASK}, torch.eye(DIMENSION, dtype=torch.float64)[:, MASK > 0]),
}


@each_sampler
@pytest.mark.parametrize("restriction", RESTRICTIONS)
def test_a_gaussian_target_is_reached(case, restriction):
    settings, basis = RESTRICTIONS[restriction]
    chains, warm_up = 400, case.num_steps // 2
    target = gaussian(chains, **settings)
    target.w_star = target.w_star[:1].expand(chains, -1)
    # Within w* + span(basis) the target is Gaussian again, with this precision and this mean.
    curvature, rotation = torch.linalg.eigh(basis.T @ target.precision @ basis)
    directions = basis @ rotation
    force = (target.w_star[:1] - target.mean) @ target.precision @ directions
    mean = target.w_star[:1] @ directions - force / curvature
    draws = []
    for step, (state, _) in enumerate(run(case.kernel, target, case.num_steps, chains)):
        if step >= warm_up:
            draws.append(state["w"] @ directions - mean)
    draws = torch.stack(draws).numpy()  # [step, chain, direction]
    # Chains are independent: their means have the standard error of independent draws.
    means = draws.mean(axis=0)
    errors = means.std(axis=0, ddof=1) / np.sqrt(chains)
    assert np.abs(means.mean(axis=0) / errors).max() < 4
    products = np.einsum("sci,scj->cij", draws, draws) / len(draws)
    covariance, error = products.mean(axis=0), products.std(axis=0, ddof=1) / np.sqrt(chains)
    expected = np.diag(case.stationary_factor(curvature.numpy()) / curvature.numpy())
    assert np.abs((covariance - expected) / error).max() < 4
    assert (error / np.sqrt(np.outer(np.diag(expected), np.diag(expected)))).max() < 0.03


@each_sampler
@pytest.mark.parametrize("batch_size", [0, -3, 2.5, "many"])
def test_impossible_batch_sizes_are_refused(case, batch_size):
    settings = {**case.kernel.model_dump(), "batch_size": batch_size}
    with pytest.raises(LambdascopeError, match=r"batch_size=.*input should be"):
        type(case.kernel)(**settings)


@each_sampler
def test_settings_are_frozen_and_known(case):
    with pytest.raises(LambdascopeError, match="momentun is not a setting of"):
        type(case.kernel)(**case.kernel.model_dump(), momentun=0.9)
    assert type(case.kernel)(**case.kernel.model_dump()) == case.kernel
