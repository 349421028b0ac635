"""Completion, by the shell itself."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lambdascope.cli import main


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(words: list[str], script: str, folder: Path) -> set[str]:
    """What bash would offer for the last of the words."""
    typed = " ".join(f"'{word}'" for word in words)
    code = (
        f'{script}\nCOMP_WORDS=({typed})\nCOMP_CWORD={len(words) - 1}\ncd "$1"\n'
        "$(complete -p lambdascope | sed 's/.*-F //; s/ .*//')\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", code, "bash", str(folder)], capture_output=True, text=True, timeout=30
    )
    return {line.strip() for line in done.stdout.splitlines()}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_offers_commands_flags_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    said = script("bash", capsys)
    assert {"train", "import-legacy", "llc"} <= completed(["lambdascope", ""], said, tmp_path)
    assert completed(["lambdascope", "hes"], said, tmp_path) == {"hessian"}
    assert "--learning-rate" in completed(["lambdascope", "train", "--learn"], said, tmp_path)
    choices = completed(["lambdascope", "train", "--activation", ""], said, tmp_path)
    assert choices == {"relu", "gelu", "quadratic"}
    assert completed(["lambdascope", "llc", "ru"], said, tmp_path) == {"runs"}
    assert completed(["lambdascope", "train", "--out", "ru"], said, tmp_path) == {"runs"}


def test_zsh_is_told_what_each_flag_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = script("zsh", capsys)
    assert text.startswith("#compdef lambdascope\n")
    assert "llc:'Estimate the local learning coefficient of a run" in text
    assert '"--hidden-size[Units of the hidden layer. (default\\: 48)]:INT:"' in text


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "dos"]) == 2
    assert "dos: one of bash, zsh is accepted" in capsys.readouterr().err


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held["shell"] == "bash"
    assert held["script"] == script("bash", capsys)
