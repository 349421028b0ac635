"""`lambdascope fourier`."""

from dataclasses import dataclass
from typing import Any

from lambdascope.cli.shared import Outcome, RunCommand, Switch
from lambdascope.commands.flags import flags_of, values_given
from lambdascope.commands.fourier_config import FourierConfig


@dataclass(frozen=True, kw_only=True)
class Command(RunCommand):
    """p may be even or composite. Modes are numbered 1 to p//2, since k and p − k are one mode.

    At even p the mode p/2 has a cosine only; a mode that shares a factor g with p has p/g points.

    Reads a run's checkpoints and data. Writes modes.csv and progress.csv, and into figures/ the
    modes' magnitudes, test loss with one mode kept or removed, the picture of the tokens in each
    mode, and restricted and excluded loss. Takes about a quarter of a minute for the default
    network, and a film ten seconds more.

    Example:
      lambdascope fourier runs/p53
      lambdascope fourier runs/p53 --film gif
    """

    settings: flags_of(FourierConfig)  # type: ignore[valid-type]
    overwrite: Switch = False
    """Replace results with other key modes that stand there."""

    def run(self) -> Outcome[Any]:
        """Measure and draw."""
        config = FourierConfig(**values_given(self.settings))
        self.check_directory()
        from lambdascope.commands.fourier import fourier, print_result

        found = fourier(self.directory, config, overwrite=self.overwrite, progress=self.progress)
        return Outcome(found, print_result)
