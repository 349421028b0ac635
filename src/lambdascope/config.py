"""The base of every settings object: frozen, validated at construction, refused in one sentence."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lambdascope.errors import LambdascopeError


class Config(BaseModel):
    """A frozen, validated settings object.

    A value that is unknown or impossible is refused at construction.

    Raises:
        LambdascopeError: naming each offending field, the value received and what would be
            accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise LambdascopeError(_sentence(type(self), error)) from None


def _sentence(config: type[BaseModel], error: ValidationError) -> str:
    """One sentence for all that pydantic found wrong with the values given to `config`."""
    problems = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(config.model_fields)
            problems.append(f"{field} is not a setting of {config.__name__} (it has: {known})")
        elif problem["type"] == "missing":
            problems.append(f"{field} is required")
        else:
            wanted = problem["msg"].removeprefix("Value error, ")
            wanted = wanted[:1].lower() + wanted[1:]
            where = f"{field}={problem['input']!r}: " if field else ""
            problems.append(f"{where}{wanted}")
    return f"{config.__name__}: " + "; ".join(problems) + "."
