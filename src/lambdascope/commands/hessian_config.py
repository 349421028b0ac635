"""The settings of `lambdascope hessian`."""

from typing import Literal

from pydantic import Field, field_validator

from lambdascope.commands.indices import read_indices, read_patterns
from lambdascope.config import Config

DEFAULT_LOCALIZATION = 5.0
"""γ where neither the command nor a λ̂ that stands says another, in 1/parameter²."""


class HessianConfig(Config):
    """Which part of the Hessian's spectrum is computed, and where.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    checkpoints: tuple[int, ...] | None = None
    """Which checkpoints, counted from 0 (default: the last one)."""

    top: int = Field(default=200, ge=1)
    """Largest eigenvalues, at most one a parameter; asked for as many as there are parameters, or
    where there are no more than 600, the matrix itself is formed and all are exact (count)."""

    bottom: int = Field(default=5, ge=0)
    """Smallest eigenvalues, the most negative first; each costs many times what a large one does
    (count)."""

    parameters: tuple[str, ...] | None = None
    """Name patterns of the parameters that the matrix covers, such as 'embedding*' (default: all
    that were trained)."""

    weight_decay: bool = False
    """Add (wd/2)‖w‖² to the loss with the run's own weight decay wd, as Adam had it: every
    eigenvalue rises by wd."""

    num_probes: int = Field(default=8, ge=2)
    """Random starts for the density and the trace; their spread is the standard error (count)."""

    num_lanczos_steps: int = Field(default=40, ge=2)
    """Products from each random start; twice as many resolve the density twice as finely
    (count)."""

    localization: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """γ in the effective dimension ½ Σ λ_i/(λ_i + γ/nβ) (1/parameter units squared) (default: that
    of λ̂ in llc.csv, 5 where there is none)."""

    nbeta: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """nβ in the effective dimension (1/loss) (default: that of λ̂ in llc.csv, n / log n where there
    is none, n the training pairs)."""

    seed: int = Field(default=0, ge=0)
    """Seed of the random starts."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a CUDA device if there is one."""

    _read_checkpoints = field_validator("checkpoints", mode="before")(read_indices)
    _read_parameters = field_validator("parameters", mode="before")(read_patterns)
