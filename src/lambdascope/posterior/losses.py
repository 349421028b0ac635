"""Losses per sample, ready for `LocalPosterior`.

Any callable `loss(output, targets) -> [batch]` serves as well. These two are written so that the
compiled gradient is cheap, and they can check the targets before a chain starts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.scalars import positive


@dataclass(frozen=True)
class CrossEntropy:
    """Negative log-likelihood of a classifier: −log softmax(`logit_scale` · logits)[target].

    The same value as `torch.nn.functional.cross_entropy(..., reduction="none")`, written with a
    single exponential whose result the gradient reuses: that alone makes a compiled SGLD step of a
    small classifier about a fifth faster on a CPU (docs/performance.md).

    Attributes:
        logit_scale: Factor on the logits before the softmax, dimensionless and positive; 1 is the
            ordinary cross-entropy.
    """

    logit_scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "logit_scale", positive("logit_scale", self.logit_scale))

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each sample, in nats.

        Args:
            logits: [batch, class].
            targets: [batch], integer classes 0 … class − 1.

        Returns:
            [batch].
        """
        scaled = logits * self.logit_scale if self.logit_scale != 1.0 else logits
        # The shift is a constant to the gradient: it cancels in the loss, so none flows through it.
        shift = scaled.detach().amax(dim=1, keepdim=True)
        log_normaliser = (scaled - shift).exp().sum(dim=1).log()
        # Shifted before the subtraction: the loss of a sure answer would drown in the shift.
        return log_normaliser - (scaled.gather(1, targets.long()[:, None]) - shift)[:, 0]

    def check(self, logits: Tensor, targets: Tensor) -> None:
        """Refuse targets that are not classes of these logits.

        Raises:
            LambdascopeError: if the shapes or the range of the targets do not fit.
        """
        if logits.ndim != 2 or targets.shape != logits.shape[:1]:
            raise LambdascopeError(
                f"cross_entropy got logits of shape {list(logits.shape)} and targets of shape "
                f"{list(targets.shape)}; it accepts [batch, class] and [batch]."
            )
        if targets.dtype not in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8):
            raise LambdascopeError(
                f"targets are {targets.dtype}; cross_entropy accepts integer classes."
            )
        lowest, highest, classes = int(targets.min()), int(targets.max()), logits.shape[1]
        if lowest < 0 or highest >= classes:
            raise LambdascopeError(
                f"targets lie between {lowest} and {highest}; the model has {classes} outputs, so "
                f"targets 0 … {classes - 1} are accepted."
            )


cross_entropy = CrossEntropy()


@dataclass(frozen=True)
class GaussianNLL:
    """Negative log-likelihood of a regression: Σ_outputs (output − target)² / (2 σ²).

    The constant log σ√(2π) is left out: it changes neither the posterior nor λ̂.

    Attributes:
        noise_std: σ, the standard deviation of the observation noise, in units of the targets.
    """

    noise_std: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise_std", positive("noise_std", self.noise_std))

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each sample.

        Args:
            outputs: [batch, …].
            targets: the same shape.

        Returns:
            [batch].
        """
        squares = (outputs - targets).square() / (2 * self.noise_std**2)
        return squares.flatten(1).sum(dim=1) if squares.ndim > 1 else squares

    def check(self, outputs: Tensor, targets: Tensor) -> None:
        """Refuse targets whose shape differs from the outputs' (they would be broadcast).

        Raises:
            LambdascopeError: if the shapes differ.
        """
        if outputs.shape != targets.shape:
            hint = ""
            if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1:
                hint = " (targets[:, None] has one output a sample)"
            raise LambdascopeError(
                f"targets have shape {list(targets.shape)}; the model's outputs have "
                f"{list(outputs.shape)}, and only the same shape is accepted{hint}."
            )


gaussian_nll = GaussianNLL()
