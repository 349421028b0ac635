"""`lambdascope circuits`."""

from dataclasses import dataclass
from typing import Any

from lambdascope.cli.shared import Outcome, RunCommand, Switch
from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.flags import flags_of, values_given


@dataclass(frozen=True, kw_only=True)
class Command(RunCommand):
    """A circuit is one Fourier mode by which the network adds; it is a clock or a pizza.

    Reads a run's checkpoints and data, and llc.csv where it stands. Writes circuits.csv,
    circuits_over_training.csv, clock_or_pizza.csv and, into figures/, circuits_formation.png (with
    the learning coefficient, where llc.csv stands) and circuits_contributions.png. Losses are of
    a + b mod p over all pairs, training and test alike; accuracies are told of the pairs held out
    of training, too. Takes some ten seconds for the default network.

    Example:
      lambdascope circuits runs/p53
    """

    settings: flags_of(CircuitsConfig)  # type: ignore[valid-type]
    overwrite: Switch = False
    """Replace results with another error rate that stand there."""

    def run(self) -> Outcome[Any]:
        """Search, measure, draw."""
        config = CircuitsConfig(**values_given(self.settings))
        self.check_directory()
        from lambdascope.commands.circuits import circuits, print_result

        found = circuits(self.directory, config, overwrite=self.overwrite, progress=self.progress)
        return Outcome(found, print_result)
