"""`lambdascope import-legacy`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome, Switch
from lambdascope.modular_addition.config import Task


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """Nothing pickled is executed, and the train/test split is the one that the old run had.

    Reads a parameter file of the older code and the CHECKPOINT_*.pt and model_*.pt of its run.
    Writes OUT as `lambdascope train` would have, with the parameter file as imported.json. Takes a
    few seconds.

    Example:
      lambdascope import-legacy 53_0.json --checkpoints models --out runs/old
    """

    params: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PARAMS.json")]
    """The older code's JSON file of parameters."""
    checkpoints: Path
    """The folder with its CHECKPOINT_*.pt files."""
    out: Path
    """The run directory to write."""
    task: Annotated[Task | None, tyro.conf.arg(help_behavior_hint="")] = None
    """The labels, where the file does not say: it calls commutative_random ones random."""
    overwrite: Switch = False
    """Replace another run that stands there, with its results."""

    def run(self) -> Outcome[Any]:
        """Read and write."""
        from lambdascope.commands.import_legacy import import_legacy, print_result

        imported = import_legacy(
            self.params, self.checkpoints, self.out, task=self.task, overwrite=self.overwrite
        )
        return Outcome(imported, print_result)
