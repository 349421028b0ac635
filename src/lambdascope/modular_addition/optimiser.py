"""Adam over the weights of many runs at once, each with its own learning rate and weight decay."""

from typing import Literal

import torch
from torch import Tensor

EPSILON = 1e-8


class StackedAdam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980) on one flat vector, weight by weight.

    With g the gradient, t = 1, 2 … the count of updates, and wd the weight decay::

        adam:   g ← g + wd·w                          adamw:  w ← w − lr·wd·w  (arXiv 1711.05101)
        m ← β₁m + (1 − β₁)g,   v ← β₂v + (1 − β₂)g²
        w ← w − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    the same as `torch.optim.Adam` and `AdamW` with ε = 1e-8, their default.

    Attributes:
        weights: [weight], updated in place.
        first_moment: [weight], m.
        second_moment: [weight], v.

    Args:
        weights: [weight].
        learning_rate: [weight], or anything that broadcasts to it.
        weight_decay: likewise.
        kind: where the weight decay acts.
        betas: β₁ and β₂, each from 0 to below 1.
    """

    def __init__(
        self,
        weights: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        kind: Literal["adam", "adamw"],
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.weights = weights
        self.first_moment = torch.zeros_like(weights)
        self.second_moment = torch.zeros_like(weights)
        self._learning_rate = learning_rate
        self._weight_decay = weight_decay
        self._betas = betas
        self._shrinkage = 1 - learning_rate * weight_decay
        self._coupled = kind == "adam"
        self._scratch = torch.empty_like(weights)

    @torch.no_grad()
    def update(
        self, gradient: Tensor, count: int, *, decay: bool = True, warmth: float = 1.0
    ) -> None:
        """Take one step.

        Args:
            gradient: [weight], of the loss alone; overwritten.
            count: t, the number of updates including this one.
            decay: False leaves the weight decay out of this step.
            warmth: factor on the learning rate in this step.
        """
        beta1, beta2 = self._betas
        weights, m, v, scratch = self.weights, self.first_moment, self.second_moment, self._scratch
        if decay and self._coupled:
            gradient.addcmul_(self._weight_decay, weights)
        elif decay and warmth == 1.0:
            weights.mul_(self._shrinkage)
        elif decay:
            weights.mul_(1 - warmth * self._learning_rate * self._weight_decay)
        m.lerp_(gradient, 1 - beta1)
        v.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        # Both bias corrections are taken out of the fraction, which saves two passes over it.
        root = (1 - beta2**count) ** 0.5
        torch.sqrt(v, out=scratch).add_(EPSILON * root)
        torch.div(m, scratch, out=scratch)
        weights.addcmul_(scratch, self._learning_rate, value=-warmth * root / (1 - beta1**count))
