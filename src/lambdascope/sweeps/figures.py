"""The figures that a sweep's file asks for: what runs where, checked against what there is."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, field_validator

from lambdascope.config import Config
from lambdascope.errors import LambdascopeError


class FigureWish(Config):
    """A figure that a sweep asks for.

    Raises:
        LambdascopeError: A field is unknown or impossible.
    """

    x: str
    """What runs along the horizontal axis: an axis of the sweep, step, or something measured."""
    y: tuple[str, ...] = ("llc",)
    """What is drawn; several are drawn below each other."""
    family: str | None = None
    """The axis whose values get a curve each (default: one curve)."""
    panel: str | None = None
    """The axis whose values get a panel each, side by side (default: one panel)."""
    map_over: str | None = None
    """The axis that runs upwards in a map, whose colours are y; the curves' alternative."""
    slope_over: str | None = None
    """Draw the slope of y in this axis, by least squares with its error, instead of y."""
    line: bool = False
    """Fit a straight line to the runs by least squares and state its slope."""
    theory: bool = False
    """Draw the exact value, of systems that have one, beside the estimates."""
    log_x: bool = False
    """A logarithmic horizontal axis."""
    log_y: bool = False
    """A logarithmic vertical axis."""
    title: str | None = None
    """What the figure shows (default: y against x)."""
    name: Annotated[str, Field(pattern=r"^[\w-]+$")] | None = None
    """File name without its suffix (default: from y, x and family)."""

    @field_validator("y", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @property
    def file_name(self) -> str:
        """The PNG's name."""
        parts = ["_".join(self.y), "vs", self.x] + (["by", self.family] if self.family else [])
        if self.slope_over:
            parts = ["slope", "of", *parts]
        return (self.name or "_".join(parts).replace(".", "_")) + ".png"


def read_wish(
    table: Any, axes: Sequence[str], quantities: Sequence[str], labels: Sequence[str]
) -> FigureWish:
    """A figure's table as a wish.

    Args:
        table: As it stands in the file.
        axes: Of the sweep.
        quantities: What its system measures, as numbers.
        labels: What its system measures, as names.

    Raises:
        LambdascopeError: a field is unknown or impossible, names nothing that there is (said with
            the nearest that there is), or does not go with another.
    """
    if not isinstance(table, dict):
        raise LambdascopeError(f"figures={table!r}: a table of settings is accepted")
    wish = FigureWish(**table)
    if not wish.y:
        raise LambdascopeError("figures: y=(): at least one quantity is accepted")
    measured = [*quantities, *labels]
    for field, names, known in (
        ("x", [wish.x], [*axes, *measured]),
        ("y", wish.y, quantities),
        ("family", [wish.family], [*axes, *labels]),
        ("panel", [wish.panel], [*axes, *labels]),
        ("map_over", [wish.map_over], axes),
        ("slope_over", [wish.slope_over], axes),
    ):
        for name in names:
            if name is not None and name not in known:
                nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
                hint = f"the nearest is {nearest[0]}" if nearest else f"there is {', '.join(known)}"
                what = "quantity that is measured" if field == "y" else "axis of this sweep"
                raise LambdascopeError(f"figures: {field}={name!r} is no {what}; {hint}")
    _goes_together(wish)
    if wish.theory and "exact" not in quantities:
        raise LambdascopeError(
            "figures: theory=true, and there are no exact values in this system: leave it out"
        )
    if wish.theory and not set(wish.y) & {"llc", "llc_uncorrected"}:
        raise LambdascopeError(
            f"figures: theory=true with y={', '.join(wish.y)}: exact values are of λ̂, and y='llc' "
            "is accepted"
        )
    return wish


def check_values(
    wish: FigureWish, values: Mapping[str, Sequence[Any]], labels: Sequence[str]
) -> None:
    """Refuse a straight line or a logarithm over what are no numbers.

    Args:
        wish: What is wanted.
        values: Axis → its values in the sweep's cells.
        labels: What the system measures, as names.

    Raises:
        LambdascopeError: naming field, axis and value.
    """
    for setting, axis, has_line in (
        (wish.slope_over is not None and "slope_over", wish.slope_over, True),
        (wish.line and "line=true", wish.x, True),
        (wish.log_x and "log_x=true", wish.x, False),
    ):
        if not setting:
            continue
        if axis in labels:
            raise LambdascopeError(f"figures: {setting} over {axis}, whose values are names")
        # None: of cells in which it changes nothing, and which have no place along it.
        held = [one for one in dict.fromkeys(values.get(axis or "", ())) if one is not None]
        for value in held:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise LambdascopeError(
                    f"figures: {setting} over {axis}, which has the value {value!r}: an axis of "
                    "numbers is accepted"
                )
            if not has_line and value <= 0:
                raise LambdascopeError(
                    f"figures: {setting} over {axis}, which has the value {value!r}: values > 0 "
                    "are accepted"
                )
        if has_line and len(held) == 1:
            raise LambdascopeError(
                f"figures: {setting} over {axis}, which has the one value {held[0]!r}: two or more "
                "are accepted"
            )


def _goes_together(wish: FigureWish) -> None:
    """Refuse settings of which one would have no effect."""
    several = f"y={', '.join(wish.y)}"
    for given, other in (
        (len(wish.y) > 1 and several, wish.panel and f"panel={wish.panel!r}"),
        (len(wish.y) > 1 and several, wish.map_over and f"map_over={wish.map_over!r}"),
        (wish.map_over and f"map_over={wish.map_over!r}", wish.family and "a family"),
        (wish.map_over and f"map_over={wish.map_over!r}", wish.line and "line=true"),
        (wish.map_over and f"map_over={wish.map_over!r}", wish.theory and "theory=true"),
        (wish.map_over and f"map_over={wish.map_over!r}", wish.slope_over and "slope_over"),
        (wish.map_over and f"map_over={wish.map_over!r}", wish.log_x and "log_x=true"),
        (wish.map_over and f"map_over={wish.map_over!r}", wish.log_y and "log_y=true"),
        (wish.slope_over and f"slope_over={wish.slope_over!r}", wish.line and "line=true"),
        (wish.slope_over and f"slope_over={wish.slope_over!r}", wish.theory and "theory=true"),
    ):
        if given and other:
            raise LambdascopeError(f"figures: {given} with {other}: one of the two is accepted")
    places = [wish.x, wish.family, wish.panel, wish.map_over, wish.slope_over]
    used = [name for name in places if name is not None]
    if twice := [name for name in used if used.count(name) > 1]:
        raise LambdascopeError(
            f"figures: {twice[0]} has two places in one figure: one of x, family, panel, map_over "
            "and slope_over is accepted"
        )
