"""A system whose answer is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.restrictions import ElementMask, as_list
from lambdascope.theory import LearningCoefficient


@dataclass(frozen=True)
class Toy:
    """A module at its true weights w*, its data and loss, and what λ̂ should be.

    Attributes:
        name: What it is, in a few words.
        module: Holds w*.
        data: (inputs, targets), or None for a bare potential.
        loss: Per-sample loss, or None for a bare potential.
        exact: λ around w*, or None where it is not known.
        model: λ of the model as a whole, the smallest over all its true weights, where it is known
            and another number than `exact` may be.
        finite_n: From (nβ, γ) to the exact λ̂ = nβ(E[L] − L(w*)) under the localised posterior, or
            None where only the limit is known.
        mask: The elements that are parameters, where not all are.
    """

    name: str
    module: nn.Module
    data: tuple[Any, Any] | None
    loss: Callable[..., Any] | None
    exact: LearningCoefficient | None
    model: LearningCoefficient | None = None
    finite_n: Callable[[float, float], float] | None = None
    mask: ElementMask | None = None

    def posterior(self, **settings: Any) -> LocalPosterior:
        """The localised posterior around w*.

        Args:
            **settings: Of `LocalPosterior`, such as `nbeta` and `localization`.

        Raises:
            LambdascopeError: for impossible settings.
        """
        if self.mask is not None:
            settings["restriction"] = [self.mask, *as_list(settings.get("restriction"))]
        return LocalPosterior(self.module, self.data, loss=self.loss, **settings)

    def localized_llc(self, posterior: LocalPosterior) -> float | None:
        """The exact λ̂ at the temperature and localisation of `posterior`, where it is known.

        It holds for the whole posterior without weight decay: all parameters free to move.
        """
        if self.finite_n is None or posterior.restrictions or posterior.weight_decay:
            return None
        return self.finite_n(posterior.nbeta, posterior.localization)
