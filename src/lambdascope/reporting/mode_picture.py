"""The mode picture: tokens by their cosine and sine parts, a panel for each mode."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from lambdascope.reporting import style
from lambdascope.reporting.mode_colours import CYCLIC_MAP

MOST_PANELS = 12
_COLUMNS = 4
# Inches that the title, and the words at the colour bar, need however few panels there are.
_NARROWEST, _LOWEST = 8.0, 5.0


class ModePicture:
    """Panels whose points can be moved: one picture, or the frames of a film.

    In each panel tokens stand at their cosine and sine parts in one mode, coloured by their
    position k·t mod p on the circle: where a network uses a mode, tokens lie on a circle and the
    colours follow each other round it. All panels have one scale. Tokens spread as far as they do
    in the mode's plane, whatever spreads them: where a weak mode's plane lies along a stronger
    one's, its cloud is wide, though its magnitude is small.

    Args:
        modes: one a panel.
        key_modes: those of them whose titles are in bold.
        p: the modulus.
        limit: largest coordinate of any picture to be shown, in units of weights.
        caption: how it was made, in small type below.
    """

    def __init__(
        self,
        modes: Sequence[int],
        key_modes: Sequence[int],
        *,
        p: int,
        limit: float,
        caption: str,
    ) -> None:
        self.modes, self.key_modes = list(modes), set(key_modes)
        self._caption = caption
        self._title: Text | None = None
        rows = math.ceil(len(self.modes) / _COLUMNS)
        columns = min(_COLUMNS, len(self.modes))
        self.figure = style.new_figure(
            max(2.1 * columns + 1.6, _NARROWEST), max(2.25 * rows + 1.4, _LOWEST)
        )
        tokens = np.arange(p)
        with style.styled():
            panels = self.figure.subplots(rows, columns, squeeze=False)
            norm = Normalize(0, p)
            self._points = []
            for axes, mode in zip(panels.flat, self.modes, strict=False):
                axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
                axes.set(xticks=[], yticks=[])
                axes.axhline(0, color=style.PALE_GREY, linewidth=0.7, zorder=0)
                axes.axvline(0, color=style.PALE_GREY, linewidth=0.7, zorder=0)
                for spine in axes.spines.values():
                    spine.set(visible=True, color=style.PALE_GREY)
                self._points.append(
                    axes.scatter(
                        np.zeros(p),
                        np.zeros(p),
                        c=(mode * tokens) % p,
                        cmap=CYCLIC_MAP,
                        norm=norm,
                        s=22,
                        edgecolor=style.GREY,
                        linewidth=0.5,
                    )
                )
            for axes in panels.flat[len(self.modes) :]:
                axes.set_visible(False)
            bar = self.figure.colorbar(ScalarMappable(norm, CYCLIC_MAP), ax=panels, shrink=0.7)
            bar.locator = MaxNLocator(integer=True)
            bar.update_ticks()
            bar.set_label("Position on the circle, k·t mod p")
            bar.outline.set_visible(False)
            self.figure.supylabel("Sine part", fontsize=12)
            panels[-1, 0].set_xlabel(f"Cosine part (box: ±{limit:.2g})", fontsize=11)
        self._axes = list(panels.flat[: len(self.modes)])

    def show(self, positions: pd.DataFrame, magnitudes: pd.Series, title: str) -> Figure:
        """Move the points.

        Args:
            positions: a row for each mode and token: `mode`, `token`, `cosine`, `sine`.
            magnitudes: by mode.
            title: of this picture.

        Returns:
            the figure, the same one each time.
        """
        by_mode = dict(iter(positions.sort_values("token").groupby("mode")))
        with style.styled():
            for axes, points, mode in zip(self._axes, self._points, self.modes, strict=True):
                points.set_offsets(by_mode[mode][["cosine", "sine"]].to_numpy())
                axes.set_title(
                    f"k = {mode}, magnitude {magnitudes[mode]:.0f}",
                    fontsize=11,
                    fontweight="bold" if mode in self.key_modes else "normal",
                )
            if self._title is None:
                self._title = style.title_and_caption(self.figure, title, self._caption)
                # The places of panels are found once: that takes longer than to draw them.
                self.figure.draw_without_rendering()
                self.figure.set_layout_engine("none")
            self._title.set_text(title)
        return self.figure


def picture_limit(positions: pd.DataFrame) -> float:
    """The largest coordinate, and a little room around it."""
    return 1.08 * float(positions[["cosine", "sine"]].abs().to_numpy().max() or 1.0)
