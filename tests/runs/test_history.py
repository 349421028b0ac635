"""Which commands made a run."""

import platform
from pathlib import Path

import pytest
import torch

import lambdascope
from lambdascope.errors import LambdascopeError
from lambdascope.runs.history import COMMANDS_FILE, read_commands, record_command


def test_the_last_call_of_each_command_is_kept(tmp_path: Path) -> None:
    assert read_commands(tmp_path) == {}
    record_command(tmp_path, "train", ["--seed", "1"])
    record_command(tmp_path, "llc", ["--chains", "8"])
    record_command(tmp_path, "llc", ["--chains", "4", "--parameters", "embedding*"])
    held = read_commands(tmp_path)
    assert list(held) == ["train", "llc"]
    assert held["llc"].arguments == ("--chains", "4", "--parameters", "embedding*")
    assert held["train"].lambdascope_version == lambdascope.__version__
    assert held["train"].torch_version == torch.__version__
    assert held["train"].python_version == platform.python_version()


@pytest.mark.parametrize("text", ["{", "[]", '{"llc": {}}', '{"llc": 3}'])
def test_a_broken_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / COMMANDS_FILE).write_text(text)
    with pytest.raises(LambdascopeError, match=r"commands.json can't be read \(.*: remove it"):
        read_commands(tmp_path)
