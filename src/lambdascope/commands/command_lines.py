"""Settings as the words of a command line: the way back from `flags.py`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lambdascope.config import Config
from lambdascope.modular_addition.config import TrainConfig

# A command that makes its run directory names it by a flag; the others open it.
_MAKERS = ("train", "import-legacy")


def arguments_of(config: Config) -> list[str]:
    """The flags that give these settings; those at their defaults are left out.

    Args:
        config: Settings of a command.

    Returns:
        word by word, such as ["--num-chains", "8", "--orthogonal-to-gradient"].
    """
    words: list[str] = []
    for name, value in _given(config).items():
        flag = f"--{name.replace('_', '-')}"
        words += [flag] if value is True else [flag, _typed(value)]
    return words


def command_line(command: str, run: Path, arguments: Sequence[str] = ()) -> str:
    """A command as it is typed into a shell.

    Args:
        command: Its name.
        run: The run directory.
        arguments: What else is said, word by word.
    """
    place = ["--out", str(run)] if command in _MAKERS else [str(run)]
    words = [*arguments, *place] if command == "import-legacy" else [*place, *arguments]
    return shlex.join(["lambdascope", command, *words])


def _given(config: Config) -> dict[str, Any]:
    """The fields that must be said, so that the others come out by themselves."""
    if not isinstance(config, TrainConfig):
        return _differing(config, type(config)())
    if config.network == "mlp":
        return _differing(config, TrainConfig())
    # A transformer has defaults of its own, two of which follow from other settings.
    given = _differing(config, TrainConfig(network="transformer"))
    given = {"network": "transformer", **given}
    given["hidden_size"] = config.hidden_size
    if not config.full_batch:
        del given["full_batch"]
        given["batch_size"] = config.batch_size
    return given


def _differing(config: Config, default: Config) -> dict[str, Any]:
    return {name: value for name, value in config if value != getattr(default, name)}


def _typed(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return repr(value) if isinstance(value, float) else str(value)
