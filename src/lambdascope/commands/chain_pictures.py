"""What the chains around one checkpoint look like: tables, figures, a film."""

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.systems import LoadedRun
from lambdascope.errors import LambdascopeError
from lambdascope.estimates.pca import PrincipalComponents, principal_components
from lambdascope.modular_addition.modes import mode_coordinates, num_modes
from lambdascope.reporting.chains_figure import pca_figure, two_modes_figure
from lambdascope.reporting.film import Format, film_bytes
from lambdascope.reporting.mode_picture import MOST_PANELS, ModePicture, picture_limit
from lambdascope.reporting.modes_figure import magnitudes_figure
from lambdascope.reporting.style import png_bytes
from lambdascope.runs.files import atomic_write_bytes
from lambdascope.wording import number

_MOST_FRAMES = 120
# Named in the figure are the modes that stand out at w*: above so many medians, and from the two
# that a picture of two modes needs to as many as there are colours to tell apart.
_STANDS_OUT = 2.0
_FEWEST_NAMED, _MOST_NAMED = 2, 7


class ChainPictures:
    """The chains of one checkpoint: tables, figures, film.

    Args:
        loaded: The run.
        index: Number of the checkpoint.
        trace: Of its chains alone.
        config: As given to the command.
    """

    def __init__(
        self, loaded: LoadedRun, index: int, trace: xr.Dataset, config: ChainsConfig
    ) -> None:
        self.figures, self.p = loaded.directory.figures, loaded.config.p
        self.embed_dim = loaded.config.embed_dim
        self.step, self.config = loaded.steps[index], config
        self.trace = trace.isel(chain=_whole_chains(trace, self.step))
        points = self.trace["points"].values
        components = principal_components(points)
        self.explained = (float(components.explained[0]), float(components.explained[1]))
        self.points = self._points_table(index, components)
        self.modes = self._modes_table(index)

    def draw(self) -> list[Path]:
        """The figures of this checkpoint."""
        what = f"{len(self.trace.chain)} chains around step {self.step:,}"
        config = self.config
        held = (
            "held to the hyperplane across the gradient at w* · "
            if config.orthogonal_to_gradient
            else ""
        )
        note = (
            f"{config.num_chains} chains × {config.num_steps:,} SGLD steps, one point in "
            f"{config.thinning} · step size {config.step_size:g} · minibatch {config.batch_size} · "
            f"{held}γ = {config.localization:g} · nβ = {number(float(self.trace['nbeta']))}"
        )
        loss = f"loss: mean over the {config.thinning} minibatches from the point on"
        named = self._outstanding()
        first = self.modes[self.modes["chain"] == self.trace.chain.values[0]]
        drawn = {
            "pca": pca_figure(
                self.points,
                self.explained,
                title=f"Principal components of {what}",
                caption=f"{note} · {loss} · a random walk alone draws smooth arcs in its leading "
                "components",
            ),
            "modes": magnitudes_figure(
                first,
                named,
                column="magnitude",
                time_label="Sampling step",
                title=f"Fourier modes along a chain around step {self.step:,}",
                caption=f"the first chain; named: the {len(named)} largest at w* · {note}",
            ),
        }
        if len(named) > 1:
            drawn["two_modes"] = two_modes_figure(
                self._two_modes(named[0], named[1]),
                (named[0], named[1]),
                title=f"The two largest modes along {what}",
                caption=f"{note} · {loss}",
            )
        paths = []
        for name, figure in drawn.items():
            paths.append(self.figures / f"chains_{name}_step_{self.step:06d}.png")
            atomic_write_bytes(paths[-1], png_bytes(figure))
        return paths

    def film(self, kind: Format, *, progress: bool) -> Path:
        """The mode picture along the first chain."""
        embedding = self.trace["embedding"].isel(chain=0).values.astype(np.float32)
        draws = np.unique(np.linspace(0, len(embedding) - 1, _MOST_FRAMES).round().astype(int))
        rows = torch.from_numpy(embedding[draws]).unflatten(1, (-1, self.embed_dim))
        coordinates = mode_coordinates(rows[:, : self.p])[:, 1:].numpy()
        shown = sorted(self._largest(MOST_PANELS))
        frame, mode, token = np.indices(coordinates.shape[:3]).reshape(3, -1)
        cosine, sine = coordinates.reshape(-1, 2).T
        steps = self.trace["draw"].values[draws]
        positions = pd.DataFrame(
            {"step": steps[frame], "mode": mode + 1, "token": token, "cosine": cosine, "sine": sine}
        )
        positions = positions[positions["mode"].isin(shown)]
        picture = ModePicture(
            shown,
            self._largest(2),
            p=self.p,
            limit=picture_limit(positions),
            caption="the modes largest at w*, bold: the two largest · each point a token t, "
            "projected onto the plane of the mode's cosine and sine vectors · the first chain",
        )
        magnitudes = self.modes[self.modes["chain"] == self.trace.chain.values[0]]
        frames = (
            picture.show(
                positions[positions["step"] == step],
                magnitudes[magnitudes["step"] == step].set_index("mode")["magnitude"],
                f"Tokens along a chain around step {self.step:,}: sampling step {step:,}",
            )
            for step in steps
        )
        path = self.figures / f"chains_film_step_{self.step:06d}.{kind}"
        film = film_bytes(
            frames, kind, num_frames=len(steps), frames_per_second=12, progress=progress
        )
        atomic_write_bytes(path, film)
        return path

    def _points_table(self, index: int, components: PrincipalComponents) -> pd.DataFrame:
        chain, draw = np.indices(components.coordinates.shape[:2]).reshape(2, -1)
        columns = {
            "checkpoint": index,
            "training_step": self.step,
            "chain": self.trace.chain.values[chain],
            "step": self.trace["draw"].values[draw],
            "loss": _loss_from(self.trace, self.config.thinning).ravel(),
            "distance": self.trace["distance"].values.ravel().astype(float),
            "pc1": components.coordinates[..., 0].ravel(),
            "pc2": components.coordinates[..., 1].ravel(),
            "explained1": self.explained[0],
            "explained2": self.explained[1],
        }
        return pd.DataFrame(columns)

    def _modes_table(self, index: int) -> pd.DataFrame:
        magnitudes = self.trace["modes"].values
        chain, draw, mode = np.indices(magnitudes.shape).reshape(3, -1)
        return pd.DataFrame(
            {
                "checkpoint": index,
                "training_step": self.step,
                "chain": self.trace.chain.values[chain],
                "step": self.trace["draw"].values[draw],
                "mode": mode + 1,
                "magnitude": magnitudes.ravel().astype(float),
            }
        )

    def _largest(self, count: int) -> list[int]:
        """Modes with the largest magnitudes at w*, largest first."""
        start = self._at_start()
        return start.nlargest(min(count, num_modes(self.p)), "magnitude")["mode"].tolist()

    def _outstanding(self) -> list[int]:
        """Modes whose magnitudes at w* stand out from most, largest first."""
        magnitude = self._at_start()["magnitude"]
        count = int((magnitude > _STANDS_OUT * magnitude.median()).sum())
        return self._largest(min(max(count, _FEWEST_NAMED), _MOST_NAMED))

    def _at_start(self) -> pd.DataFrame:
        """One row a mode, at w*, where all chains begin."""
        return self.modes[self.modes["step"] == 0].drop_duplicates("mode")

    def _two_modes(self, first: int, second: int) -> pd.DataFrame:
        wide = self.modes.pivot(index=["chain", "step"], columns="mode", values="magnitude")
        both = wide[[first, second]].rename(columns={first: "first", second: "second"})
        return self.points[["chain", "step", "loss"]].merge(both.reset_index())


def _whole_chains(trace: xr.Dataset, step: int) -> list[int]:
    """Positions of the chains that did not diverge."""
    finite = np.isfinite(trace["points"].values).all(axis=(1, 2))
    if not finite.any():
        raise LambdascopeError(
            f"every chain around step {step:,} diverged (or left the range of float16): a smaller "
            "step_size, a larger localization, or precision float32 is accepted"
        )
    if not finite.all():
        warnings.warn(
            f"{int((~finite).sum())} of {len(finite)} chains around step {step:,} diverged, and "
            "are left out",
            stacklevel=2,
        )
    return np.flatnonzero(finite).tolist()


def _loss_from(trace: xr.Dataset, thinning: int) -> np.ndarray:
    """Mean loss over the steps from each draw to the next, [chain, draw]."""
    loss = trace["loss"].values.astype(float)
    draws = math.ceil(loss.shape[1] / thinning)
    padded = np.full((len(loss), draws * thinning), np.nan)
    padded[:, : loss.shape[1]] = loss
    return np.nanmean(padded.reshape(len(loss), draws, thinning), axis=2)
