"""The settings of `lambdascope chains`."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from lambdascope.commands.indices import read_indices, read_patterns
from lambdascope.config import Config


class ChainsConfig(Config):
    """How chains are sampled, and what is kept of their points.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    checkpoints: tuple[int, ...] | None = None
    """Around which checkpoints, counted from 0 (default: the last)."""

    num_chains: int = Field(default=4, ge=1)
    """Independent chains for each checkpoint (count)."""

    num_steps: int = Field(default=3000, ge=4)
    """Steps of each chain (count)."""

    step_size: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    """SGLD step ε in w ← w − (ε/2)∇U + √ε·ξ (parameter units squared)."""

    batch_size: int = Field(default=64, ge=1)
    """Samples in each minibatch, drawn with replacement (samples)."""

    localization: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    """Strength γ of the pull towards w* (1/parameter units squared)."""

    nbeta: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Inverse temperature times sample count, nβ (1/loss) (default: n / log n, n the training
    pairs)."""

    orthogonal_to_gradient: bool = False
    """Stay on the hyperplane through w* orthogonal to the loss gradient there."""

    thinning: int = Field(default=10, ge=1)
    """Steps between two points that are kept (count)."""

    point_parameters: tuple[str, ...] | None = None
    """Name patterns of the parameters that points are made of, such as 'embedding*' (default: all
    of them)."""

    precision: Literal["float16", "float32"] = "float16"
    """How points are kept: float16 to a relative 5e-4, in half the room."""

    max_megabytes: float = Field(default=500.0, gt=0, allow_inf_nan=False)
    """Refuse to begin if the records would take more on disk (10⁶ bytes)."""

    film: Literal["mp4", "gif"] | None = None
    """Make a film of the mode picture along the first chain; mp4 needs the extra
    lambdascope[film]."""

    seed: int = Field(default=0, ge=0)
    """Seed of all random streams; a chain's own stream follows from it, the checkpoint and the
    chain's number."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to sample; auto takes a CUDA device if there is one."""

    @model_validator(mode="after")
    def _leaves_points(self) -> Self:
        points = -(-self.num_steps // self.thinning)
        if points < 3:
            raise ValueError(
                f"thinning={self.thinning} leaves {points} of {self.num_steps} points; at least 3 "
                "are accepted"
            )
        return self

    _read_checkpoints = field_validator("checkpoints", mode="before")(read_indices)
    _read_point_parameters = field_validator("point_parameters", mode="before")(read_patterns)
