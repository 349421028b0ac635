"""The command line: help that teaches, sentences instead of tracebacks, exit codes."""

import errno
import os
import subprocess
import sys
import warnings

import pytest

import lambdascope
from lambdascope import cli
from lambdascope.errors import LambdascopeError

COMMANDS = ["train", "import-legacy", "llc", "hessian", "fourier", "chains", "demo", "calibrate"]


def raising(error: BaseException):
    def run(self) -> None:
        raise error

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_gives_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"\n  lambdascope {command} " in capsys.readouterr().out + " "


def test_help_of_the_program_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"• {command} " in text for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"lambdascope {lambdascope.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Expected one of {train, import-legacy, llc,"),
        (["trian"], "Unrecognized options: trian; Available subcommands: train,"),
        (["llc"], "Missing from lambdascope llc: RUN"),
        (["hessian"], "Missing from lambdascope hessian: RUN"),
        (["train"], "Missing from lambdascope train: --out"),
        (["llc", "x", "--num-step", "1"], "Perhaps you meant: --num-steps"),
        (["llc", "x", "--steps"], "Missing value for argument '--num-steps/--steps'"),
        (["llc", "x", "--device", "tpu"], "'tpu' for argument '--device'"),
        (["llc", "x", "--steps", "3"], "num_steps='3': input should be greater than or equal to 4"),
        (["train", "--out", "x", "--p", "1"], "p='1': input should be greater than or equal to 2"),
        (["train", "--out", "x", "--seeds", "3..1"], "seeds='3..1': whole numbers such as"),
    ],
)
def test_what_cannot_be_understood_gets_one_sentence_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.startswith("lambdascope: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LambdascopeError("p=1: no."), 2, "lambdascope: p=1: no.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/p53/llc.csv"),
            2,
            "lambdascope: No space left on device (runs/p53/llc.csv): what was written stands\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "lambdascope: interrupted: the same command resumes where this one stopped\n",
        ),
    ],
)
def test_what_goes_wrong_in_a_command_is_said_in_a_sentence(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli._LLC, "run", raising(error))
    assert cli.main(["llc", "x"]) == code
    assert capsys.readouterr().err == said


def test_debug_shows_the_traceback_besides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli._LLC, "run", raising(LambdascopeError("no.")))
    assert cli.main(["llc", "x", "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.endswith("\nlambdascope: no.\n")


def test_a_programming_error_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli._LLC, "run", raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        cli.main(["llc", "x"])


def test_a_warning_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli._LLC, "run", lambda _: warnings.warn("it is slow.", stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main(["llc", "x"]) == 0
    assert capsys.readouterr().err == "lambdascope: warning: it is slow.\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "import sys; from lambdascope.cli import main; sys.exit(main(['train', '--help']))"
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""
