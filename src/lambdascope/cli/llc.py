"""`lambdascope llc`."""

from dataclasses import dataclass
from typing import Any

from lambdascope.cli.shared import Outcome, RunCommand, Switch
from lambdascope.commands.flags import flags_of, values_given
from lambdascope.commands.llc_config import LLCConfig


@dataclass(frozen=True, kw_only=True)
class Command(RunCommand):
    """All chains of all checkpoints are sampled as one batch.

    Step size, burn-in and length are chosen, unless one of the plain estimator's settings is given.

    Reads a run's checkpoints and data. Writes llc.csv, the traces and figures/llc_vs_checkpoint.png
    into the run directory. With 4 chains of 3,000 steps at 25 checkpoints of the default network it
    takes under a minute on two cores; the automatic estimate, one to two.

    Example:
      lambdascope llc runs/p53 --orthogonal-to-gradient
      lambdascope llc runs/p53 --checkpoints 0,5,24 --chains 8
    """

    settings: flags_of(  # type: ignore[valid-type]
        LLCConfig, spellings={"num_chains": "chains", "num_steps": "steps"}
    )
    overwrite: Switch = False
    """Replace an estimate with other settings that stands there."""
    strict: Switch = False
    """End with exit code 1 unless every checkpoint has converged; all is written even so."""

    @property
    def resumes(self) -> bool:
        """From its trace."""
        return True

    def run(self) -> Outcome[Any]:
        """Sample, estimate, draw."""
        given = values_given(self.settings)
        config = LLCConfig(**given)
        config.check_given(given)
        self.check_directory()
        from lambdascope.commands.llc import llc, print_result, unconverged

        found = llc(self.directory, config, overwrite=self.overwrite, progress=self.progress)
        return Outcome(found, print_result, unconverged(found) if self.strict else "")
