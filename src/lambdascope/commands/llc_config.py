"""The settings of `lambdascope llc`."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from lambdascope.commands.indices import read_indices, read_patterns
from lambdascope.config import Config
from lambdascope.errors import LambdascopeError


class LLCConfig(Config):
    """How λ̂ of a run's checkpoints is sampled and averaged.

    The target density is exp(−nβ·L(w) − (γ/2)‖w − w*‖² − (nβ·wd/2)‖w‖²) around each checkpoint's
    weights w*; docs/conventions.md fixes every sign and scale.

    Raises:
        LambdascopeError: A setting is unknown, impossible, or contradicts another.
    """

    checkpoints: tuple[int, ...] | None = None
    """Which checkpoints, counted from 0 (default: all of them)."""

    num_chains: int | None = Field(default=None, ge=1)
    """Independent chains for each checkpoint (count). Giving this or another setting of the plain
    estimator (steps, step size, batch size, burn-in) switches the automatic choice off; those not
    given are then 4 chains, 3000 steps, 1e-3, 64 and 0.25."""

    num_steps: int | None = Field(default=None, ge=4)
    """Steps of each chain, burn-in included (count) (default: chosen)."""

    step_size: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """SGLD step ε in w ← w − (ε/2)∇U + √ε·ξ (parameter units squared) (default: chosen)."""

    batch_size: int | None = Field(default=None, ge=1)
    """Samples in each minibatch, drawn with replacement (samples) (default: chosen)."""

    target_error: float = Field(default=0.02, gt=0, allow_inf_nan=False)
    """Standard error wanted of the automatic estimate, relative to λ̂ (fraction); 0.05 absolute is
    always good enough."""

    max_steps: int = Field(default=6000, ge=300)
    """Most steps of a chain of the automatic estimate (count)."""

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

    logit_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Factor κ on the logits before the softmax, in the potential and in λ̂ (dimensionless)."""

    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Coefficient wd of (nβ·wd/2)‖w‖² in the potential; recorded losses are free of it
    (loss/parameter units squared)."""

    burnin: float | None = Field(default=None, ge=0, lt=1, allow_inf_nan=False)
    """Part of each chain left out of the mean (fraction) (default: chosen on the trace)."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of all random streams; a chain's own stream follows from it, the checkpoint and the
    chain's number."""

    check_step: bool = False
    """With sampler settings: also ask, at each checkpoint, how often a Metropolis test would accept
    the step, and how much noise minibatches add to it."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to sample; auto takes a CUDA device if there is one."""

    _read_checkpoints = field_validator("checkpoints", mode="before")(read_indices)
    _read_parameters = field_validator("parameters", mode="before")(read_patterns)

    @model_validator(mode="after")
    def _leaves_steps_to_average(self) -> Self:
        plain = self.plain()
        kept = plain.num_steps - int(plain.burnin * plain.num_steps)
        if kept < 4:
            raise ValueError(
                f"burnin={plain.burnin!r} leaves {kept} of {plain.num_steps} steps; "
                "a burn-in that leaves at least 4 is accepted"
            )
        return self

    @model_validator(mode="after")
    def _checks_a_given_step(self) -> Self:
        if self.check_step and self.is_automatic:
            raise ValueError(
                "check_step=True without a setting of the sampler; it asks about a step size that "
                "is given, such as step_size=0.001"
            )
        return self

    @model_validator(mode="after")
    def _budget_of_the_automatic_estimate(self) -> Self:
        fields = type(self).model_fields
        self.check_given(n for n in AUTOMATIC_ONLY if getattr(self, n) != fields[n].default)
        return self

    def check_given(self, names: Iterable[str]) -> None:
        """Refuse what has no effect, where it was given by name, even with the value it has anyway.

        Args:
            names: Of the settings that were given.

        Raises:
            LambdascopeError: the budget of the automatic estimate beside a setting of the sampler.
        """
        given = [name for name in names if name in AUTOMATIC_ONLY]
        if given and not self.is_automatic:
            plain = [name for name in _PLAIN if getattr(self, name) is not None]
            raise LambdascopeError(
                f"{given[0]}={getattr(self, given[0])!r} beside {', '.join(plain)}: it belongs to "
                "the automatic estimate, which a setting of the sampler switches off; give one or "
                "the other"
            )

    @property
    def is_automatic(self) -> bool:
        """Whether no setting of the plain estimator was given."""
        return all(getattr(self, name) is None for name in _PLAIN)

    def plain(self) -> "PlainSettings":
        """The plain estimator's settings, those given and the defaults of the others."""
        given = {name: getattr(self, name) for name in _PLAIN if getattr(self, name) is not None}
        return PlainSettings(**{**_PLAIN, **given})


class PlainSettings(NamedTuple):
    """Of SGLD with fixed settings; units as in `LLCConfig`."""

    num_chains: int
    num_steps: int
    step_size: float
    batch_size: int
    burnin: float


AUTOMATIC_ONLY = ("target_error", "max_steps")
"""Settings of the automatic estimate alone."""
_PLAIN: dict[str, Any] = {
    "num_chains": 4, "num_steps": 3000, "step_size": 1e-3, "batch_size": 64, "burnin": 0.25,
}  # fmt: skip
