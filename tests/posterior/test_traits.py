import functools
import logging
import os
import random
import subprocess
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.posterior.origin import Origin, origin
from lambdascope.posterior.traits import difference, digest, globals_read, traits
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
        "from lambdascope.posterior.traits import digest, globals_read, traits\n"
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


# --- globals that functions read -----------------------------------------------------------------

FACTOR = 2.0
CONFIG = {"power": 2, "unread": object()}
WEIGHTS = torch.ones(3)
OPTIONS = types.SimpleNamespace(shift=1.0)
LOGGER = logging.getLogger("tests")
CALLS = 0
TEACHER = nn.Linear(2, 2)
RNG = random.Random(0)


class Settings:
    slope = 3.0

    def power(self):
        return self.slope


SETTINGS = Settings()


def twice(x):
    return x * FACTOR


def mutual(x):
    return reader(x) if x is None else twice(x)


@functools.lru_cache
def cached(x):
    return twice(x)


def reader(x):
    global CALLS
    CALLS += 1
    LOGGER.info("called")

    def inner():
        return mutual(x) ** CONFIG["power"] + (WEIGHTS * torch.ones(3)).sum()

    return inner() + SETTINGS.power() + OPTIONS.shift + TEACHER(x) + RNG.random() + cached(x)


def read(function=reader):
    return globals_read(function)


def here(name):
    return f"{__name__}.{name}"


def test_globals_are_followed_through_functions_and_inner_functions():
    found = read()
    assert found[here("FACTOR")] == "2.0"
    assert found[here("CONFIG.'power'")] == "2"
    assert found[here("OPTIONS.shift")] == "1.0"
    assert found[here("SETTINGS.Settings.slope")] == "3.0"
    assert {here(name) for name in ("mutual", "twice", "WEIGHTS", "TEACHER", "cached")} <= set(
        found
    )


def test_what_a_function_assigns_and_what_belongs_to_python_is_left_out():
    found = read()
    assert here("CALLS") not in found
    assert not any(path.startswith((here("LOGGER."), here("RNG."), "torch")) for path in found)
    before = read()
    LOGGER.debug("the logger remembers that this was asked")
    RNG.random()
    assert read() == before


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("FACTOR", 3.0, "FACTOR: 2.0 → 3.0"),
        ("CONFIG", {"power": 3}, "CONFIG.'power': 2 → 3"),
        ("WEIGHTS", torch.zeros(3), "WEIGHTS: torch.Tensor torch.float32[3]"),
        ("OPTIONS", types.SimpleNamespace(shift=2.0), "OPTIONS.shift: 1.0 → 2.0"),
        ("twice", lambda x: x + x, "twice: "),
        ("cached", functools.lru_cache(lambda x: x), "cached.wrapped: "),
        ("TEACHER", nn.Linear(2, 2), "TEACHER.weight: "),
    ],
)
def test_another_global_is_another_function(name, value, where, monkeypatch):
    before = read()
    monkeypatch.setitem(globals(), name, value)
    assert where in difference(before, read())


def test_constants_and_functions_of_classes_count(monkeypatch):
    before, objects = read(), traits(Settings(), "it")
    monkeypatch.setattr(Settings, "slope", 4.0)
    assert "SETTINGS.Settings.slope: 3.0 → 4.0" in difference(before, read())
    assert difference(objects, traits(Settings(), "it")) == "it.Settings.slope: 3.0 → 4.0"
    monkeypatch.setattr(Settings, "power", lambda self: self.slope + 1)
    assert "it.Settings.power(): " in difference(
        {**objects, "it.Settings.slope": "4.0"}, traits(Settings(), "it")
    )


def test_of_a_module_of_the_users_what_is_named_counts(monkeypatch):
    module = types.ModuleType("users_helpers")
    exec("SCALE, OTHER = 2.0, 3.0\ndef helper(x): return x * SCALE", vars(module))
    monkeypatch.setitem(globals(), "users_helpers", module)
    found = globals_read(lambda x: users_helpers.helper(x))  # noqa: F821
    assert set(found) == {
        "users_helpers.helper", "users_helpers.helper.defaults", "users_helpers.helper.kwdefaults",
        "users_helpers.SCALE",
    }  # fmt: skip


def test_a_global_that_is_very_large_is_one_entry(monkeypatch):
    monkeypatch.setitem(globals(), "CONFIG", {"power": 2, **{i: i for i in range(1000)}})
    monkeypatch.setitem(globals(), "TEACHER", nn.Sequential(*(nn.Linear(1, 1) for _ in range(99))))
    before = read()
    assert {path for path in before if "CONFIG" in path} == {here("CONFIG")}
    assert {path for path in before if "TEACHER" in path} == {here("TEACHER")}
    CONFIG[7] = 8  # no settings, but data or a cache
    assert read() == before
    with torch.no_grad():
        TEACHER[7].weight += 1
    assert "TEACHER: torch.nn.modules.container.Sequential" in difference(before, read())


def test_slots_and_numpys_numbers_count():
    class Slotted:
        __slots__ = ("scale",)

        def __init__(self, scale):
            self.scale = scale

    assert difference(traits(Slotted(1), "it"), traits(Slotted(2), "it")) == "it.scale: 1 → 2"
    assert difference(traits(np.float32(1), "it"), traits(np.float32(2), "it")) != ""


@pytest.mark.parametrize(
    ("module", "whose"),
    [
        ("__main__", Origin.USER),
        (__name__, Origin.USER),
        ("no_such_module", Origin.USER),
        ("builtins", Origin.PYTHON),
        ("logging.handlers", Origin.PYTHON),
        ("torch.nn.functional", Origin.TORCH),
        ("lambdascope.toys", Origin.LAMBDASCOPE),
        ("numpy", Origin.PACKAGE),
        ("pytest", Origin.PACKAGE),
    ],
)
def test_whose_code_it_is(module, whose):
    assert origin(module) is whose


def test_a_module_of_the_users_may_have_the_name_of_one_of_pythons(monkeypatch, tmp_path):
    module = types.ModuleType("statistics")
    module.__file__ = str(tmp_path / "statistics.py")
    monkeypatch.setitem(sys.modules, "statistics", module)
    origin.cache_clear()
    try:
        assert origin("statistics") is Origin.USER
    finally:
        origin.cache_clear()


def test_unusual_tensors_count_by_their_shape():
    escaped = []
    torch.func.vmap(lambda x: escaped.append(x) or x)(torch.ones(3))
    assert traits(escaped, "it")["it.0"].strip() == "torch.Tensor"
    sparse = torch.ones(2, 2).to_sparse()
    assert traits(sparse, "it")["it"] == "torch.Tensor torch.float32[2, 2]"
