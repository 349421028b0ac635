"""`lambdascope report`."""

from dataclasses import dataclass
from typing import Any

from lambdascope.cli.shared import Outcome, RunCommand


@dataclass(frozen=True, kw_only=True)
class Command(RunCommand):
    """One self-contained page: curves, modes, chains, curvature, tables, and how to make it again.

    A slider moves all panels to a checkpoint. Reads whatever stands of a run, finished or not; what
    is missing is named with the command that makes it. Writes report.html into the run directory.
    Takes some seconds.

    Example:
      lambdascope report runs/p53
    """

    def run(self) -> Outcome[Any]:
        """Read, lay out, write."""
        from lambdascope.commands.report import print_result, report

        return Outcome(report(self.directory), print_result)
