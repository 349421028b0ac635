"""What is sampled: the tempered posterior localised at given weights."""

import copy
import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad

from lambdascope.errors import LambdascopeError, shown
from lambdascope.posterior.footprint import bytes_per_sample
from lambdascope.posterior.guessing import guessing_loss
from lambdascope.posterior.objective import Loss, Objective
from lambdascope.posterior.parameters import ParameterLayout, check_values
from lambdascope.posterior.probe import (
    check_loss,
    check_unchanged,
    explained,
    untouched_randomness,
)
from lambdascope.posterior.restrictions import (
    ElementMask,
    OrthogonalToGradient,
    Parameters,
    Restriction,
    as_list,
)
from lambdascope.posterior.samples import SampleSet, sample_set
from lambdascope.posterior.scalars import check_representable, inverse_temperature, non_negative
from lambdascope.posterior.traits import tensor_digest
from lambdascope.threads import one_thread

# Samples evaluated at once where the whole data set is wanted, as far as they keep no more than
# this many bytes for a backward pass.
_EVALUATION_BATCH, _EVALUATION_BYTES = 8192, 1 << 30
# The types in which a step of size √ε on weights of order 1 is resolved.
_TYPES = (torch.float32, torch.float64)


class LocalPosterior:
    """The localised, tempered posterior around the weights w* that a model holds now.

        log p(w | w*) = −nβ·L_n(w) − (γ/2)·‖w − w*‖² − (nβ·wd/2)·‖w‖² + const

    (Lau et al. 2023, arXiv 2308.12108, Algorithm 1, with the weight decay as a further term.) The
    model is read once and never changed: w* and everything that stays put are copied.

    Args:
        model: Any module. Parameters with `requires_grad=False`, and buffers, stay put.
        data: `(inputs, targets)` where inputs is a tensor or a tuple of them, each [sample, ...];
            any nesting of tensors that `loss(model, batch)` understands; a data set with `__len__`
            and `__getitem__`; or None for a bare potential, a module whose call without arguments
            returns a scalar.
        loss: `loss(output, targets) -> [batch]`, or, if its first argument is called `model`,
            `loss(model, batch) -> [batch]`. Required with data.
        nbeta: nβ, inverse temperature times number of samples, in 1/loss. None: n_eff / log n_eff /
            temp_multiplier with n_eff = n · n_multiplier.
        localization: γ ≥ 0, strength of the pull to w*, in 1/parameter².
        weight_decay: wd ≥ 0, in loss/parameter²; part of the potential, not of the recorded loss.
        restriction: None, `Parameters`, `ElementMask`, `OrthogonalToGradient`, or a list of these.
        n_multiplier: Factor on n in the default nβ, dimensionless.
        temp_multiplier: Divisor of the default nβ, dimensionless.

    Attributes:
        w_star: [param], the sampled parameters at w*.
        layout: Their names and shapes.
        held: Tensors by name that stay put: frozen or unselected parameters, buffers.
        samples: The data.
        nbeta: nβ > 0, in 1/loss.
        initial_loss: L_n(w*), the mean loss over all data, accumulated in float64.
        mask: [param], boolean, or None where every element may move.
        normal: [param], the unit vector along ∇L_n(w*) that the chain may not move along, or None.

    Raises:
        LambdascopeError: for impossible settings, restrictions that leave no direction to move in,
            a random loss, a loss that is not one value a sample, NaN at w*, or a vanishing gradient
            with `OrthogonalToGradient`.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any,
        *,
        loss: Loss | None = None,
        nbeta: float | None = None,
        localization: float = 5.0,
        weight_decay: float = 0.0,
        restriction: Restriction | Sequence[Restriction] | None = None,
        n_multiplier: float = 1.0,
        temp_multiplier: float = 1.0,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise LambdascopeError(
                f"model is a {type(model).__name__}; a torch.nn.Module is accepted."
            )
        if not (loss is None or callable(loss)):
            raise LambdascopeError(
                f"loss={shown(loss)}: a callable such as lambdascope.cross_entropy is accepted."
            )
        self.samples: SampleSet = sample_set(data)
        if loss is None and data is not None:
            raise LambdascopeError(
                "loss=None with data given: a loss of each sample, such as loss=ls.cross_entropy "
                "or ls.gaussian_nll, is needed beside data; a module that returns its own "
                "potential takes data=None."
            )
        if loss is not None and data is None:
            raise LambdascopeError(
                f"loss={shown(loss)} with data=None: a loss needs data, and a bare potential "
                "(data=None) returns its own value, so it takes no loss."
            )
        self.localization = non_negative("localization", localization)
        self.weight_decay = non_negative("weight_decay", weight_decay)
        self.nbeta = inverse_temperature(
            self.samples.num_samples, nbeta, n_multiplier, temp_multiplier
        )
        self.restrictions = as_list(restriction)
        self._take_weights(model)
        for field in ("nbeta", "localization", "weight_decay"):
            check_representable(field, getattr(self, field), self.w_star.dtype)
        self.objective = Objective(model, loss, self.layout)
        self.mask = self._mask()
        with untouched_randomness(self.w_star):
            self._probe = check_loss(self.objective, self.w_star, self.held, self.samples)
            with explained():  # the probe saw the first samples only
                self.initial_loss = self.mean_loss(self.w_star)
                self.normal = self._normal()
        self._check_free()
        # Shared with the copies that `with_localization` makes.
        self._worked_out: dict[str, float] = {}

    # --- what the samplers' engine asks -----------------------------------------------------------

    def __repr__(self) -> str:
        count = self.samples.num_samples
        return (
            f"LocalPosterior({f'{count:,} samples' if count else 'no data'}, {self.num_free:,} of "
            f"{self.num_parameters:,} parameters free to move, nβ = {self.nbeta:.4g}, γ = "
            f"{self.localization:g}, loss at w* {self.initial_loss:.4g})"
        )

    @property
    def num_parameters(self) -> int:
        """Length of `w_star`."""
        return self.layout.size

    @property
    def num_free(self) -> int:
        """Dimension of the subspace that the restrictions leave."""
        elements = self.num_parameters if self.mask is None else int(self.mask.sum())
        return elements - (self.normal is not None)

    @functools.cached_property
    def bytes_per_sample(self) -> float:
        """What one more sample makes a backward pass keep, in bytes; there must be data."""
        return bytes_per_sample(self.objective, self.w_star, self.held, self.samples)

    def mean_loss(self, w: Tensor) -> float:
        """L_n(w), the mean loss over all data at sampled weights `w` [param].

        Raises:
            LambdascopeError: if it is NaN or infinite.
        """
        total = 0.0
        with torch.no_grad():
            for batch in self._batches():
                total += self.objective(w, self.held, batch).double().sum().item()
        mean = total / max(self.samples.num_samples, 1)
        if not math.isfinite(mean):
            raise LambdascopeError(
                f"the loss at the given weights is {mean}; weights with a finite loss are needed."
            )
        return mean

    def mean_gradient(self, w: Tensor) -> Tensor:
        """∇L_n(w) over all data with respect to the sampled parameters, [param]."""
        total = torch.zeros_like(w)
        # On several threads an embedding's gradient is added up in an order that changes from run
        # to run, and the chains' bits with it.
        with one_thread():
            for batch in self._batches():
                total += self._gradient_of_sum(w, batch)
        return total / max(self.samples.num_samples, 1)

    @functools.cached_property
    def slope_gradient(self) -> Tensor:
        """∇U(w*) [param] within the directions that may move, in 1/parameter; 0 at a minimum of U.

        U = nβ·L_n + (nβ·wd/2)·‖w‖², the potential without localisation, which is flat at w*.
        """
        with explained():
            gradient = self.mean_gradient(self.w_star) + self.weight_decay * self.w_star
        if self.mask is not None:
            gradient = gradient * self.mask
        if self.normal is not None:
            gradient = gradient - (gradient @ self.normal) * self.normal
        return self.nbeta * gradient

    @property
    def slope(self) -> float:
        """‖∇U(w*)‖, the length of `slope_gradient`."""
        return self.slope_gradient.norm().item()

    @property
    def guessing_loss(self) -> float:
        """Mean loss of the best single answer for every sample; NaN where it has none.

        `posterior.guessing` says which have one. In units of the loss.
        """
        if self.samples.num_samples == 0:
            return math.nan
        if "guessing_loss" not in self._worked_out:
            with untouched_randomness(self.w_star), explained():
                self._worked_out["guessing_loss"] = guessing_loss(
                    self.objective, self.w_star, self.held, self.samples, self._at_once
                )
        return self._worked_out["guessing_loss"]

    def with_localization(self, localization: float) -> "LocalPosterior":
        """The same posterior with another γ, in 1/parameter²; everything else is shared."""
        other = copy.copy(self)
        other.localization = non_negative("localization", localization)
        check_representable("localization", other.localization, self.w_star.dtype)
        return other

    def check_unchanged(self) -> None:
        """Refuse a loss that has become another one since the posterior was made.

        Raises:
            LambdascopeError: if it has other values at w*.
        """
        with untouched_randomness(self.w_star):
            check_unchanged(self.objective, self.w_star, self.held, self.samples, self._probe)

    def describe(self) -> dict[str, Any]:
        """Everything that tells this posterior apart, JSON-able; tensors enter by their hash."""
        return {
            "nbeta": self.nbeta,
            "localization": self.localization,
            "weight_decay": self.weight_decay,
            "restriction": [one.describe() for one in self.restrictions],
            "num_parameters": self.num_parameters,
            "num_samples": self.samples.num_samples,
            **self.objective.describe(),
            "initial_loss": self.initial_loss,
            "weights_sha256": tensor_digest([self.w_star, *self.held.values()]),
            "data_sha256": tensor_digest(self.samples.tensors),
            "mask_sha256": None if self.mask is None else tensor_digest([self.mask]),
        }

    # --- construction -----------------------------------------------------------------------------

    def _take_weights(self, model: nn.Module) -> None:
        trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
        if not trainable:
            raise LambdascopeError(
                "the model has no parameter with requires_grad=True; nothing could move."
            )
        check_values(model)
        chosen = list(trainable)
        for restriction in self.restrictions:
            if isinstance(restriction, Parameters):
                chosen = restriction.select(chosen)
        sampled = {name: trainable[name] for name in chosen}
        kinds = {tensor.dtype for tensor in sampled.values()}
        if len(kinds) > 1 or not kinds <= set(_TYPES):
            raise LambdascopeError(
                f"the sampled parameters are {', '.join(sorted(map(str, kinds)))}; float32 or "
                "float64, the same for all of them, is accepted (model.float() makes them float32)."
            )
        self.layout = ParameterLayout.of(sampled)
        self.w_star = self.layout.ravel(sampled)
        if not torch.isfinite(self.w_star).all():
            bad = [name for name, tensor in sampled.items() if not torch.isfinite(tensor).all()]
            raise LambdascopeError(
                f"parameters {', '.join(bad)} hold NaN or infinity; finite weights are needed."
            )
        everything = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        self.held = {n: t.detach().clone() for n, t in everything.items() if n not in sampled}

    def _mask(self) -> Tensor | None:
        for restriction in self.restrictions:
            if isinstance(restriction, ElementMask):
                return restriction.flat(self.layout).to(self.w_star.device)
        return None

    def _normal(self) -> Tensor | None:
        if not any(isinstance(one, OrthogonalToGradient) for one in self.restrictions):
            return None
        gradient = self.mean_gradient(self.w_star)
        if self.mask is not None:
            gradient = gradient * self.mask
        norm = gradient.norm().item()
        if self._is_rounding(gradient):
            raise LambdascopeError(
                f"OrthogonalToGradient needs a gradient at w*, and its norm is {norm:.3g}, zero to "
                "rounding: w* is an exact optimum, where no restriction is needed; leave it out."
            )
        return gradient / norm

    def _check_free(self) -> None:
        if self.num_free > 0:
            return
        if self.normal is None:
            raise LambdascopeError(
                "nothing can move: the sampled parameters have 0 elements; at least 1 is needed."
            )
        raise LambdascopeError(
            "nothing can move: 1 element is free, and OrthogonalToGradient takes its one "
            "direction; at least 2 free elements are needed with it."
        )

    def _is_rounding(self, gradient: Tensor) -> bool:
        """Whether the mean gradient at w*, [param], can't be told from zero.

        Each sample's gradient is rounded to a relative eps; and w* is known to a relative eps, so
        the gradient no better than it changes over such a step.
        """
        norm, eps = gradient.norm().item(), torch.finfo(self.w_star.dtype).eps
        signs = 1.0 - 2.0 * (torch.arange(self.num_parameters, device=self.w_star.device) % 2)
        neighbour = self.w_star * (1 + eps * signs.to(self.w_star))
        of_one = 0.0
        for index in range(min(3, self.samples.num_samples)):
            one = self.samples.batch([t[index : index + 1] for t in self.samples.tensors])
            here = self._gradient_of_sum(self.w_star, one)
            there = self._gradient_of_sum(neighbour, one)
            of_one = max(of_one, eps * here.norm().item() + (there - here).norm().item())
        if norm > 100 * of_one > 0:
            return False  # as nearly always; the rest would cost another pass over the data
        moved = self.mean_gradient(neighbour)
        if self.mask is not None:
            moved = moved * self.mask
        return not norm > 2 * (moved - gradient).norm().item() + of_one

    def _gradient_of_sum(self, w: Tensor, batch: Any) -> Tensor:
        """Gradient of the batch's summed loss, [param]; zero where the loss ignores `w`."""
        return grad(lambda point: self.objective(point, self.held, batch).sum())(w.detach())

    def _batches(self) -> Any:
        tensors, n = self.samples.tensors, self.samples.num_samples
        if not tensors:
            yield self.samples.batch()
            return
        for start in range(0, n, self._at_once):
            yield self.samples.batch([t[start : start + self._at_once] for t in tensors])

    @functools.cached_property
    def _at_once(self) -> int:
        """Samples that are evaluated at once."""
        fitting = int(_EVALUATION_BYTES / max(self.bytes_per_sample, 1.0))
        return max(1, min(_EVALUATION_BATCH, fitting))
