import functools
import os
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
    lambda: np.array([Plain(1.0), "x"], dtype=object),
    lambda: {Plain(1.0): 1, 10**5000: 2},
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
        ([10**5000], [10**5000 + 1], "it.0: 0x"),
        (np.array([Plain(1)]), np.array([Plain(2)]), "it.values.0.scale: 1 → 2"),
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
        "from lambdascope.posterior.module_globals import globals_read\n"
        "from lambdascope.posterior.traits import digest, traits\n"
        "class Plain:\n"
        "    def __init__(self): self.names = {'one', 'two', 'three', 'four'}\n"
        "NAMES, LAYER = {'x', 'y', 'z', 'u', 'v'}, nn.ReLU()\n"
        "def helper(o): return LAYER(o) if o in NAMES else Plain()\n"
        "def loss(o, t, k=Plain()): return o in {'b', 'a', 'c', 'd', 'e'} or (lambda: helper)(o)\n"
        "module = nn.Sequential(nn.Linear(2, 2, device='meta'))\n"
        "module.register_forward_hook(loss)\n"
        "print(digest(traits([functools.partial(loss, 1), module], 'it')))\n"
        "print(sorted(globals_read(loss, module).items()))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_what_an_object_has_worked_out_and_remembers_does_not_count():
    class Remembering:
        def __init__(self, scale):
            self.scale = scale

        @functools.cached_property
        def square(self):
            return self.scale**2

    fresh, used = Remembering(2), Remembering(2)
    assert used.square == 4
    assert difference(traits(fresh, "it"), traits(used, "it")) == ""


def test_slots_and_numpys_numbers_count():
    class Slotted:
        __slots__ = ("scale",)

        def __init__(self, scale):
            self.scale = scale

    assert difference(traits(Slotted(1), "it"), traits(Slotted(2), "it")) == "it.scale: 1 → 2"
    assert difference(traits(np.float32(1), "it"), traits(np.float32(2), "it")) != ""


def test_unusual_tensors_count_by_their_shape():
    escaped = []
    torch.func.vmap(lambda x: escaped.append(x) or x)(torch.ones(3))
    assert traits(escaped, "it")["it.0"].strip() == "torch.Tensor"
    sparse = torch.ones(2, 2).to_sparse()
    assert traits(sparse, "it")["it"] == "torch.Tensor torch.float32[2, 2]"
