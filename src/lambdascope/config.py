"""The base of every settings object: frozen, validated at construction, refused in one sentence."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from lambdascope.errors import LambdascopeError

# What a message shows of a value that was refused.
_MOST_CHARACTERS = 60


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

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        """Whole numbers go into tensors and tables, which hold 64 bits of them."""
        for name, value in self:
            if isinstance(value, int) and abs(value) >= 2**63:
                raise ValueError(f"{name}={_brief(value)}: whole numbers below 2^63 are accepted")
        return self


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
            where = f"{field}={_brief(problem['input'])}: " if field else ""
            problems.append(f"{where}{wanted}")
    return f"{config.__name__}: " + "; ".join(problems) + "."


def _brief(value: object) -> str:
    """A value as it is written in Python, cut where it would fill the screen."""
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        value = f"{value[:_MOST_CHARACTERS]}…"
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) < 2 * _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
