"""From settings to the words of a command line, and back by the command line itself."""

import shlex
from pathlib import Path

import pytest

from lambdascope.cli.parsing import parse
from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.command_lines import arguments_of, command_line
from lambdascope.commands.flags import values_given
from lambdascope.commands.fourier_config import FourierConfig
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.config import Config
from lambdascope.modular_addition.config import TrainConfig

SETTINGS: list[tuple[str, Config]] = [
    ("train", TrainConfig()),
    ("train", TrainConfig(p=23, tie_linear=True, learning_rate=1 / 3, full_batch=True)),
    ("train", TrainConfig(network="transformer")),
    ("train", TrainConfig(network="transformer", embed_dim=32, attention_rate=0.0, p=23)),
    ("train", TrainConfig(network="transformer", batch_size=128, data_seed=0)),
    ("train", TrainConfig(network="transformer", hidden_size=7, weight_decay=0.0002)),
    ("llc", LLCConfig()),
    ("llc", LLCConfig(num_chains=4, num_steps=100, checkpoints=(0, 3), parameters=("e*", "l"))),
    ("llc", LLCConfig(orthogonal_to_gradient=True, nbeta=12.5, target_error=0.05)),
    ("fourier", FourierConfig(key_modes=(3, 1), film="gif")),
    ("circuits", CircuitsConfig(error_rate=0.1)),
    ("chains", ChainsConfig(point_parameters=("embedding*",), precision="float32")),
    ("hessian", HessianConfig(checkpoints=(0, 5), weight_decay=True)),
]


@pytest.mark.parametrize(("command", "config"), SETTINGS)
def test_the_command_line_gives_the_same_settings(command: str, config: Config) -> None:
    line = command_line(command, Path("runs/my run"), arguments_of(config))
    words = shlex.split(line)
    assert words[:2] == ["lambdascope", command]
    parsed = parse(words[1:])
    places = {"train": "out", "hessian": "directories"}
    place = getattr(parsed, places.get(command, "directory"))
    assert place in (Path("runs/my run"), (Path("runs/my run"),))
    assert type(config)(**values_given(parsed.settings)) == config


def test_what_is_at_its_default_is_left_out() -> None:
    assert arguments_of(TrainConfig(seed=4)) == ["--seed", "4"]
    assert arguments_of(FourierConfig()) == []


def test_an_import_names_its_files_first() -> None:
    line = command_line("import-legacy", Path("runs/old"), ["53_0.json", "--checkpoints", "models"])
    parsed = parse(shlex.split(line)[1:])
    assert (parsed.params, parsed.checkpoints) == (Path("53_0.json"), Path("models"))
    assert parsed.out == Path("runs/old")
