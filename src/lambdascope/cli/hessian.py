"""`lambdascope hessian`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome, Switch
from lambdascope.commands.flags import flags_of, values_given
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.errors import LambdascopeError


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """On the full training loss, at the last checkpoint or at those asked for.

    Reads a run's checkpoints and data, and llc.csv where it stands. Writes hessian.csv,
    hessian_density.csv, hessian_summary.csv and figures into the run directory; of several runs, a
    table and a figure that hold them all into --out too. Takes some twenty seconds a checkpoint for
    200 eigenvalues of the default network.

    Example:
      lambdascope hessian runs/p53 --top 200
      lambdascope hessian runs/few_pairs runs/many_pairs --out runs/train_fraction
      lambdascope hessian runs/p53 --checkpoints 0,5,24 --parameters 'embedding*'
    """

    directories: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint=""),
    ]
    """One run directory or more, as `lambdascope train` wrote them."""
    settings: flags_of(HessianConfig)  # type: ignore[valid-type]
    overwrite: Switch = False
    """Replace spectra of other settings that stand there."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """Where table and figure of several runs go (default: runs/hessian_comparison)."""

    @property
    def resumes(self) -> bool:
        """From the first checkpoint that is not finished."""
        return True

    def run(self) -> Outcome[Any]:
        """Compute and draw."""
        if not self.directories:
            raise LambdascopeError("RUN is missing: one run directory or more is accepted")
        config = HessianConfig(**values_given(self.settings))
        from lambdascope.commands import hessian_comparison as several
        from lambdascope.commands.hessian import hessian, print_result

        options = {"overwrite": self.overwrite, "progress": self.progress}
        if len(self.directories) == 1:
            if self.out is not None:
                raise LambdascopeError(
                    f"out={str(self.out)!r} is for several runs together; one run's results go "
                    "into its own directory"
                )
            return Outcome(hessian(self.directories[0], config, **options), print_result)
        out = self.out or Path("runs/hessian_comparison")
        found = several.compare_hessians(self.directories, config, out, **options)
        return Outcome(found, several.print_comparison)
