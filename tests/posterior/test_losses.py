import pytest
import torch
from torch import nn
from torch.nn import functional

import lambdascope as ls
from lambdascope.errors import LambdascopeError


@pytest.fixture
def logits():
    return 3 * torch.randn(11, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def targets():
    return torch.randint(4, (11,), generator=torch.Generator().manual_seed(1))


def value_and_gradient(loss, outputs, targets):
    outputs = outputs.clone().requires_grad_()
    weights = torch.linspace(0.5, 2, len(targets), dtype=outputs.dtype)
    values = loss(outputs, targets)
    (gradient,) = torch.autograd.grad((weights * values).sum(), outputs)
    return values, gradient


@pytest.mark.parametrize("scale", [1.0, 0.3, 7.0])
def test_cross_entropy_and_its_gradient_are_torchs(logits, targets, scale):
    def torchs(outputs, targets):
        return functional.cross_entropy(scale * outputs, targets, reduction="none")

    ours = value_and_gradient(ls.CrossEntropy(logit_scale=scale), logits, targets)
    theirs = value_and_gradient(torchs, logits, targets)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-13, atol=1e-15)


def test_cross_entropy_second_derivatives(logits, targets):
    assert torch.autograd.gradgradcheck(
        lambda x: ls.cross_entropy(x, targets[:3]), logits[:3].clone().requires_grad_()
    )


def test_cross_entropy_of_huge_logits_neither_overflows_nor_vanishes():
    logits = torch.tensor([[1e4, 0.0, -1e4], [-1e30, 1e30, 0.0], [88.0, -88.0, 3e38]])
    targets = torch.tensor([0, 0, 2])
    values, gradient = value_and_gradient(ls.cross_entropy, logits, targets)
    torch.testing.assert_close(values, torch.tensor([0.0, 2e30, 0.0]))
    assert torch.isfinite(gradient).all()


def test_cross_entropy_of_sure_answers_keeps_its_digits():
    logits = torch.randn(1000, 53, generator=torch.Generator().manual_seed(3))
    logits[:, 7] += 15 + torch.rand(1000, generator=torch.Generator().manual_seed(4))
    targets = torch.full((1000,), 7)
    exact = functional.cross_entropy(logits.double(), targets, reduction="none")
    values = ls.cross_entropy(logits, targets)
    assert values.min() >= 0
    assert (values - exact).abs().max() < 3e-7  # of losses near 3e-5, from logits near 15


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8])
def test_cross_entropy_takes_every_integer_type_that_it_says_it_takes(logits, targets, kind):
    ls.cross_entropy.check(logits, targets.to(kind))
    torch.testing.assert_close(
        ls.cross_entropy(logits, targets.to(kind)), ls.cross_entropy(logits, targets)
    )


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), "2", None, True])
def test_impossible_logit_scales_are_refused(scale):
    with pytest.raises(LambdascopeError, match=r"logit_scale=.*: a positive finite number"):
        ls.CrossEntropy(logit_scale=scale)


@pytest.mark.parametrize("bad", [-1, 4, 99])
def test_targets_out_of_range_are_refused(logits, targets, bad):
    targets[3] = bad
    with pytest.raises(LambdascopeError, match=r"the model has 4 outputs, so targets 0 … 3 are"):
        ls.cross_entropy.check(logits, targets)


@pytest.mark.parametrize("kind", [torch.float32, torch.bool])
def test_targets_that_are_no_classes_are_refused(logits, targets, kind):
    with pytest.raises(LambdascopeError, match="cross_entropy accepts integer classes"):
        ls.cross_entropy.check(logits, targets.to(kind))


@pytest.mark.parametrize(
    ("logits_shape", "targets_shape"),
    [((3, 4), (3, 1)), ((3, 4), (2,)), ((3,), (3,)), ((3, 4, 2), (3, 2))],
)
def test_cross_entropy_names_shapes_that_do_not_fit(logits_shape, targets_shape):
    with pytest.raises(LambdascopeError, match=r"it accepts \[batch, class\] and \[batch\]"):
        ls.cross_entropy.check(
            torch.zeros(logits_shape), torch.zeros(targets_shape, dtype=torch.int64)
        )


@pytest.mark.parametrize("shape", [(11,), (11, 3), (11, 2, 5)])
def test_gaussian_nll_and_its_gradient_are_torchs(shape):
    generator = torch.Generator().manual_seed(2)
    outputs, targets = (
        torch.randn(shape, dtype=torch.float64, generator=generator) for _ in range(2)
    )

    def torchs(outputs, targets):
        losses = functional.gaussian_nll_loss(
            outputs, targets, torch.full_like(outputs, 0.7**2), reduction="none"
        )
        constant = torch.log(torch.tensor(0.7**2, dtype=torch.float64)) / 2
        return (losses - constant).reshape(len(outputs), -1).sum(dim=1)

    ours = value_and_gradient(ls.GaussianNLL(noise_std=0.7), outputs, targets)
    theirs = value_and_gradient(torchs, outputs, targets)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("noise", [0.0, -2.0, float("nan"), float("inf"), "1"])
def test_impossible_noise_is_refused(noise):
    with pytest.raises(LambdascopeError, match=r"noise_std=.*: a positive finite number"):
        ls.GaussianNLL(noise_std=noise)


def test_targets_that_would_be_broadcast_are_refused():
    with pytest.raises(LambdascopeError, match=r"targets have shape \[6\].*\[6, 1\]"):
        ls.gaussian_nll.check(torch.zeros(6, 1), torch.zeros(6))


@pytest.mark.parametrize("target", [-1, 5])
def test_a_posterior_looks_at_all_targets(target):
    model = nn.Linear(3, 5)
    targets = torch.zeros(500, dtype=torch.int64)
    targets[-1] = target
    with pytest.raises(LambdascopeError, match=r"the model has 5 outputs, so targets 0 … 4 are"):
        ls.LocalPosterior(model, (torch.ones(500, 3), targets), loss=ls.cross_entropy)
