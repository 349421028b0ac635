"""The contract between a sampler and the engine that runs it.

A kernel moves many chains at once and sees nothing but flat weights, a target and random numbers:

    init(w)                     → state     a dict of tensors [chain, ...], "w" among them
    step(state, target, noise)  → state, info

It keeps no state of its own and draws no random numbers of its own; so it may be compiled, cut
into chunks and resumed. Everything it needs to know of a system is in `Target`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pydantic import Field, field_validator
from torch import Tensor

from lambdascope.config import Config

State = dict[str, Tensor]
Info = dict[str, Tensor]

# Draws of a minibatch are numbered in 32 bits.
_LARGEST_BATCH = 2**31 - 1


@dataclass(frozen=True)
class Evaluation:
    """Loss and gradients of each chain, on this step's minibatch.

    Attributes:
        loss: [chain], mean loss of the minibatch, in units of loss; free of weight decay.
        loss_gradient: [chain, param], its gradient.
        potential_gradient: [chain, param], ∇U with U = nβ·(L + wd/2·‖w‖²) + γ/2·‖w − w*‖².
    """

    loss: Tensor
    loss_gradient: Tensor
    potential_gradient: Tensor


class Target(Protocol):
    """The posterior as a kernel sees it.

    Attributes:
        w_star: [chain, param].
        num_free: [chain].
    """

    @property
    def w_star(self) -> Tensor:
        """The point that each chain is localised at, [chain, param]."""
        ...

    @property
    def num_free(self) -> Tensor:
        """Dimension of the subspace that `restrict` projects on, [chain]."""
        ...

    @property
    def step_factor(self) -> Tensor | None:
        """Each chain's factor on the kernel's step size, [chain, 1]; None where all are 1."""
        ...

    def evaluate(self, w: Tensor) -> Evaluation:
        """Loss and gradients at `w` [chain, param]; not yet restricted."""
        ...

    def potential(self, w: Tensor, loss: Tensor) -> Tensor:
        """U [chain], float64, at `w` [chain, param], where the mean loss is `loss` [chain]."""
        ...

    def restrict(self, displacement: Tensor) -> Tensor:
        """The part of a displacement (or velocity, or force) [chain, param] that may happen."""
        ...


class Noise(Protocol):
    """The random numbers of one step; different `purpose`s are independent."""

    def normal(self, size: int, purpose: int = 0) -> Tensor:
        """Standard normals [chain, size]."""
        ...

    def uniform(self, size: int, purpose: int = 0) -> Tensor:
        """Uniforms on (0, 1), [chain, size]."""
        ...


class Kernel(Config, ABC):
    """A Markov transition over many chains, with its settings.

    Attributes:
        info_names: What `step` reports of each chain besides the state, each [chain].
        takes_step_factors: Whether `step` heeds `Target.step_factor`.
    """

    info_names: ClassVar[tuple[str, ...]] = ("loss",)
    takes_step_factors: ClassVar[bool] = False

    batch_size: int | None = Field(default=None, ge=1, le=_LARGEST_BATCH)
    """Samples in a minibatch, drawn with replacement, so it may exceed the data; None: all data,
    exactly."""

    microbatch_size: int | None = Field(default=None, ge=1, le=_LARGEST_BATCH)
    """Samples whose gradient is taken at once; a minibatch, or all data, is then gone through in
    parts, for less memory and the same numbers to rounding. Each part is a piece of the compiled
    step: tens of them take tens of seconds to compile, hundreds are better run with
    `compile=False`. None: all at once."""

    bounding_box: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Each element stays within this distance of w*, in parameter units, by reflection; None: no
    bound. The posterior is then the one cut off at the box; docs/conventions.md says what becomes
    of each sampler's accuracy."""

    start_jitter: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Chains start at w* plus Gaussian noise of this standard deviation in each free direction, in
    parameter units; None: at w* itself."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_text(cls, value: Any) -> Any:
        """Refuse what pydantic would read as a number, and nobody means as one."""
        if isinstance(value, str | bytes):
            raise ValueError("input should be a number, not a text")
        return value

    @property
    def num_warmup_steps(self) -> int:
        """Steps in which the sampler still adapts; nothing is estimated from them."""
        return 0

    @abstractmethod
    def init(self, w: Tensor) -> State:
        """The state of chains that start at `w` [chain, param]."""

    @abstractmethod
    def step(self, state: State, target: Target, noise: Noise) -> tuple[State, Info]:
        """One transition of every chain.

        The reported loss is the one at the weights that the step starts from, on the minibatch
        that the step uses.
        """


def scaled(step_size: float, target: Target) -> float | Tensor:
    """The step size of each chain: [chain, 1], or one number where all have the same."""
    return step_size if target.step_factor is None else step_size * target.step_factor
