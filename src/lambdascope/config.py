"""The base of every settings object: frozen, validated at construction, refused in one sentence."""

import re
from collections.abc import Iterator
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lambdascope.errors import LambdascopeError, shown


class Config(BaseModel):
    """A frozen, validated settings object.

    A value that is unknown or impossible is refused at construction.

    Raises:
        LambdascopeError: naming each offending field, the value received and what would be
            accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any, field: ValidationInfo) -> Any:
        """Refuse True and False where a number is meant: pydantic reads them as 1 and 0."""
        if type(value).__name__ not in ("bool", "bool_"):
            return value
        assert field.field_name is not None
        accepted = set(re.findall(r"\w+", str(cls.model_fields[field.field_name].annotation)))
        if accepted & {"int", "float"} and "bool" not in accepted:
            raise ValueError("input should be a number, neither True nor False")
        return value

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise LambdascopeError(_sentence(type(self), error)) from None

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What is other than the default, or has none."""
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name is None or name not in fields or fields[name].default != value:
                yield name, value

    def __str__(self) -> str:
        return repr(self)

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        """Whole numbers go into tensors and tables, which hold 64 bits of them."""
        for name, value in self:
            if isinstance(value, int) and abs(value) >= 2**63:
                raise ValueError(f"{name}={shown(value)}: whole numbers below 2^63 are accepted")
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
            where = f"{field}={shown(problem['input'])}: " if field else ""
            problems.append(f"{where}{wanted}")
    return f"{config.__name__}: " + "; ".join(problems) + "."
