"""`lambdascope completion`."""

import contextlib
import functools
import io
import operator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from lambdascope.cli.listing import SUMMARIES
from lambdascope.cli.shared import BaseCommand, Outcome


@dataclass(frozen=True)
class Completion:
    """What a shell reads.

    Attributes:
        shell: Its name.
        script: Its commands.
    """

    shell: str
    script: str


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """The shell then completes what is begun: commands, flags, their choices, files.

    Reads and writes nothing; what it prints is for the shell to read. Takes a second.

    Example:
      lambdascope completion bash > ~/.local/share/bash-completion/completions/lambdascope
      lambdascope completion zsh > ~/.zfunc/_lambdascope    # ~/.zfunc being in zsh's fpath
    """

    shell: tyro.conf.Positional[Literal["bash", "zsh"]]
    """The shell that is to complete."""

    def run(self) -> Outcome[Any]:
        """Have shtab write it from all declarations."""
        from lambdascope.cli.parsing import CONFIG, declaration

        kinds: list[Any] = [
            Annotated[declaration(name), tyro.conf.subcommand(name=name, description=summary)]
            for name, summary in SUMMARIES.items()
        ]
        # Tyro's own completion knows no files in the place of RUN; that of its argparse parser, by
        # shtab, does.
        options = tyro._experimental_options
        usual = options["backend"]
        options["backend"] = "argparse"
        with contextlib.redirect_stdout(io.StringIO()) as script, contextlib.suppress(SystemExit):
            tyro.cli(
                functools.reduce(operator.or_, kinds),
                prog="lambdascope",
                args=["--tyro-write-completion", self.shell, "-"],
                config=CONFIG,
            )
        options["backend"] = usual
        return Outcome(Completion(self.shell, script.getvalue()), _print_script)


def _print_script(completion: Completion) -> None:
    print(completion.script, end="")
