"""Films: figures one after another as mp4 or gif, made in memory."""

import importlib.util
import io
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lambdascope.errors import LambdascopeError
from lambdascope.progress import tracked

Format = Literal["mp4", "gif"]

_DPI = 100
_HOLD_LAST_SECONDS = 1.5


_LASTS_SECONDS, _SLOWEST, _FASTEST = 5.0, 1.5, 8.0
"""What a film of few frames should last, and frames a second between which that is sought."""


def check_film(kind: Format) -> None:
    """Refuse a film that could not be made, before anything is computed for it.

    Raises:
        LambdascopeError: mp4 is asked for without its encoder.
    """
    if kind == "mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise LambdascopeError(
            "film='mp4': its encoder is not installed; install it with `pip install "
            "'lambdascope[film]'`, or ask for a gif, which needs nothing more"
        )


def film_bytes(
    frames: Iterable[Figure],
    kind: Format,
    *,
    num_frames: int,
    frames_per_second: float | None = None,
    progress: bool = True,
) -> bytes:
    """A film of figures, the last one held for a moment.

    Frames go to the encoder as they come. An mp4 is put together in a temporary folder, which is
    removed whatever happens; a gif in memory.

    Args:
        frames: figures of one size, or one figure that changes between frames.
        kind: mp4 (H.264) or gif (at most 256 colours).
        num_frames: how many, for the progress bar.
        frames_per_second: speed; None: such that it lasts some five seconds, from 1.5 to 8.
        progress: show a bar on stderr, if that is a terminal.

    Returns:
        the file's content, for a caller that writes files atomically.

    Raises:
        LambdascopeError: the encoder is missing or fails, or there are no frames.
    """
    check_film(kind)
    if frames_per_second is None:
        frames_per_second = min(max(num_frames / _LASTS_SECONDS, _SLOWEST), _FASTEST)
    bar = tracked(frames, "film", total=num_frames, unit="frame", wanted=progress)
    pixels = (_pixels(figure) for figure in bar)
    first = next(pixels, None)
    if first is None:
        raise LambdascopeError("a film of no frames: give at least one")
    encode = _mp4 if kind == "mp4" else _gif
    return encode(first, pixels, frames_per_second)


def _pixels(figure: Figure) -> np.ndarray:
    """The figure as [height, width, 3] bytes; both sides even, as H.264 needs them."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    figure.set_dpi(_DPI)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    return np.ascontiguousarray(pixels[:height, :width])


def _mp4(first: np.ndarray, rest: Iterator[np.ndarray], frames_per_second: float) -> bytes:
    import imageio_ffmpeg

    with tempfile.TemporaryDirectory(prefix="lambdascope_film_") as folder:
        path = Path(folder) / "film.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(path),
            (first.shape[1], first.shape[0]),
            fps=frames_per_second,
            macro_block_size=2,
            quality=8,
            ffmpeg_log_level="error",
        )
        try:
            writer.send(None)
            for frame in chain([first], rest):
                writer.send(frame)
            for _ in range(round(_HOLD_LAST_SECONDS * frames_per_second)):
                writer.send(frame)
        except OSError as error:
            raise LambdascopeError(
                f"the encoder failed ({str(error).splitlines()[0]}): ask for a gif, or make room "
                "in the temporary folder"
            ) from error
        finally:
            writer.close()
        return path.read_bytes()


def _gif(first: np.ndarray, rest: Iterator[np.ndarray], frames_per_second: float) -> bytes:
    # Palettes are chosen frame by frame: one for all would have to be known before the frames are.
    images = [Image.fromarray(frame).quantize(256) for frame in chain([first], rest)]
    durations = [round(1000 / frames_per_second)] * len(images)
    durations[-1] += round(1000 * _HOLD_LAST_SECONDS)
    buffer = io.BytesIO()
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
    )
    return buffer.getvalue()
