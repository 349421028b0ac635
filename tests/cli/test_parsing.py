"""What is typed: commands, flags, help that teaches, and what cannot be understood."""

import re

import pytest

from lambdascope.cli import main
from lambdascope.cli.listing import SUMMARIES
from lambdascope.cli.parsing import declaration, parse
from lambdascope.cli.shared import BaseCommand


def shown(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", SUMMARIES)
def test_help_of_a_command_teaches(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    text = shown(name, capsys)
    assert text.startswith(f"usage: lambdascope {name} [-h]")
    assert f"\n\n{SUMMARIES[name]}\n\n" in text
    assert f"\n\nExample:\n  lambdascope {name}" in text
    running = " ".join(text.split())
    for what in ("Reads", "[Ww]rites", "takes?|How long it takes"):
        assert re.search(rf"\b({what})\b", running), what
    assert "\n\n\n" not in text
    assert "(default: False)" not in text
    flags = text[text.index("\n options\n") :]
    assert all(f"--{flag} " in flags for flag in ("quiet", "json", "debug"))
    assert all(
        len(line) <= 90
        for line in text.splitlines()
        if not line.startswith(("usage: ", "  lambdascope "))
    )


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_examples_are_understood(name: str) -> None:
    examples = re.findall(r"^ +lambdascope (.+?)(?: +[>#].*)?$", declaration(name).__doc__, re.M)
    assert examples
    for example in examples:
        words = [word.strip("'") for word in example.split()]
        command = parse(words)
        assert isinstance(command, BaseCommand)
        assert type(command) is declaration(name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no command was given: give one of demo, train, import-legacy, llc,"),
        (["trian"], "'trian' is no command, perhaps 'train' was meant: give one of demo,"),
        (["xyz"], "'xyz' is no command: give one of demo, "),
        (["llc"], "RUN is missing: the run directory, as `lambdascope train` wrote it (see"),
        (["hessian"], "RUN is missing: one run directory or more is accepted"),
        (["train"], "--out PATH is missing: the run directory to write (see"),
        (
            ["train", "runs/p53"],
            "--out PATH is missing: the run directory to write; runs/p53 is one word more than",
        ),
        (["llc", "x", "--num-step", "1"], "--num-step is no flag of this command, perhaps --num-"),
        (["llc", "--frob", "3", "x"], "--frob is no flag of this command (see `lambdascope llc"),
        (["llc", "x", "--steps"], ": --steps has no value: one after it is accepted (see"),
        (
            ["llc", "x", "--device", "tpu"],
            ": --device tpu: one of auto, cpu, cuda is accepted (see",
        ),
        (["llc", "x", "y"], ": y is one word more than accepted (see"),
        (["llc", "x", "-v"], ": -v is no flag of this command (see"),
        (["llc", "x", "--quiet=1"], ": --quiet 1: the flag alone, without a value, is accepted"),
        (["completion", "fish"], ": fish: one of bash, zsh is accepted (see"),
        (["sweep"], ": one of run, status, table, plot is missing: run works out what is missing"),
        (
            ["import-legacy", "x"],
            ": --checkpoints PATH is missing: the folder with its CHECKPOINT_*.pt files; --out "
            "PATH is missing: the run directory to write (see",
        ),
        (
            ["llc", "x", "--steps", "3"],
            "lambdascope: --steps 3: input should be greater than or equa",
        ),
        (
            ["train", "--out", "x", "--p", "1"],
            ": --p 1: input should be greater than or equal to 2",
        ),
        (["train", "--out", "x", "--seeds", "3..1"], ": --seeds 3..1: whole numbers such as"),
        (
            ["train", "--out", "x", "--seed", "1", "--seeds", "0..3"],
            "--seed 1 beside --seeds 0..3: one of them is accepted",
        ),
        (["train", "--out", "x", "--num-steps", "3"], "--num-checkpoints 25 is more than the 4 st"),
        (["train", "--out", "x", "--num-steps", "9" * 5000], "--num-steps 9999999999999999999999"),
        (["sweep", "run", "x.toml", "--workers", "1.5"], "x.toml can't be read"),
    ],
)
def test_what_cannot_be_understood_gets_one_sentence_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.startswith("lambdascope: ")
    assert printed.err.count("\n") == 1


def test_where_to_look_is_the_command_that_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["llc", "x", "--steps"])
    assert capsys.readouterr().err.endswith("(see `lambdascope llc --help`)\n")
    main(["lcl"])
    assert capsys.readouterr().err.endswith("(see `lambdascope --help`)\n")
