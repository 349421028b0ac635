"""The settings of `lambdascope llc`."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lambdascope.commands.indices import parse_indices
from lambdascope.config import Config


class LLCConfig(Config):
    """How λ̂ of a run's checkpoints is sampled and averaged.

    The target density is exp(−nβ·L(w) − (γ/2)‖w − w*‖² − (nβ·wd/2)‖w‖²) around each checkpoint's
    weights w*; docs/conventions.md fixes every sign and scale.

    Raises:
        LambdascopeError: A setting is unknown, impossible, or contradicts another.
    """

    checkpoints: tuple[int, ...] | None = None
    """Which checkpoints, counted from 0 (default: all of them)."""

    num_chains: int = Field(default=4, ge=1)
    """Independent chains for each checkpoint (count)."""

    num_steps: int = Field(default=3000, ge=4)
    """Steps of each chain, burn-in included (count)."""

    step_size: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    """SGLD step ε in w ← w − (ε/2)∇U + √ε·ξ (parameter units squared)."""

    batch_size: int = Field(default=64, ge=1)
    """Samples in each minibatch, drawn with replacement (samples)."""

    localization: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    """Strength γ of the pull towards w* (1/parameter units squared)."""

    orthogonal_to_gradient: bool = False
    """Stay on the hyperplane through w* orthogonal to the loss gradient there, for checkpoints that
    training has not settled."""

    parameters: tuple[str, ...] | None = None
    """Name patterns of the parameters that move, such as 'embedding*'; the rest stay at w*
    (default: all of them move)."""

    nbeta: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Inverse temperature times sample count, nβ (1/loss) (default: n / log n, n the training
    pairs)."""

    n_multiplier: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Factor on n before the default nβ is formed (dimensionless)."""

    temp_multiplier: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Factor on the temperature: the default nβ is divided by it (dimensionless)."""

    logit_scaling: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Factor on the logits before the softmax, in the potential and in λ̂ (dimensionless)."""

    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Coefficient wd of (nβ·wd/2)‖w‖² in the potential; recorded losses are free of it
    (loss/parameter units squared)."""

    burnin: float = Field(default=0.25, ge=0, lt=1, allow_inf_nan=False)
    """Part of each chain left out of the mean (fraction)."""

    seed: int = Field(default=0, ge=0)
    """Seed of all random streams; a chain's own stream follows from it, the checkpoint and the
    chain's number."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to sample; auto takes a CUDA device if there is one."""

    @field_validator("checkpoints", mode="before")
    @classmethod
    def _read_checkpoints(cls, value: Any) -> Any:
        return parse_indices(value) if isinstance(value, str) else value

    @field_validator("parameters", mode="before")
    @classmethod
    def _read_patterns(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        patterns = tuple(pattern.strip() for pattern in value.split(","))
        if not all(patterns):
            raise ValueError("name patterns separated by commas are accepted")
        return patterns

    @model_validator(mode="after")
    def _leaves_steps_to_average(self) -> Self:
        kept = self.num_steps - int(self.burnin * self.num_steps)
        if kept < 4:
            raise ValueError(
                f"burnin={self.burnin!r} leaves {kept} of {self.num_steps} steps; "
                "a burn-in that leaves at least 4 is accepted"
            )
        return self
