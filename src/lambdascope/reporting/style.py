"""One look for every figure: colours, type, and how a figure becomes a file's bytes.

The colours are those of Okabe and Ito (2008, "Color universal design"), told apart with any common
kind of colour vision.
"""

import io
import textwrap
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogFormatter, MaxNLocator, StrMethodFormatter

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#5F6368"
PALE_GREY = "#DADCE0"

SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
"""For lines that stand beside each other, the first ones easiest to tell apart."""

LLC, TRAIN, TEST = BLUE, ORANGE, VERMILION
"""The same quantity has the same colour in every figure."""

_SETTINGS: dict[Any, Any] = {
    "font.size": 12,
    "axes.titlesize": 15,
    "axes.labelsize": 13,
    "axes.spines.top": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 12,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
}


def series(number: int) -> tuple[str, str]:
    """Colour and dash of a line among others; dashes tell apart what the colours no longer do.

    Args:
        number: Its place among the lines, from 0.
    """
    return SERIES[number % len(SERIES)], "-" if number < len(SERIES) else "--"


def new_figure(width: float = 9.0, height: float = 5.4) -> Figure:
    """An empty figure in the shared style.

    Args:
        width: Inches.
        height: Inches.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
    return figure


def styled() -> Any:
    """A context within which axes, labels and legends take the shared style."""
    return matplotlib.rc_context(_SETTINGS)


def grid_below(axes: Axes) -> None:
    """Faint horizontal lines behind the data, to read values from."""
    axes.grid(axis="y", color=PALE_GREY, linewidth=0.7)
    axes.set_axisbelow(True)


def whole_steps(axes: Axes) -> None:
    """Ticks of a horizontal axis that counts steps: whole numbers, thousands apart by commas."""
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def plain_numbers(axis: Axis) -> None:
    """Ticks of a logarithmic axis as 0.1, 1, 10 instead of powers."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    # Between powers only where there are too few of them, as it decides by itself.
    axis.set_minor_formatter(_PlainLogFormatter(minor_thresholds=(1, 0.4)))


class _PlainLogFormatter(LogFormatter):
    """The ticks that matplotlib would name, as 0.3 instead of 3e-01."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def title_and_caption(figure: Figure, title: str, caption: str) -> Text:
    """What a figure shows, above it, and how it was made, in small type below.

    Args:
        figure: Made by `new_figure`, within `styled`.
        title: Wrapped to the figure's width, as is the caption.
        caption: Parts between " · " stay together where they can.

    Returns:
        The title, for a figure whose title changes.
    """
    width = figure.get_size_inches()[0]
    text = figure.suptitle(_balanced(title, int(8 * width)), fontsize=15, fontweight="bold")
    figure.supxlabel(_wrapped(caption, int(12 * width)), fontsize=9.5, color=GREY)
    return text


def _balanced(title: str, letters: int) -> str:
    """The title in as few lines as it takes, of about one length."""
    count = len(textwrap.wrap(title, letters))
    while letters > 1 and len(textwrap.wrap(title, letters - 1)) == count:
        letters -= 1
    return textwrap.fill(title, letters)


def _wrapped(caption: str, letters: int) -> str:
    """The caption in as few lines as it takes, broken between its parts where that can be."""
    parts = [line for part in caption.split(" · ") for line in textwrap.wrap(part, letters)]
    count = len(_joined(parts, letters))
    longest = max((len(part) for part in parts), default=0)
    while letters > longest and len(_joined(parts, letters - 1)) == count:
        letters -= 1
    return "\n".join(_joined(parts, letters))


def _joined(parts: list[str], letters: int) -> list[str]:
    """Lines of no more than so many letters, of parts that are joined by " · "."""
    lines = parts[:1]
    for part in parts[1:]:
        joined = f"{lines[-1]} · {part}"
        lines = [*lines[:-1], joined] if len(joined) <= letters else [*lines, part]
    return lines


def png_bytes(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as PNG, for a caller that writes files atomically.

    Args:
        figure: Made by `new_figure`.
        dpi: Pixels an inch.
    """
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
