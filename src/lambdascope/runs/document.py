"""config.json of a run directory: what was asked for, by which command, under which version."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lambdascope
from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import atomic_write_text

SCHEMA_VERSION = 2
"""Version of a run directory's layout and of config.json; a newer one is refused, an older one is
read: its config may lack settings that came later."""

CONFIG_FILE = "config.json"
_MOST_NAMED = 8


def write_document(run: Path, content: Mapping[str, Any]) -> None:
    """Write config.json.

    Args:
        run: the run directory; it stands.
        content: system, made_by and config, as JSON values.

    Raises:
        LambdascopeError: it cannot be written.
    """
    versions = {
        "schema_version": SCHEMA_VERSION,
        "lambdascope_version": lambdascope.__version__,
    }
    atomic_write_text(run / CONFIG_FILE, json.dumps({**versions, **content}, indent=2) + "\n")


def read_document(path: Path) -> dict[str, Any]:
    """Read config.json.

    Args:
        path: the run directory.

    Returns:
        what `write_document` wrote; schema_version, system and config are there and of their kind.

    Raises:
        LambdascopeError: the path is missing, a file, no run, written by a newer schema, or its
            config is broken.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise LambdascopeError(
            f"the run directory {path} {what}: give one that a command of lambdascope wrote"
        )
    try:
        document = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LambdascopeError(_no_run(path)) from error
    except (OSError, ValueError) as error:
        raise LambdascopeError(
            f"{path / CONFIG_FILE} cannot be read as JSON ({error}): give a run directory whose "
            "config is whole"
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, int) or version < 1:
        raise LambdascopeError(
            f"{path / CONFIG_FILE} is no run's config (its schema_version is {version!r}): "
            f"one that lambdascope wrote, of version 1 to {SCHEMA_VERSION}, is accepted"
        )
    if version > SCHEMA_VERSION:
        raise LambdascopeError(
            f"{path / CONFIG_FILE} has schema_version {version}, written by lambdascope "
            f"{document.get('lambdascope_version', 'unknown')}: this one reads up to "
            f"{SCHEMA_VERSION}, so upgrade it"
        )
    system, config = document.get("system"), document.get("config")
    if not isinstance(system, str) or not isinstance(config, dict):
        raise LambdascopeError(
            f"{path / CONFIG_FILE} lacks its system or config: give a run directory that is whole"
        )
    return document


def _no_run(path: Path) -> str:
    """That a folder is no run directory, and which ones it holds."""
    runs = [entry.name for entry in path.iterdir() if (entry / CONFIG_FILE).is_file()]
    if not runs:
        return (
            f"{path} is no run directory ({CONFIG_FILE} is missing): give one that a command of "
            "lambdascope wrote"
        )
    runs.sort(key=lambda name: (len(name), name))  # seed_2 before seed_10
    shown = runs if len(runs) <= _MOST_NAMED else [*runs[: _MOST_NAMED - 1], "…", runs[-1]]
    return (
        f"{path} is no run directory, but holds {len(runs)}: {', '.join(shown)}; give one of them, "
        f"such as {path / runs[0]}"
    )
