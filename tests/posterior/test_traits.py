import functools
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.posterior.traits import difference, digest, traits
from tests.problems import Classifier


def scaled(scale):
    return lambda output, target: scale * (output - target)


def shifted(output, target, by=0.0):
    return output - target + by


@dataclass
class Huber:
    delta: float = 1.0

    def __call__(self, output, target):
        return output - target


class Plain:
    """An object whose text names its address."""

    def __init__(self, scale):
        self.scale = scale
        self.self = self

    def __call__(self, output, target):
        return self.scale * (output - target)


class Power(nn.Module):
    def __init__(self, power, inner=None):
        super().__init__()
        self.power = power
        self.inner = inner
        self.w = nn.Parameter(torch.ones(3))


SAME = [
    lambda: scaled(2.0),
    lambda: functools.partial(shifted, by=1.0),
    lambda: Huber(0.5),
    lambda: Plain(2.0),
    lambda: Plain(2.0).__call__,
    lambda: nn.CrossEntropyLoss(torch.tensor([1.0, 2.0]), label_smoothing=0.1),
    lambda: Power(2, Power(3)),
    lambda: {"a": [1, {2, 3}, (torch.ones(2), np.ones(2))]},
    lambda: lambda x: x in {"b", "a", "c"},
]


@pytest.mark.parametrize("make", SAME)
def test_equal_things_have_equal_traits(make):
    assert difference(traits(make(), "it"), traits(make(), "it")) == ""
    assert digest(traits(make(), "it")) == digest(traits(make(), "it"))


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        (scaled(2.0), scaled(3.0), "it.scale: 2.0 → 3.0"),
        (functools.partial(shifted, by=1.0), functools.partial(shifted, by=2.0), "keywords.'by'"),
        (shifted, functools.partial(shifted), "it: "),
        (Huber(0.5), Huber(0.6), "it.delta: 0.5 → 0.6"),
        (Plain(1), Plain(2), "it.scale: 1 → 2"),
        (lambda x: x + 1, lambda x: x + 2, "it: "),
        (lambda x: x.sin(), lambda x: x.cos(), "it: "),
        (Power(2), Power(3), "it.power: 2 → 3"),
        (Power(2, Power(3)), Power(2, Power(4)), "it.inner.power: 3 → 4"),
        (Power(2).train(), Power(2).eval(), "it.training: True → False"),
        (nn.CrossEntropyLoss(torch.ones(2)), nn.CrossEntropyLoss(torch.zeros(2)), "it.weight"),
        ([1, 2], [1, 3], "it.1: 2 → 3"),
        ([1], [1, 3], "it.1: nothing → 3"),
        ({1, 2}, {1, 3}, "it: "),
        (np.ones(2), np.zeros(2), "it: "),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), "it: "),
        (None, 0, "it: None → 0"),
    ],
)
def test_different_things_have_different_traits(one, other, where):
    found = difference(traits(one, "it"), traits(other, "it"))
    assert where in found
    assert digest(traits(one, "it")) != digest(traits(other, "it"))


def test_the_weights_themselves_do_not_enter_a_skeleton():
    assert Classifier(hidden=6).state_dict().keys()
    one, other = (
        ls.LocalPosterior(
            Classifier(), (torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)),
            loss=ls.cross_entropy,
        )
        for _ in range(2)
    )  # fmt: skip
    assert one.objective.difference(other.objective) == ""
    assert one.describe()["weights_sha256"] != other.describe()["weights_sha256"]


def test_a_structure_without_end_ends():
    chain = tail = []
    for _ in range(5000):
        tail.append([])
        tail = tail[0]
    assert traits(chain, "it")


def test_traits_are_the_same_in_every_process():
    code = (
        "import functools, torch; from torch import nn\n"
        "from lambdascope.posterior.traits import digest, traits\n"
        "class Plain:\n"
        "    def __init__(self): self.names = {'one', 'two', 'three', 'four'}\n"
        "def loss(o, t, k=Plain()): return o in {'b', 'a', 'c', 'd', 'e'} or (lambda x: x)(o)\n"
        "module = nn.Sequential(nn.Linear(2, 2, device='meta'))\n"
        "module.register_forward_hook(loss)\n"
        "print(digest(traits([functools.partial(loss, 1), module], 'it')))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
