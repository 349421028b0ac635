import re

import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from tests.problems import Quadratic, classifier, classifier_data, classifier_posterior

NAMES = ("embedding.weight", "linear.weight", "linear.bias", "unembedding.weight")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["*"], NAMES),
        (["linear*"], ("linear.weight", "linear.bias")),
        (["linear"], ("linear.weight", "linear.bias")),
        (["*.weight"], ("embedding.weight", "linear.weight", "unembedding.weight")),
        (["unembedding*", "embedding*"], ("embedding.weight", "unembedding.weight")),
        (["linear.[b]ias"], ("linear.bias",)),
        (["linear.*", "linear.bias"], ("linear.weight", "linear.bias")),
    ],
)
def test_patterns_choose_parameters_in_the_models_order(patterns, chosen):
    posterior = classifier_posterior(restriction=ls.Parameters(*patterns))
    assert posterior.layout.names == chosen
    assert set(posterior.held) == set(NAMES) - set(chosen)
    model = classifier()
    expected = torch.cat([model.get_parameter(name).detach().reshape(-1) for name in chosen])
    assert torch.equal(posterior.w_star, expected)


def test_the_rest_stays_at_its_weights_in_the_loss():
    whole, part = classifier_posterior(), classifier_posterior(restriction=ls.Parameters("linear"))
    assert part.initial_loss == whole.initial_loss
    away = part.w_star + 0.1
    values = part.layout.unravel(away) | part.held
    assert part.mean_loss(away) == pytest.approx(whole.mean_loss(whole.layout.ravel(values)))


@pytest.mark.parametrize("pattern", ["attention*", "Linear*", "linea", "", "weight"])
def test_a_pattern_that_matches_nothing_is_refused(pattern):
    quoted = re.escape(repr(pattern))
    with pytest.raises(
        LambdascopeError, match=rf"pattern {quoted} matches nothing; .*embedding\.weight, linear"
    ):
        classifier_posterior(restriction=ls.Parameters("embedding*", pattern))


def test_a_frozen_parameter_cannot_be_chosen():
    model = classifier()
    model.linear.requires_grad_(False)
    with pytest.raises(LambdascopeError, match=r"matches nothing; .*are embedding\.weight, unemb"):
        ls.LocalPosterior(
            model, classifier_data(), loss=ls.cross_entropy, restriction=ls.Parameters("linear*")
        )


def test_no_pattern_is_refused():
    with pytest.raises(LambdascopeError, match="got no pattern"):
        ls.Parameters()


@pytest.mark.parametrize("pattern", [["embedding*", "linear*"], None, 3])
def test_patterns_are_strings(pattern):
    with pytest.raises(LambdascopeError, match="each an argument of its own"):
        ls.Parameters(pattern)


# --- element masks -------------------------------------------------------------------------------


def test_a_mask_lies_as_the_weights_do():
    bias = torch.tensor([True, False, False, True, False, True])
    posterior = classifier_posterior(restriction=ls.ElementMask({"linear.bias": bias}))
    free = posterior.layout.unravel(posterior.mask)
    assert torch.equal(free.pop("linear.bias"), bias)
    assert not any(mask.any() for mask in free.values())
    assert posterior.num_parameters == classifier_posterior().num_parameters


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(5, dtype=torch.bool), r"linear\.bias is torch\.bool of shape \[5\]; .*\[6\]"),
        (torch.ones(1, 6, dtype=torch.bool), r"of shape \[1, 6\]; .*\[6\] is accepted"),
        (torch.ones(6), r"linear\.bias is torch\.float32 of shape \[6\]; a boolean"),
        (torch.zeros(6, dtype=torch.bool), "false everywhere; nothing could move"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, message):
    with pytest.raises(LambdascopeError, match=message):
        classifier_posterior(restriction=ls.ElementMask({"linear.bias": mask}))


def test_an_empty_mask_is_refused():
    with pytest.raises(LambdascopeError, match="false everywhere"):
        classifier_posterior(restriction=ls.ElementMask({}))


def test_a_mask_of_an_unknown_parameter_is_refused():
    mask = torch.ones(6, dtype=torch.bool)
    with pytest.raises(LambdascopeError, match=r"for lin\.bias: the parameters that may move are"):
        classifier_posterior(restriction=ls.ElementMask({"lin.bias": mask}))


def test_a_mask_of_a_parameter_that_stays_put_is_refused():
    mask = torch.ones(6, dtype=torch.bool)
    with pytest.raises(LambdascopeError, match=r"for linear\.bias: .* are embedding\.weight\."):
        classifier_posterior(
            restriction=[ls.Parameters("embedding"), ls.ElementMask({"linear.bias": mask})]
        )


@pytest.mark.parametrize("masks", [torch.ones(6), None, [("linear.bias", torch.ones(6))]])
def test_masks_come_in_a_dict(masks):
    with pytest.raises(
        LambdascopeError, match=r"ElementMask got a .*; a dict from parameter names"
    ):
        ls.ElementMask(masks)


@pytest.mark.parametrize("name", [3, None, b"linear.bias", pytest.param(10**5000, id="huge")])
def test_a_mask_goes_by_the_name_of_a_parameter(name):
    with pytest.raises(LambdascopeError, match=r"element mask for .*: the name of a parameter is"):
        ls.ElementMask({name: torch.ones(6) > 0})


def test_a_mask_is_a_tensor():
    with pytest.raises(LambdascopeError, match=r"mask for w is a list; a boolean tensor"):
        ls.ElementMask({"w": [True, False]})


# --- orthogonal to the gradient ------------------------------------------------------------------


def test_the_normal_is_the_unit_gradient():
    posterior = classifier_posterior(restriction=ls.OrthogonalToGradient(), dtype=torch.float64)
    gradient = posterior.mean_gradient(posterior.w_star)
    torch.testing.assert_close(posterior.normal, gradient / gradient.norm())


def test_with_other_restrictions_the_gradient_is_the_one_within_what_may_move():
    mask = torch.tensor([True, False, False, True, False, True])
    posterior = classifier_posterior(
        dtype=torch.float64,
        restriction=[
            ls.OrthogonalToGradient(),
            ls.ElementMask({"linear.bias": mask}),
            ls.Parameters("linear"),
        ],
    )
    whole = classifier_posterior(dtype=torch.float64)
    gradient = whole.layout.unravel(whole.mean_gradient(whole.w_star))["linear.bias"] * mask
    normal = posterior.layout.unravel(posterior.normal)
    torch.testing.assert_close(normal["linear.bias"], gradient / gradient.norm())
    assert not normal["linear.weight"].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_potential_at_its_minimum_has_no_gradient(dtype):
    with pytest.raises(
        LambdascopeError, match=r"exact optimum, where no restriction.*leave it out"
    ):
        ls.LocalPosterior(
            Quadratic([1.0, 3.0], start=0.3, dtype=dtype),
            None,
            nbeta=1.0,
            restriction=ls.OrthogonalToGradient(),
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_solution_of_least_squares_has_no_gradient_to_rounding(dtype, noise):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 4, dtype=torch.float64, generator=generator)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]], dtype=torch.float64)
    y = y + noise * torch.randn(300, 1, dtype=torch.float64, generator=generator)
    model = nn.Linear(4, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        model.weight.copy_(torch.linalg.lstsq(x, y).solution.T)
    data = (x.to(dtype), y.to(dtype))
    settings = {"loss": ls.gaussian_nll, "restriction": ls.OrthogonalToGradient()}
    with pytest.raises(LambdascopeError, match="zero to rounding"):
        ls.LocalPosterior(model, data, **settings)
    with torch.no_grad():
        model.weight += 1e-4
    assert ls.LocalPosterior(model, data, **settings).normal.norm() == pytest.approx(1.0)


def test_parameters_that_the_loss_ignores_have_no_gradient():
    model = classifier()
    model.spare = nn.Linear(2, 2)
    with pytest.raises(LambdascopeError, match="its norm is 0, zero to rounding"):
        ls.LocalPosterior(
            model,
            classifier_data(),
            loss=ls.cross_entropy,
            restriction=[ls.Parameters("spare"), ls.OrthogonalToGradient()],
        )


# --- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "restriction", ["embedding*", 5, [ls.OrthogonalToGradient(), "embedding*"]]
)
def test_what_is_no_restriction_is_refused(restriction):
    with pytest.raises(
        LambdascopeError, match=r"restriction=.*: Parameters\(\.\.\.\), ElementMask"
    ):
        classifier_posterior(restriction=restriction)


def test_two_of_one_kind_are_refused():
    with pytest.raises(LambdascopeError, match="restriction holds two of one kind"):
        classifier_posterior(restriction=[ls.Parameters("linear"), ls.Parameters("embedding")])


# --- nothing left to move ------------------------------------------------------------------------


def test_one_free_element_and_no_direction_along_it_is_refused():
    mask = torch.zeros(6, dtype=torch.bool)
    mask[2] = True
    one = ls.ElementMask({"linear.bias": mask})
    assert classifier_posterior(restriction=one).num_free == 1
    with pytest.raises(
        LambdascopeError, match=r"nothing can move: 1 element is free, and Orth.*; at least 2 free"
    ):
        classifier_posterior(restriction=[one, ls.OrthogonalToGradient()])


def test_parameters_without_elements_are_refused():
    class Empty(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.empty(0))

        def forward(self):
            return self.w.sum()

    with pytest.raises(LambdascopeError, match=r"nothing can move: .* have 0 elements; at least 1"):
        ls.LocalPosterior(Empty(), None, nbeta=1.0)
