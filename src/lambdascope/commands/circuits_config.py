"""The settings of `lambdascope circuits`."""

from typing import Annotated

from pydantic import Field

from lambdascope.config import Config


class CircuitsConfig(Config):
    """How circuits are searched for.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    error_rate: Annotated[float, Field(gt=5e-5, lt=1)] = 0.01
    """Chance of finding a circuit in a network that holds none, at each checkpoint."""
