"""What functions read of their modules' globals."""

import functools
import logging
import random
import types

import pytest
import torch
from torch import nn

from lambdascope.posterior.module_globals import globals_read
from lambdascope.posterior.traits import difference, traits

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
