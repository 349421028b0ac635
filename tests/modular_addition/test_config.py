import itertools
import subprocess
import sys

import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p": 1}, "p=1: .*greater than or equal to 2"),
        ({"p": 10**400}, "p=10{59}…: input should be less than 2147483648"),
        ({"num_steps": 10**400}, "num_steps=10{59}…: whole numbers below"),
        ({"num_checkpoints": 10**6}, "num_checkpoints=1000000: .*less than or equal to 100000"),
        ({"train_fraction": 0.0}, "train_fraction=0.0: .*greater than 0"),
        ({"train_fraction": 1.01}, "train_fraction=1.01: .*less than or equal to 1"),
        ({"p": 2, "train_fraction": 0.2}, "leaves an empty training set: .*at least 0.25"),
        ({"activation": "tanh"}, "activation='tanh': .*'relu', 'gelu' or 'quadratic'"),
        ({"task": "subtraction"}, "task='subtraction': .*'addition', 'random' or 'comm"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: .*greater than 0"),
        ({"learning_rate": float("inf")}, "learning_rate=inf: .*finite"),
        ({"weight_decay": -1e-4}, "weight_decay=-0.0001: .*greater than or equal to 0"),
        ({"batch_size": 0}, "batch_size=0: "),
        ({"num_steps": 10}, "num_checkpoints=25 is more than the 11 states .*should be 2 to 11"),
        ({"num_checkpoints": 1}, "num_checkpoints=1: .*greater than or equal to 2"),
        ({"num_final_steps_without_weight_decay": 1501}, "should be 0 to 1500"),
        ({"seed": -1}, "seed=-1: "),
        ({"hidden": 3}, "hidden is not a setting of TrainConfig .*hidden_size"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(LambdascopeError, match=message):
        TrainConfig(**values)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().p = 3


def test_every_setting_is_described():
    assert [name for name, field in TrainConfig.model_fields.items() if not field.description] == []


def test_reading_the_settings_does_not_import_torch():
    code = "import sys, lambdascope.modular_addition.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_even_checkpoints():
    config = TrainConfig(num_steps=1500, num_checkpoints=25)
    assert config.checkpoint_steps[:4] == [0, 62, 125, 188]
    assert config.checkpoint_steps[-1] == 1500


@pytest.mark.parametrize("spacing", ["even", "log"])
@pytest.mark.parametrize("num_steps", [1, 2, 5, 17, 100, 40_000])
def test_checkpoints_are_distinct_and_as_many_as_asked(spacing, num_steps):
    for num_checkpoints in range(2, min(num_steps + 1, 60) + 1):
        steps = TrainConfig(
            num_steps=num_steps, num_checkpoints=num_checkpoints, checkpoint_spacing=spacing
        ).checkpoint_steps
        assert len(steps) == num_checkpoints
        assert (steps[0], steps[-1]) == (0, num_steps)
        assert all(a < b for a, b in itertools.pairwise(steps))


def test_log_checkpoints_go_in_equal_ratios():
    config = TrainConfig(num_steps=10_000, num_checkpoints=6, checkpoint_spacing="log")
    assert config.checkpoint_steps == [0, 1, 10, 100, 1000, 10_000]


def test_the_data_seed_follows_the_seed_unless_given():
    assert TrainConfig(seed=7).resolved_data_seed == 7
    assert TrainConfig(seed=7, data_seed=0).resolved_data_seed == 0
