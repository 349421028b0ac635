from typing import Any

import numpy as np
import pytest
from pydantic import Field, ValidationError

import lambdascope as ls
from lambdascope.config import Config
from lambdascope.errors import LambdascopeError


class Settings(Config):
    steps: int = Field(gt=3)
    rate: float = 0.5
    flag: bool | None = None
    name: str = "plain"
    unread: Any = None


def test_a_field_of_truth_values_takes_them():
    assert Settings(steps=4, flag=True).flag is True
    assert Settings(steps=4, unread=False).unread is False


def test_a_config_is_frozen():
    settings = Settings(steps=4)
    with pytest.raises(ValidationError, match="frozen"):
        settings.steps = 5
    assert settings == Settings(steps=4, rate=0.5)
    assert hash(settings) == hash(Settings(steps=4))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, r"Settings: steps is required\."),
        ({"steps": 3}, r"Settings: steps=3: input should be greater than 3\."),
        ({"steps": "many"}, r"Settings: steps='many': input should be a valid integer"),
        ({"steps": 10**30}, r"steps=1000000.*0: whole numbers below 2\^63 are accepted"),
        ({"steps": 10**400}, r"steps=10{59}…: whole numbers below 2\^63 are accepted"),
        ({"steps": 10**5000}, r"steps=a number of thousands of digits: whole numbers below"),
        ({"steps": "9" * 5000}, r"steps='9{60}…': unable to parse input string as an integer"),
        (
            {"steps": 4, "stpes": 5},
            r"stpes is not a setting of Settings \(it has: steps, rate, flag, name, unread\)",
        ),
        ({"steps": 4, "name": True}, r"name=True: input should be a valid string"),
        ({"steps": True}, r"steps=True: input should be a number, neither True nor False"),
        ({"steps": 4, "rate": np.False_}, r"rate=(np\.)?False_?: input should be a number"),
        ({"steps": 3, "rate": None}, r"steps=3: .*; rate=None: input should be a valid number"),
    ],
)
def test_what_is_wrong_is_one_sentence(values, sentence):
    with pytest.raises(LambdascopeError, match=sentence) as caught:
        Settings(**values)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_config_is_shown_by_what_is_not_the_default():
    kernel = ls.SGLD(step_size=0.01, batch_size=64)
    assert repr(kernel) == str(kernel) == "SGLD(batch_size=64, step_size=0.01)"
