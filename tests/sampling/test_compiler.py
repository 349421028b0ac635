"""What is said where a step can't be compiled."""

import logging

import pytest
import torch

import lambdascope as ls
from lambdascope.errors import LambdascopeError


class Peeks(torch.nn.Module):
    """A module that looks at a number of its own: no code for many chains can."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.line(x)
        return y if y.abs().max().item() < 1e6 else 0 * y


def test_what_cannot_be_compiled_is_told_in_a_sentence_and_not_by_the_compilers_log(caplog):
    data = torch.randn(40, 3), torch.randint(2, (40,))
    posterior = ls.LocalPosterior(Peeks(), data, loss=ls.cross_entropy)
    level = logging.getLogger("torch._dynamo").level
    with pytest.raises(LambdascopeError, match=r"\.item\(\).*chunk_size=1"):
        ls.sample(posterior, ls.SGLD(step_size=1e-3), num_chains=3, num_steps=20, progress=False)
    assert "Graph break" not in caplog.text
    assert logging.getLogger("torch._dynamo").level == level
