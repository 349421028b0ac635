"""Colours and labels of Fourier modes, the same in every figure."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from lambdascope.reporting import style

CYCLIC_MAP = "twilight"
"""For positions on a circle: cyclic, and told apart by lightness with any colour vision."""

_PALETTE = (
    style.BLUE,
    style.VERMILION,
    style.GREEN,
    style.PURPLE,
    style.ORANGE,
    style.SKY,
    style.BLACK,
)


def colours_of(modes: Sequence[int]) -> dict[int, str]:
    """A colour for each of the first seven modes; the rest go without one.

    Args:
        modes: the most important first.
    """
    return dict(zip(modes, _PALETTE, strict=False))


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write the names of lines beside their right ends, apart from each other.

    Call it last: the limits of the axes should not change any more.

    Args:
        axes: with a linear or logarithmic y axis.
        ends: height of the end in data coordinates, name, and colour, of each line.
    """
    transform = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    heights = sorted(
        (float(transform.transform((x, height))[1]), name, colour) for height, name, colour in ends
    )
    # A line of type, as a share of the axes' height.
    inches = axes.get_position().height * axes.figure.get_figure(root=True).get_size_inches()[1]
    gap = 0.18 / inches
    placed: list[float] = []
    for height, _, _ in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    # Pushed above the top, the column moves down as a whole, and again from the top.
    top = 1.0
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = top = min(placed[index], top)
        top -= gap
    for place, (_, name, colour) in zip(placed, heights, strict=True):
        axes.annotate(
            name,
            (1.0, place),
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=11,
            annotation_clip=False,
        )
