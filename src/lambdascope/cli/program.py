"""The program: from a command line to an exit code."""

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import lambdascope
from lambdascope.cli.listing import GROUPS
from lambdascope.errors import LambdascopeError, is_allocation_failure

if TYPE_CHECKING:
    from lambdascope.cli.shared import BaseCommand

_HELP = """usage: lambdascope [-h] [--version] COMMAND ...

How structure forms inside a neural network while it trains.
{commands}
Begin with `lambdascope demo`. `lambdascope COMMAND --help` says what a command reads and writes,
how long it takes, and shows its flags. Interrupted, the same command resumes where it stopped;
results of other settings are never replaced without --overwrite.

Example:
  lambdascope train --out runs/p53 --p 53
  lambdascope llc runs/p53 --orthogonal-to-gradient"""

_NOT_AS_DEMANDED, _REFUSED, _INTERRUPTED, _PIPE_CLOSED = 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What follows the program's name; by default the process's own.

    Returns:
        The exit code: 0; 1 for results that are not as a flag demanded; 2 for anything the user can
        mend, said in a sentence on stderr; 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments == ["--version"]:
            print(f"lambdascope {lambdascope.__version__}")
            return 0
        if arguments in (["--help"], ["-h"]):
            print(_help())
            return 0
        # Imported late: the help above needs none of it.
        from lambdascope.cli.parsing import parse

        return _run(parse(arguments))
    except KeyboardInterrupt:  # before the command has begun
        return _say("interrupted", _INTERRUPTED)
    except LambdascopeError as error:
        return _say(error, _REFUSED)
    except BrokenPipeError:
        # The reader has gone (`lambdascope llc ... | head`): nothing can be said to it. Python
        # would still complain on closing its standard output, hence the substitute.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED


def _run(command: "BaseCommand") -> int:
    general = command.general
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # What is printed on the way must not stand before a JSON object.
            with contextlib.redirect_stdout(sys.stderr if general.json else sys.stdout):
                outcome = command.run()
        if general.json:
            from lambdascope.cli.output import as_json

            print(as_json(outcome.result))
        elif not general.quiet:
            outcome.show(outcome.result)
        sys.stdout.flush()
        return _say(outcome.complaint, _NOT_AS_DEMANDED) if outcome.complaint else 0
    except KeyboardInterrupt:
        then = "goes on where it stood" if command.resumes else "begins from the start"
        return _say(f"interrupted: the same command {then}", _INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        said = _sentence(command, error)
        if said is None:
            raise
        if general.debug:
            traceback.print_exc()
        return _say(said, _REFUSED)


def _sentence(command: "BaseCommand", error: Exception) -> str | None:
    """What to say of an error that a user can mend; None if it is a mistake of ours."""
    if isinstance(error, LambdascopeError):
        return command.in_flags(str(error))
    if is_allocation_failure(error):
        reason = (str(error) or "no reason is given").splitlines()[0]
        return (
            f"there is not enough memory ({reason}): smaller settings do; what was written stands"
        )
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{place}: what was written stands"
    return None


def _help() -> str:
    lines = []
    for group, commands in GROUPS.items():
        lines.append(f"\n{group}:")
        lines += [f"  {name:<15}{summary}" for name, summary in commands.items()]
    return _HELP.format(commands="\n".join([*lines, ""]))


def _say(message: object, code: int) -> int:
    if "lambdascope.progress" in sys.modules:  # else no bar is open, and it need not be imported
        from lambdascope.progress import close_bars

        close_bars()
    print(f"lambdascope: {message}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Warnings are for the user, who has no use for the line of code that raised them."""
    print(f"lambdascope: warning: {message}", file=sys.stderr)
