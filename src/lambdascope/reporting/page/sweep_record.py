"""What the page of many runs is made of: a sweep's cells, or a folder's runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdascope.reporting.sweep_figure import SweepPanel


@dataclass(frozen=True)
class SweepCell:
    """One combination of settings.

    Attributes:
        number: Its place.
        name: Of the run's directory; empty for a sweep's cell, which has none.
        point: Axis → value.
        state: "finished", "failed" or "missing".
        error: Why it failed.
        last: What was measured at the last checkpoint, by column.
        page: Where its own page is, from this one; empty if there is none.
        lines: Commands that make the cell a run with a page of its own.
    """

    number: int
    name: str
    point: Mapping[str, Any]
    state: str
    error: str
    last: Mapping[str, Any]
    page: str
    lines: Sequence[str]


@dataclass(frozen=True)
class SweepFigureRecord:
    """A figure whose quantity can be chosen.

    Attributes:
        title: What tells it from its neighbours; empty if nothing does.
        x_label: With its unit.
        family_label: What the curves differ in; empty where their names say it; None for one curve.
        quantities: Name → panel; the first is shown first.
        over_seeds: Whether the horizontal axis is a seed, along which runs are repetitions.
        log: Whether the horizontal and the vertical axis are logarithmic.
        pooled: Name of a quantity → what its means are over besides seeds, such as
            "train.task (2) × train.seed (3)"; empty where they are over nothing else.
        is_slope: Whether it shows slopes, each of several estimates.
    """

    title: str
    x_label: str
    family_label: str | None
    quantities: Mapping[str, SweepPanel]
    over_seeds: bool
    log: tuple[bool, bool]
    pooled: Mapping[str, str] = field(default_factory=dict)
    is_slope: bool = False


@dataclass(frozen=True)
class SweepRecord:
    """A sweep, or a folder of runs.

    Attributes:
        name: Of the directory.
        is_sweep: False for a folder of runs.
        axes: Names of what varies.
        cells: In their order.
        figures: See above.
        pictures: Title → PNG, of figures that are pictures: maps.
        csv: The table of all measurements as text; empty if there are none.
        line: The command that makes it again; empty where none is known.
        shared: Settings that all cells have in common.
        note: A sentence on what the figures leave out; empty if nothing.
        versions: Of the software, in a line → how many cells were recorded under them.
    """

    name: str
    is_sweep: bool
    axes: Sequence[str]
    cells: Sequence[SweepCell]
    figures: Sequence[SweepFigureRecord]
    pictures: Mapping[str, bytes]
    csv: str
    line: str
    shared: Mapping[str, Any]
    note: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)
