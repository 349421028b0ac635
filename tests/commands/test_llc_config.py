"""The settings of `lambdascope llc`."""

import pytest

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.errors import LambdascopeError


def test_text_from_the_command_line_and_python_values_agree() -> None:
    typed = LLCConfig(checkpoints="0..2,24", parameters="embedding*, linear_left", step_size="1e-4")
    assert typed == LLCConfig(
        checkpoints=(0, 1, 2, 24), parameters=("embedding*", "linear_left"), step_size=1e-4
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"step_size": 0}, r"step_size=0: .*greater than 0"),
        ({"step_size": -1e-3}, r"step_size=-0\.001: .*greater than 0"),
        ({"step_size": float("nan")}, r"step_size=nan"),
        ({"num_steps": 3}, r"num_steps=3: .*greater than or equal to 4"),
        ({"num_chains": 0}, r"num_chains=0: .*greater than or equal to 1"),
        ({"num_chains": "many"}, r"num_chains='many': .*valid integer"),
        ({"burnin": 1}, r"burnin=1: .*less than 1"),
        ({"burnin": 0.99, "num_steps": 100}, r"burnin=0\.99 leaves 1 of 100 steps.*at least 4"),
        ({"nbeta": 0}, r"nbeta=0: .*greater than 0"),
        ({"localization": -1}, r"localization=-1: .*greater than or equal to 0"),
        ({"batch_size": 0}, r"batch_size=0: .*greater than or equal to 1"),
        ({"checkpoints": "5..1"}, r"checkpoints='5\.\.1': .*rising range"),
        ({"checkpoints": ()}, r"checkpoints=\(\): at least one number is accepted"),
        ({"checkpoints": (1, 1)}, r"checkpoints=\(1, 1\): each number is accepted once only"),
        ({"num_steps": 10**400}, r"num_steps=10{59}…: whole numbers below 2\^63"),
        ({"parameters": "a,,b"}, r"parameters='a,,b': name patterns separated by commas"),
        ({"device": "tpu"}, r"device='tpu': .*'auto', 'cpu' or 'cuda'"),
        ({"chains": 4}, r"chains is not a setting of LLCConfig \(it has: checkpoints, num_chains"),
    ],
)
def test_an_impossible_setting_is_refused_in_a_sentence(
    values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(LambdascopeError, match=sentence):
        LLCConfig(**values)
