"""Which software made a result: the versions that decide its digits."""

import importlib.metadata
import platform
from dataclasses import dataclass
from functools import cache

import lambdascope


@dataclass(frozen=True)
class Versions:
    """Of what results depend on.

    Attributes:
        lambdascope: Of the package.
        torch: It decides the rounding.
        python: See above.
    """

    lambdascope: str
    torch: str
    python: str

    def __str__(self) -> str:
        return f"lambdascope {self.lambdascope} · PyTorch {self.torch} · Python {self.python}"


@cache
def versions_here() -> Versions:
    """Those of this process; PyTorch need not be imported for it."""
    return Versions(
        lambdascope.__version__, importlib.metadata.version("torch"), platform.python_version()
    )
