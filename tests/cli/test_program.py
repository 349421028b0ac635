"""The program: sentences instead of tracebacks, exit codes, what is printed where."""

import errno
import io
import json
import os
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass

import pytest

import lambdascope
from lambdascope.cli import main, parsing
from lambdascope.cli.listing import SUMMARIES
from lambdascope.cli.llc import Command
from lambdascope.cli.parsing import declaration
from lambdascope.cli.shared import Outcome
from lambdascope.errors import LambdascopeError
from lambdascope.progress import tracked


@dataclass
class Found:
    llc: float = 1.5


def raising(error: BaseException):
    def run(self) -> None:
        raise error

    return run


def print_found(found: Found) -> None:
    sys.stdout.write(f"for a reader: {found.llc}\n")


def finding(self) -> Outcome[Found]:
    sys.stdout.write("on the way\n")
    return Outcome(Found(), print_found)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "-h"):
        assert main([flag]) == 0
        text = capsys.readouterr().out
        assert all(f"\n  {name} " in text for name in SUMMARIES)
        assert "\nExample:\n  lambdascope " in text
        assert "\n\n\n" not in text
        assert max(map(len, text.splitlines())) <= 100


def test_help_comes_at_once() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "lambdascope", "--help"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert time.perf_counter() - started < 10  # on any machine; by the modules, it is immediate
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"tyro", "pydantic", "torch", "numpy", "pandas"})


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lambdascope {lambdascope.__version__}\n"


@pytest.mark.parametrize(
    ("flags", "printed"),
    [
        ([], "on the way\nfor a reader: 1.5\n"),
        (["--json"], '{"llc": 1.5}\n'),
        (["--json", "--quiet"], '{"llc": 1.5}\n'),
    ],
)
def test_what_is_printed(
    flags: list[str],
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Command, "run", finding)
    assert main(["llc", "x", *flags]) == 0
    assert capsys.readouterr().out == printed


def test_quiet_prints_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Command, "run", lambda _: Outcome(Found(), print_found))
    assert main(["llc", "x", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


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
            MemoryError(),
            2,
            "lambdascope: there is not enough memory (no reason is given): smaller settings do; "
            "what was written stands\n",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory\nat line 3"),
            2,
            "lambdascope: there is not enough memory ([enforce fail] DefaultCPUAllocator: can't "
            "allocate memory): smaller settings do; what was written stands\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "lambdascope: interrupted: the same command goes on where it stood\n",
        ),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json"]])
def test_what_goes_wrong_in_a_command_is_said_in_a_sentence(
    error: BaseException,
    code: int,
    said: str,
    flags: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Command, "run", raising(error))
    assert main(["llc", "x", *flags]) == code
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", said)


@pytest.mark.parametrize(
    ("arguments", "then"),
    [
        (["train", "--out", "x"], "goes on where it stood"),
        (["chains", "x"], "goes on where it stood"),
        (["hessian", "x"], "goes on where it stood"),
        (["demo"], "goes on where it stood"),
        (["sweep", "run", "x.toml"], "goes on where it stood"),
        (["sweep", "plot", "x.toml"], "begins from the start"),
        (["fourier", "x"], "begins from the start"),
        (["circuits", "x"], "begins from the start"),
        (["report", "x"], "begins from the start"),
        (["calibrate"], "begins from the start"),
    ],
)
def test_interrupted_a_command_says_what_is_true_of_it(
    arguments: list[str],
    then: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(declaration(arguments[0]), "run", raising(KeyboardInterrupt()))
    assert main(arguments) == 130
    assert capsys.readouterr().err == f"lambdascope: interrupted: the same command {then}\n"


def test_what_is_said_does_not_stand_on_the_line_of_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    bars = []

    def interrupted(self: Command) -> None:
        bars.append(tracked([1, 2], "numbers"))
        next(bars[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "run", interrupted)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert main(["llc", "x"]) == 130
    assert "\nlambdascope: interrupted: the same command" in terminal.getvalue()


def test_interrupted_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parsing, "parse", raising(KeyboardInterrupt()))
    assert main(["llc", "x"]) == 130
    assert capsys.readouterr().err == "lambdascope: interrupted\n"


def test_debug_shows_the_traceback_besides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Command, "run", raising(LambdascopeError("no.")))
    assert main(["llc", "x", "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.endswith("\nlambdascope: no.\n")


def test_a_programming_error_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Command, "run", raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        main(["llc", "x"])


def test_a_warning_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(self) -> Outcome[Found]:
        warnings.warn("it is slow.", stacklevel=1)
        return finding(self)

    monkeypatch.setattr(Command, "run", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["llc", "x", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "lambdascope: warning: it is slow.\non the way\n"
    assert json.loads(printed.out) == {"llc": 1.5}


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lambdascope", "train", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


def test_a_directory_that_is_not_there_is_refused_before_the_libraries_are_loaded(tmp_path):
    code = (
        "import sys; from lambdascope.cli import main; code = main(['llc', 'nowhere']);"
        "print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "False"]
    assert "the run directory nowhere does not exist" in done.stderr
