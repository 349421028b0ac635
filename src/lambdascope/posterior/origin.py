"""Whose code a module is: the user's, or that of a package whose version tells it apart."""

import functools
import sys
import sysconfig
from enum import StrEnum
from pathlib import Path

_INSTALLED = frozenset({"site-packages", "dist-packages"})


class Origin(StrEnum):
    """Where code comes from."""

    USER = "user"
    PYTHON = "python"
    TORCH = "torch"
    LAMBDASCOPE = "lambdascope"
    PACKAGE = "package"


@functools.cache
def origin(module: str) -> Origin:
    """Whose a module is, by its full name; of another installed package: PACKAGE."""
    top = module.partition(".")[0]
    if top == "__main__":
        return Origin.USER
    if top in (Origin.TORCH, Origin.LAMBDASCOPE):  # whichever way they were installed
        return Origin(top)
    file = _file(module)
    if top in sys.stdlib_module_names and (file is None or _is_in_library(file)):
        return Origin.PYTHON
    if file is not None and not _INSTALLED.isdisjoint(file.parts):
        return Origin.PACKAGE
    return Origin.USER


def _is_in_library(file: Path) -> bool:
    """Whether a file is of Python's library: a module of the user's may share a name with it."""
    roots = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    return any(file.is_relative_to(Path(root).resolve()) for root in roots)


def _file(module: str) -> Path | None:
    """Where a module that was imported lies; None for what has no file."""
    for name in (module, module.partition(".")[0]):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            return Path(file).resolve()
    return None
