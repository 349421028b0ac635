"""`lambdascope train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome, Switch
from lambdascope.commands.flags import flags_of, values_given
from lambdascope.commands.indices import parse_indices
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """Several seeds train as one batch, each with the weights that it would have alone.

    Reads nothing. Writes config.json, data.safetensors, checkpoints/ and training.csv into OUT, or
    into OUT/seed_0 and so on. The default network takes about five seconds, twenty-five seeds of it
    some twenty.

    Example:
      lambdascope train --out runs/p53 --p 53 --hidden-size 48
      lambdascope train --out runs/seeds --p 53 --seeds 0..24
    """

    out: Path
    """The run directory to write."""
    settings: flags_of(TrainConfig)  # type: ignore[valid-type]
    seeds: Annotated[str | None, tyro.conf.arg(metavar="0..24", help_behavior_hint="")] = None
    """Several seeds, such as 0..24 or 0,3,5, as one batch; a run directory each, OUT/seed_0 ..."""
    overwrite: Switch = False
    """Replace a run with other settings that stands there, with its results; train one that has
    lost a file anew. A finished run of the same settings is left as it is."""

    @property
    def resumes(self) -> bool:
        """Each network from its last checkpoint."""
        return True

    def run(self) -> Outcome[Any]:
        """Train."""
        given = values_given(self.settings)
        if self.seeds is not None and "seed" in given:
            raise LambdascopeError(
                f"seed={given['seed']!r} beside seeds={self.seeds!r}: one of them is accepted"
            )
        config = TrainConfig(**given)
        seeds = None if self.seeds is None else list(_indices("seeds", self.seeds))
        from lambdascope.commands.train import print_result, train

        done = train(config, self.out, seeds, overwrite=self.overwrite, progress=self.progress)
        return Outcome(done, print_result)


def _indices(field: str, text: str) -> tuple[int, ...]:
    try:
        return parse_indices(text)
    except ValueError as error:
        raise LambdascopeError(f"{field}={text!r}: {error}.") from None
