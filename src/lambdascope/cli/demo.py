"""`lambdascope demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome, Switch
from lambdascope.commands.demo_config import DEFAULT_OUT, QUICK_OUT


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """Trains, estimates λ̂, follows modes and circuits, and puts it all on one page.

    Reads nothing. Writes a run directory, with report.html in it.

    Takes a minute or two on two cores; the quick form half a minute. The first time, up to half
    a minute more goes into compiling the sampler.

    Example:
      lambdascope demo
      lambdascope demo --quick --out runs/try
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """The run directory to write (default: runs/demo, or runs/demo_quick)."""
    quick: Switch = False
    """Fewer checkpoints, chains and steps: to see that everything works, not for its numbers."""
    overwrite: Switch = False
    """Replace another run, or other results, that stand there."""

    @property
    def resumes(self) -> bool:
        """Training and sampling do; the rest takes seconds."""
        return True

    def run(self) -> Outcome[Any]:
        """Train, study, make the page."""
        from lambdascope.commands.demo import demo, print_result

        out = self.out or (QUICK_OUT if self.quick else DEFAULT_OUT)
        shown = demo(out, quick=self.quick, overwrite=self.overwrite, progress=self.progress)
        return Outcome(shown, print_result)
