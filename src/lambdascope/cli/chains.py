"""`lambdascope chains`."""

from dataclasses import dataclass
from typing import Any

from lambdascope.cli.shared import Outcome, RunCommand, Switch
from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.flags import flags_of, values_given


@dataclass(frozen=True, kw_only=True)
class Command(RunCommand):
    """Says first what its records will take.

    Reads a run's checkpoints and data. Writes chains.csv, chains_modes.csv, chains_trace.zarr, and
    into figures/ the points' principal components, all modes over sampling time, and the two
    largest modes against each other. Takes about a minute for the last checkpoint of the
    default network.

    Example:
      lambdascope chains runs/p53
      lambdascope chains runs/p53 --checkpoints 5,24 --point-parameters 'embedding*' --film gif
    """

    settings: flags_of(  # type: ignore[valid-type]
        ChainsConfig, spellings={"num_chains": "chains", "num_steps": "steps"}
    )
    overwrite: Switch = False
    """Replace chains with other settings that stand there."""

    @property
    def resumes(self) -> bool:
        """From its trace."""
        return True

    def run(self) -> Outcome[Any]:
        """Sample and draw."""
        config = ChainsConfig(**values_given(self.settings))
        self.check_directory()
        from lambdascope.commands.chains import chains, print_result

        sampled = chains(self.directory, config, overwrite=self.overwrite, progress=self.progress)
        return Outcome(sampled, print_result)
