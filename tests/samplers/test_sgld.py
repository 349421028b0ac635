import math

import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.samplers.base import Evaluation


class Fixed:
    """A target with a constant gradient, noise that is given."""

    w_star = torch.tensor([[1.0, 2.0, 3.0]])
    step_factor = None

    def evaluate(self, w):
        gradient = torch.tensor([[4.0, -2.0, 0.5]])
        return Evaluation(torch.tensor([7.0]), gradient / 10, gradient)

    def restrict(self, displacement):
        return displacement * torch.tensor([1.0, 1.0, 0.0])


class Given:
    def normal(self, size, purpose=0):
        assert (size, purpose) == (3, 0)
        return torch.tensor([[0.5, -1.0, 2.0]])


def test_one_step_by_hand():
    state = {"w": torch.tensor([[1.5, 2.5, 3.0]])}
    new, info = ls.SGLD(step_size=0.04).step(state, Fixed(), Given())
    # w − (ε/2)·∇U + √ε·ξ with ε = 0.04; the third element is held.
    expected = [[1.5 - 0.02 * 4 + 0.2 * 0.5, 2.5 + 0.02 * 2 - 0.2, 3.0]]
    torch.testing.assert_close(new["w"], torch.tensor(expected))
    assert info["loss"].tolist() == [7.0]


@pytest.mark.parametrize("step_size", [0, -1e-3, math.nan, math.inf, None, "small"])
def test_impossible_step_sizes_are_refused(step_size):
    with pytest.raises(LambdascopeError, match=r"SGLD: step_size=.*: input should be"):
        ls.SGLD(step_size=step_size)


def test_a_step_size_is_required():
    with pytest.raises(LambdascopeError, match="SGLD: step_size is required"):
        ls.SGLD()


def test_the_whole_batch_is_the_default():
    assert ls.SGLD(step_size=1e-3).batch_size is None
    assert ls.SGLD(step_size=1e-3, batch_size=10**6).batch_size == 10**6
