"""`lambdascope report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """One self-contained page: curves, modes, chains, curvature, tables, and how to make it again.

    A slider moves all panels to a checkpoint. Reads whatever stands of a run, finished or not; what
    is missing is named with the command that makes it. Of a sweep's results, or of a folder of
    runs, it shows figures along each axis and a table that sorts. Writes report.html into the
    directory. Takes some seconds.

    Example:
      lambdascope report runs/p53
      lambdascope report runs/llc_vs_p
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN_OR_SWEEP")]
    """A run directory, the results of a sweep, or a folder with a run in each of its own."""

    def run(self) -> Outcome[Any]:
        """Read, lay out, write."""
        from lambdascope.commands.report import print_result, report

        return Outcome(report(self.directory), print_result)
