"""Command-line flags from a config class, so that a setting is written down once.

The flags judge no values: what the user typed is handed to the config as text, and the config
alone parses and checks it. A refusal therefore reads the same from the command line and from
Python, and a field left alone is known to be left alone.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from lambdascope.config import Config


def flags_of(
    config: type[Config],
    *,
    spellings: Mapping[str, str] = types.MappingProxyType({}),
    omit: frozenset[str] = frozenset(),
) -> Any:
    """A type for `tyro.cli` with one flag for each field of a config.

    Args:
        config: The class whose fields, defaults and descriptions make the flags.
        spellings: A shorter flag for some fields, such as ``{"num_chains": "chains"}``. The
            field's own name is accepted too.
        omit: Fields that get no flag.

    Returns:
        An annotation for a dataclass field. The parsed object goes to `values_given`.
    """
    fields = []
    for name, field in config.model_fields.items():
        if name in omit:
            continue
        is_switch = field.annotation is bool
        description = tyro.conf.arg(
            name=spellings.get(name),
            aliases=[f"--{name.replace('_', '-')}"] if name in spellings else None,
            help=" ".join((field.description or "").split()),
            help_behavior_hint="" if is_switch else _hint(field.default, field.is_required()),
        )
        kind = bool if is_switch else Annotated[Any, _as_typed(field.annotation)]
        default = dataclasses.field(default=False if is_switch else None)
        fields.append((name, Annotated[kind, description], default))
    made = dataclasses.make_dataclass(config.__name__, fields, kw_only=True)
    flags = {name: f"--{spellings.get(name, name).replace('_', '-')}" for name, *_ in fields}
    constructor = tyro.conf.arg(constructor=made, name="")
    return Annotated[Any, constructor, tyro.conf.OmitArgPrefixes, _Spellings(tuple(flags.items()))]


@dataclasses.dataclass(frozen=True)
class _Spellings:
    """Carried by an annotation of `flags_of`: pairs of field and flag."""

    pairs: tuple[tuple[str, str], ...]


def spellings_of(annotation: Any) -> dict[str, str]:
    """The flag of each field, such as {"num_steps": "--steps"}.

    Args:
        annotation: From `flags_of`.
    """
    (spellings,) = (one for one in annotation.__metadata__ if isinstance(one, _Spellings))
    return dict(spellings.pairs)


def values_given(flags: Any) -> dict[str, Any]:
    """What the user typed, by field; fields that were left alone are absent."""
    return {name: value for name, value in vars(flags).items() if value not in (None, False)}


def in_flags(message: str, flags: Mapping[str, str], config: str = "") -> str:
    """A refusal in the words of the command line: flags as they are typed, instead of fields.

    Args:
        message: Such as "LLCConfig: num_steps='3': …".
        flags: Field → flag, such as {"num_steps": "--steps"}.
        config: Name of the config's class, which means nothing to whoever types flags.

    Returns:
        Such as "--steps 3: …".
    """
    if config:
        message = message.removeprefix(f"{config}: ")
    for field, flag in flags.items():
        # Not inside a path or behind a section's name, as in a sweep's llc.num_steps=3.
        name = rf"(?<![\w./-]){field}"
        message = re.sub(rf"{name}=True\b", flag, message)
        message = re.sub(rf"{name}=None\b", f"{flag} left out", message)
        message = re.sub(rf"{name}='([^']*)'", rf"{flag} \1", message)
        message = re.sub(rf"{name}=", f"{flag} ", message)
        message = re.sub(rf"^{field}(?=: )", flag, message)
        # Where the message names both, for readers of either.
        message = message.replace(f"{flag} ({flag})", flag)
    return message


def _hint(default: object, required: bool) -> str:
    if required:
        return "(required)"
    return "" if default in (None, ()) else f"(default: {default})"


def _as_typed(annotation: Any) -> PrimitiveConstructorSpec[Any]:
    """One argument kept as the text that was typed, with the help that its type deserves."""
    metavar, choices = _metavar_and_choices(annotation)
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda typed: typed[0],
        is_instance=lambda value: value is None or isinstance(value, str),
        str_from_instance=lambda value: [str(value)],
        choices=choices,
    )


def _metavar_and_choices(annotation: Any) -> tuple[str, tuple[str, ...] | None]:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _metavar_and_choices(parts[0])
    if origin in (types.UnionType, typing.Union):
        return _metavar_and_choices(next(part for part in parts if part is not types.NoneType))
    if origin is Literal:
        return "{" + ",".join(map(str, parts)) + "}", tuple(map(str, parts))
    if origin is tuple:
        return ("0,5,24 or 0..24" if parts[0] is int else "NAME,NAME"), None
    return {int: "INT", float: "FLOAT", str: "TEXT"}[annotation], None
