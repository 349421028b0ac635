"""Flags derived from a config."""

from dataclasses import dataclass
from typing import Literal

import pytest
import tyro

from lambdascope.commands.flags import flags_of, in_flags, spellings_of, values_given
from lambdascope.config import Config


class Settings(Config):
    num_chains: int = 4
    """Chains (count)."""
    rate: float | None = None
    """Rate (1/second)."""
    kind: Literal["plain", "fancy"] = "plain"
    """Kind of thing."""
    tied: bool = False
    """Tie them."""
    which: tuple[int, ...] | None = None
    """Which ones."""
    hidden: int = 3
    """Not for the command line."""


@dataclass
class Command:
    """A command."""

    settings: flags_of(  # type: ignore[valid-type]
        Settings, spellings={"num_chains": "chains"}, omit=frozenset({"hidden"})
    )


def given(*arguments: str) -> dict[str, object]:
    command = tyro.cli(Command, args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    return values_given(command.settings)


def test_nothing_typed_leaves_everything_to_the_config() -> None:
    assert given() == {}
    assert Settings(**given()) == Settings()


def test_values_reach_the_config_as_typed() -> None:
    values = given("--chains", "8", "--rate", "-2e-3", "--tied", "--kind", "fancy")
    assert values == {"num_chains": "8", "rate": "-2e-3", "tied": True, "kind": "fancy"}
    assert Settings(**values) == Settings(num_chains=8, rate=-2e-3, tied=True, kind="fancy")


def test_a_respelt_flag_keeps_the_field_name_too() -> None:
    assert given("--num-chains", "8") == given("--chains", "8")


def test_help_has_description_default_and_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        given("--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--num-chains INT, --chains INT Chains (count). (default: 4)" in text
    assert "--rate FLOAT Rate (1/second)." in text
    assert "--kind {plain,fancy} Kind of thing. (default: plain)" in text
    assert "0,5,24 or 0..24" in text
    assert "hidden" not in text


def test_an_omitted_field_and_an_unknown_choice_are_refused() -> None:
    for arguments in (("--hidden", "3"), ("--kind", "odd")):
        with pytest.raises(SystemExit) as stop:
            given(*arguments)
        assert stop.value.code == 2


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Settings: num_chains='0': too few.", "--chains 0: too few."),
        ("num_chains=3 and rate=2.0 differ", "--chains 3 and --rate 2.0 differ"),
        ("tied=True (--tied) does", "--tied does"),
        ("tied=True needs kind='plain'", "--tied needs --kind plain"),
        ("rate: it is not known", "--rate: it is not known"),
        ("a/rate=3 and llc.rate=3 are other things", "a/rate=3 and llc.rate=3 are other things"),
        ("the rate is high", "the rate is high"),
        ("rate is no run directory", "rate is no run directory"),
        ("rate=None with n = 1", "--rate left out with n = 1"),
    ],
)
def test_a_refusal_names_flags_as_they_are_typed(message: str, said: str) -> None:
    flags = {"num_chains": "--chains", "rate": "--rate", "kind": "--kind", "tied": "--tied"}
    assert in_flags(message, flags, "Settings") == said


def test_flags_know_their_spellings() -> None:
    annotation = flags_of(
        Settings, spellings={"num_chains": "chains"}, omit=frozenset({"hidden", "rate"})
    )
    assert spellings_of(annotation) == {
        "num_chains": "--chains",
        "kind": "--kind",
        "tied": "--tied",
        "which": "--which",
    }
