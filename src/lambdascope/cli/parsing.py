"""From the words that were typed to a command, or to help."""

import contextlib
import difflib
import importlib
import io
import re
import shutil
import textwrap
from typing import Any, cast

import tyro

from lambdascope.cli.listing import SUMMARIES, module_of
from lambdascope.cli.shared import BaseCommand, own_flags
from lambdascope.errors import LambdascopeError

CONFIG = (tyro.conf.FlagCreatePairsOff,)
"""How flags are read, for all commands."""


def parse(arguments: list[str]) -> BaseCommand:
    """The command that was asked for.

    Args:
        arguments: Its name and flags.

    Raises:
        LambdascopeError: An unknown command or flag, or one that lacks its value.
        SystemExit: After printing help.
    """
    name = arguments[0] if arguments else None
    if name is None or name not in SUMMARIES:
        raise LambdascopeError(_no_such_command(name))
    command, said, complaint = declaration(name), io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
            parsed = tyro.cli(
                command,
                prog=f"lambdascope {name}",
                description="",  # tyro would run its lines together
                args=arguments[1:],
                config=CONFIG,
            )
    except SystemExit as stop:
        if stop.code in (None, 0):
            usage, _, flags = said.getvalue().partition("\n")
            print(f"{usage}\n\n{_description(name, command)}\n{_tidy(flags)}")
            raise
        said_no = _unknown_flag(arguments[1:], command) or _refusal(
            _unboxed(complaint.getvalue()), arguments[1:]
        )
        raise LambdascopeError(f"{said_no} (see `lambdascope {name} --help`)") from None
    return parsed


def declaration(name: str) -> type[BaseCommand]:
    """The class that declares a command."""
    return cast(Any, importlib.import_module(module_of(name))).Command


def _description(name: str, command: type[BaseCommand]) -> str:
    """The summary and the docstring, paragraphs wrapped, lines that are indented left alone."""
    width = min(100, shutil.get_terminal_size().columns)
    text = textwrap.dedent("    " + (command.__doc__ or ""))
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join([SUMMARIES[name], *(_wrapped(part, width) for part in paragraphs)])


def _wrapped(paragraph: str, width: int) -> str:
    lines: list[str] = []
    for line in paragraph.splitlines():
        # A line goes on the one before, unless it is indented or follows a heading.
        if lines and not line.startswith(" ") and not lines[-1].startswith(" "):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(
        line if line.startswith("  lambdascope ") else textwrap.fill(line, width) for line in lines
    )


def _tidy(flags: str) -> str:
    """Tyro's lists of flags without the blanks that fill its lines and columns."""
    lines: list[str] = []
    for line in filter(None, (line.rstrip() for line in flags.splitlines())):
        is_heading = line[0] == " " != line[1] and not line.startswith(" -")
        lines += ["", line] if is_heading else [line]
    return "\n".join(lines)


def _no_such_command(name: str | None) -> str:
    if name is None:
        said = "no command was given"
    else:
        close = difflib.get_close_matches(name, SUMMARIES, n=1)
        said = f"{name!r} is no command" + (f", perhaps {close[0]!r} was meant" if close else "")
    return f"{said}: give one of {', '.join(SUMMARIES)} (see `lambdascope --help`)"


def _unknown_flag(words: list[str], command: type[BaseCommand]) -> str | None:
    """Which flag is none of the command's, in a sentence: tyro takes it for a value at times."""
    spelt = own_flags(command)
    known = [*spelt.values(), *(f"--{name.replace('_', '-')}" for name in spelt), "--help"]
    for word in (word.partition("=")[0] for word in words if word.startswith("--")):
        if word.replace("_", "-") not in known:
            close = difflib.get_close_matches(word, known, n=1)
            hint = f", perhaps {close[0]} was meant" if close else ""
            if word == "--sampler":
                hint = ": the commands use SGLD, or choose; lambdascope.sample takes all samplers"
            return f"{word} is no flag of this command{hint}"
    return None


def _refusal(said: str, words: list[str]) -> str:
    """One of tyro's complaints as others of this program read: what, what was given, what may be.

    Args:
        said: Its text, without the frame.
        words: What was typed after the command's name.
    """
    if found := re.match(r"invalid choice '(.*)' for argument '(.+?)'\. .*?\((.*)\)", said):
        given, argument, choices = found.groups()
        name = f"{_typed(argument, words)} " if argument.startswith("-") else ""
        accepted = ", ".join(c for c in choices.replace("'", "").split(", ") if c != "None")
        return f"{name}{given}: one of {accepted} is accepted"
    if found := re.match(r"Missing value for argument '(.+?)'", said):
        return f"{_typed(found[1], words)} has no value: one after it is accepted"
    if found := re.match(r"Missing from lambdascope [\w-]+: (.*?)(?:; (Unrec.*))?$", said):
        parts = [part.strip() for part in found[1].split("(required)") if part.strip()]
        others = [_refusal(found[2], words)] if found[2] else []
        return "; ".join([*map(_missing, parts), *others])
    if found := re.match(r"Unrecognized options: (.*)", said):
        first = found[1].split()[0]
        flag = next((w.partition("=")[0] for w in words if w.endswith(f"={first}")), None)
        if flag is not None:
            return f"{flag} {first}: the flag alone, without a value, is accepted"
        what = "no flag of this command" if first.startswith("-") else "one word more than accepted"
        return f"{first} is {what}"
    return said


def _typed(argument: str, words: list[str]) -> str:
    """Of a flag's spellings, such as "--num-steps/--steps", the one that was typed."""
    spellings = argument.split("/")
    typed = [word.partition("=")[0] for word in words]
    return next((one for one in spellings if one in typed), spellings[0])


def _missing(part: str) -> str:
    """Such as "--out PATH The run directory to write." as a clause."""
    name, _, about = part.partition(" ")
    if name.startswith("-"):
        metavar, _, about = about.partition(" ")
        name = f"{name} {metavar}"
    if name.startswith("{"):
        name = f"one of {name.strip('{}').replace(',', ', ')}"
    about = about.rstrip(".")
    return f"{name} is missing: {about[:1].lower()}{about[1:]}"


def _unboxed(box: str) -> str:
    """The text of one of tyro's framed error messages, as a sentence."""
    sections, lines = [], []
    for line in box.splitlines()[1:]:
        text = line.strip("│|╭╮╰╯ ").strip()
        if text.strip("─-+"):
            lines.append(text)
        elif lines:
            sections.append(" ".join(lines))
            lines = []
    hints = ("For full helptext", "Argument helptext")
    said = "; ".join(section for section in sections if not section.startswith(hints))
    return said.rstrip(".")
