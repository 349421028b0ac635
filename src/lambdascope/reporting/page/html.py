"""Templates, style and scripts put together into one file that asks nothing of the network."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lambdascope.reporting import style
from lambdascope.reporting.page.payload import script_json

_PACKAGE = "lambdascope.reporting.page"
PLOTLY = "plotly-basic.min.js"

_COLOURS = {
    "llc": style.LLC,
    "train": style.TRAIN,
    "test": style.TEST,
    "grey": style.GREY,
    "pale": style.PALE_GREY,
    "good": style.GREEN,
    "warn": style.VERMILION,
    "effective": style.GREEN,
    "start": style.VERMILION,
}


def page(template: str, payload: Any, scripts: Sequence[str], values: Mapping[str, Any]) -> str:
    """A page.

    Args:
        template: Name of the template.
        payload: JSON values for the scripts.
        scripts: Names of the scripts, in the order in which they are read.
        values: For the template; everything in them is escaped.

    Returns:
        HTML. Its content security policy lets run the scripts below and nothing else, and lets load
        nothing from anywhere.
    """
    code = "\n".join(["(() => {", '"use strict";', *(_asset(name) for name in scripts), "})();"])
    programs = [_asset(PLOTLY), code]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src " + " ".join(
        f"'sha256-{_digest(program)}'" for program in programs
    )
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            policy=policy,
            # Our own files, and JSON that holds no markup: all else is escaped.
            css=Markup(_colour_rules() + _asset("page.css")),
            programs=[Markup(program) for program in programs],
            payload=Markup(
                script_json({**payload, "colours": {**_COLOURS, "series": style.SERIES}})
            ),
        )
    )


def download(text: str) -> str:
    """A table's text as an address that the browser saves.

    Args:
        text: CSV.
    """
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def picture(png: bytes) -> str:
    """A picture as an address that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return files(_PACKAGE).joinpath("assets", name).read_text(encoding="utf-8")


def _digest(program: str) -> str:
    return base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()


def _colour_rules() -> str:
    rules = "".join(f"--{name}:{colour};" for name, colour in _COLOURS.items())
    return f":root{{{rules}}}\n"
