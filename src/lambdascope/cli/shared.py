"""What all commands have in common: their flags, and what they hand back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from lambdascope.commands.flags import in_flags, spellings_of
from lambdascope.runs.document import read_document

Result = TypeVar("Result")

Switch = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]
"""A flag without a value, off unless it is given."""


@dataclass(frozen=True, kw_only=True)
class General:
    """Every command takes these."""

    quiet: Switch = False
    """Print nothing but warnings and errors."""
    json: Switch = False
    """Print the result as one JSON object, and nothing else, on standard output."""
    debug: Switch = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What a command found.

    Attributes:
        result: A dataclass; `--json` prints it field by field.
        show: Prints it for a reader.
        complaint: A sentence, where the work is done and the result is not what was demanded of it:
            said on stderr, with exit code 1.
    """

    result: Result
    show: Callable[[Result], None]
    complaint: str = ""


@dataclass(frozen=True, kw_only=True)
class BaseCommand(ABC):
    """A command as it was typed; the docstring of the class that declares one is its help."""

    general: Annotated[General, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="general")] = (
        General()
    )

    @property
    def progress(self) -> bool:
        """Whether to show how the work goes on."""
        return not (self.general.quiet or self.general.json)

    @property
    def resumes(self) -> bool:
        """Whether the same command, interrupted, goes on where it stood; others begin again."""
        return False

    def in_flags(self, message: str) -> str:
        """A refusal that names flags as they are typed, instead of fields."""
        settings = getattr(self, "settings", None)
        config = "" if settings is None else type(settings).__name__
        return in_flags(message, own_flags(type(self)), config)

    @abstractmethod
    def run(self) -> Outcome[Any]:
        """Do the work; prints nothing to standard output."""


@dataclass(frozen=True, kw_only=True)
class RunCommand(BaseCommand):
    """A command that studies a run."""

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The run directory, as `lambdascope train` wrote it."""

    def check_directory(self) -> None:
        """Refuse what is no run at once, before the libraries are loaded, which takes seconds."""
        read_document(self.directory)


def own_flags(command: type[BaseCommand]) -> dict[str, str]:
    """Every field of a command and of its settings, with the flag by which it is typed."""
    flags: dict[str, str] = {}
    for field in fields(command):
        if field.name == "general":
            flags |= {one.name: f"--{one.name}" for one in fields(General)}
        elif field.name == "settings":
            flags |= spellings_of(field.type)
        elif tyro.conf.Positional not in getattr(field.type, "__metadata__", ()):
            flags[field.name] = f"--{field.name.replace('_', '-')}"
    return flags
