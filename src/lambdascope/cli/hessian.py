"""`lambdascope hessian`."""

from dataclasses import dataclass
from typing import Any

from lambdascope.cli.shared import Outcome, RunCommand, Switch
from lambdascope.commands.flags import flags_of, values_given
from lambdascope.commands.hessian_config import HessianConfig


@dataclass(frozen=True, kw_only=True)
class Command(RunCommand):
    """On the full training loss, at the last checkpoint or at those asked for.

    Reads a run's checkpoints and data, and llc.csv where it stands. Writes hessian.csv,
    hessian_density.csv, hessian_summary.csv and figures into the run directory. Takes about half a
    minute a checkpoint for 200 eigenvalues of the default network.

    Example:
      lambdascope hessian runs/p53 --top 200
      lambdascope hessian runs/p53 --checkpoints 0,5,24 --parameters 'embedding*'
    """

    settings: flags_of(HessianConfig)  # type: ignore[valid-type]
    overwrite: Switch = False
    """Replace spectra of other settings that stand there."""

    def run(self) -> Outcome[Any]:
        """Compute and draw."""
        config = HessianConfig(**values_given(self.settings))
        from lambdascope.commands.hessian import hessian, print_result

        found = hessian(self.directory, config, overwrite=self.overwrite, progress=self.progress)
        return Outcome(found, print_result)
