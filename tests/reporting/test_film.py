"""Films, read back frame by frame."""

import subprocess
import tempfile

import numpy as np
import pytest
from PIL import Image

from lambdascope.errors import LambdascopeError
from lambdascope.reporting import film, style
from lambdascope.reporting.film import film_bytes

COLOURS = ["#ff0000", "#00ff00", "#0000ff"]


def frames(size=(1.0, 1.01)):
    """One figure that changes its colour; 101 pixels high, which is odd."""
    figure = style.new_figure(*size)
    for colour in COLOURS:
        figure.set_facecolor(colour)
        yield figure


def test_a_gif_holds_the_frames_and_holds_the_last(tmp_path):
    path = tmp_path / "film.gif"
    path.write_bytes(film_bytes(frames(), "gif", num_frames=3, frames_per_second=5, progress=False))
    durations = []
    with Image.open(path) as gif:
        assert gif.n_frames == 3
        for index, colour in enumerate(COLOURS):
            gif.seek(index)
            pixels = np.asarray(gif.convert("RGB"))
            assert pixels.shape == (100, 100, 3)
            expected = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert np.abs(pixels - np.array(expected)).max() < 16
            durations.append(gif.info["duration"])
    assert durations == [200, 200, 1700]


def test_an_mp4_holds_the_frames_and_leaves_nothing_behind(tmp_path, monkeypatch):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    data = film_bytes(frames(), "mp4", num_frames=3, frames_per_second=2, progress=False)
    assert list(temporary.iterdir()) == []
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    command = [ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    seen = np.frombuffer(raw, np.uint8).reshape(-1, 100, 100, 3)
    # Three frames, and the last again for a second and a half.
    assert len(seen) == 6
    for pixels, channel in zip(seen, [0, 1, 2, 2, 2, 2], strict=True):
        assert pixels.mean((0, 1)).argmax() == channel


def test_an_interrupted_film_leaves_nothing_behind(tmp_path, monkeypatch):
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def stopped():
        yield from list(frames())[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film_bytes(stopped(), "mp4", num_frames=3, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_film_of_nothing_is_refused():
    with pytest.raises(LambdascopeError, match="a film of no frames"):
        film_bytes(iter(()), "gif", num_frames=0, progress=False)


def test_a_missing_encoder_is_named(monkeypatch):
    monkeypatch.setattr(film.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LambdascopeError, match="its encoder is not installed"):
        film_bytes(frames(), "mp4", num_frames=3, progress=False)
    film_bytes(frames(), "gif", num_frames=3, progress=False)
