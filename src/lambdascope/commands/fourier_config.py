"""The settings of `lambdascope fourier`."""

from typing import Literal

from pydantic import field_validator

from lambdascope.commands.indices import read_indices
from lambdascope.config import Config


class FourierConfig(Config):
    """Which modes are drawn, and whether a film is made.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    key_modes: tuple[int, ...] | None = None
    """Modes that are named in the figures, and kept or excluded in the progress measures, each from
    1 to p//2, the most important first (default: the circuits found at the last checkpoint)."""

    film: Literal["mp4", "gif"] | None = None
    """Make a film of the mode picture over training; mp4 needs the extra lambdascope[film]."""

    _read_key_modes = field_validator("key_modes", mode="before")(read_indices)
