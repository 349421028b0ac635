"""`lambdascope calibrate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome, Switch


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """Potentials, normal crossings, reduced rank, deep linear networks, complex multiplication.

    Reads nothing. Writes calibration.csv and calibration.png. Takes about a minute and a half on
    two cores; the full suite, up to half an hour.

    Example:
      lambdascope calibrate
      lambdascope calibrate --suite full --out runs/calibration_full
    """

    suite: Literal["quick", "full"] = "quick"
    """How many systems, and how long their chains."""
    out: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("runs/calibration")
    """The folder to write into."""
    overwrite: Switch = False
    """Replace a calibration that stands there."""

    def run(self) -> Outcome[Any]:
        """Sample every case and compare."""
        from lambdascope.commands.calibrate import calibrate, print_result

        done = calibrate(self.suite, self.out, overwrite=self.overwrite, progress=self.progress)
        return Outcome(done, print_result)
