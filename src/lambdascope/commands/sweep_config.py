"""The sections of a sweep's file."""

from typing import Literal

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.config import Config
from lambdascope.modular_addition.config import TrainConfig


class MeasureConfig(Config):
    """What a cell measures once it is trained.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    llc: Literal["final", "all", "none"] = "final"
    """λ̂ of the final weights, of all checkpoints, or of none; losses and accuracies come for all
    checkpoints in any case."""


SECTIONS: dict[str, type[Config]] = {
    "train": TrainConfig,
    "llc": LLCConfig,
    "measure": MeasureConfig,
}
