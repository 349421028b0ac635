"""Which commands made a run, with what arguments, under which versions: commands.json."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import atomic_write_text
from lambdascope.runs.versions import Versions, versions_here

COMMANDS_FILE = "commands.json"


@dataclass(frozen=True)
class CommandRecord:
    """One command's last call.

    Attributes:
        arguments: What stood on the command line beside the run directory, word by word; settings
            at their defaults are left out.
        lambdascope_version: Of the package.
        torch_version: It decides the rounding.
        python_version: See above.
    """

    arguments: tuple[str, ...]
    lambdascope_version: str
    torch_version: str
    python_version: str

    @property
    def versions(self) -> Versions:
        """The three together."""
        return Versions(self.lambdascope_version, self.torch_version, self.python_version)


def record_command(folder: Path, command: str, arguments: Sequence[str]) -> None:
    """Keep a command's arguments; its earlier call is forgotten, as its results are.

    Args:
        folder: The run directory.
        command: Its name on the command line.
        arguments: As in `CommandRecord`.

    Raises:
        LambdascopeError: The file cannot be read or written.
    """
    here = versions_here()
    record = CommandRecord(tuple(arguments), here.lambdascope, here.torch, here.python)
    known = {**read_commands(folder), command: record}
    document = {name: asdict(one) for name, one in known.items()}
    atomic_write_text(folder / COMMANDS_FILE, json.dumps(document, indent=2) + "\n")


def read_commands(folder: Path) -> dict[str, CommandRecord]:
    """The recorded commands by name, in the order in which they were first given.

    Args:
        folder: The run directory; one without commands.json has no records.

    Raises:
        LambdascopeError: The file is broken.
    """
    path = folder / COMMANDS_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: CommandRecord(**{**one, "arguments": tuple(map(str, one["arguments"]))})
            for name, one in document.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LambdascopeError(
            f"{path} can't be read ({error}): remove it, and it is written again by the commands "
            "that follow"
        ) from error
