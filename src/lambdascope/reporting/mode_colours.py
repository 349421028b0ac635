"""Colours and labels of Fourier modes, the same in every figure."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from lambdascope.reporting import style

CYCLIC_MAP = "twilight"
"""For positions on a circle: cyclic, and told apart by lightness with any colour vision."""


_COLOURS = style.SERIES[:-1]
"""Without grey, which is for modes that are nothing in particular."""

DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (4, 1.5, 1.2, 1.5)))
"""Of lines, by the round in which their colour was given."""

HATCHES = ("", "////", "xxxx", "....")
"""Of areas, likewise."""


def colours_of(modes: Sequence[int]) -> dict[int, str]:
    """A colour for each mode; after seven they come again, told apart by `rounds_of`.

    Args:
        modes: the most important first.
    """
    return {mode: _COLOURS[place % len(_COLOURS)] for place, mode in enumerate(modes)}


def rounds_of(modes: Sequence[int]) -> dict[int, int]:
    """How often each mode's colour was given before: the place of its dash and its hatch.

    Args:
        modes: the most important first.
    """
    return {mode: place // len(_COLOURS) % len(DASHES) for place, mode in enumerate(modes)}


_OFFSET = 14
"""Points between an axis and the names beside it."""


def keep_room(axes: Axes, widest: str = "k = 00") -> None:
    """Have the layout leave room for the names that `label_ends` will write."""
    axes.annotate(widest, (1, 0.5), (_OFFSET, 0), "axes fraction", "offset points", alpha=0)


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write the names of lines beside their right ends, apart from each other.

    A name stands at the height of its line where there is room; where lines end close together,
    names move apart and a thin line leads from each to its own. Call it last: the limits of the
    axes should not change any more.

    Args:
        axes: with a linear or logarithmic y axis; lines end at its right side.
        ends: height of the end in data coordinates, name, and colour, of each line.
    """
    transform = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    heights = sorted(
        (float(transform.transform((x, height))[1]), name, colour) for height, name, colour in ends
    )
    # A line of type, as a share of the axes' height.
    inches = axes.get_position().height * axes.figure.get_figure(root=True).get_size_inches()[1]
    places = _apart([height for height, _, _ in heights], 0.18 / inches)
    for place, (height, name, colour) in zip(places, heights, strict=True):
        axes.annotate(
            name,
            (1.0, height),
            (_OFFSET, (place - height) * inches * 72),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=11,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.8,
                "shrinkA": 0,
                "shrinkB": 1,
                "relpos": (0, 0.5),
            },
        )


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The nearest places, in least squares, that are at least a gap apart: both rising.

    Less i gaps each, they only have to rise: neighbours that don't are put at their mean (the
    pool-adjacent-violators rule).
    """
    blocks: list[tuple[float, int]] = []
    for index, height in enumerate(heights):
        block = (height - index * gap, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, count = blocks.pop()
            total = count + block[1]
            block = ((mean * count + block[0] * block[1]) / total, total)
        blocks.append(block)
    flat = [mean for mean, count in blocks for _ in range(count)]
    # Not below the axis: there its own numbers stand.
    return [max(mean, 0.0) + index * gap for index, mean in enumerate(flat)]
