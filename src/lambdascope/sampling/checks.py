"""What `sample` refuses before anything runs, in a sentence each."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers.base import Kernel

# A trace's own names, which no observable may take.
_TAKEN = frozenset(
    [
        "checkpoint",
        "chain",
        "step",
        "draw",
        "distance",
        "weight_norm",
        "initial_loss",
        "nbeta",
        "localization",
        "num_samples",
        "num_free",
        "step_factor",
    ]
)
_NAME = re.compile(r"(?!__)\w[\w .:+-]*")
_LARGEST_LABEL = 2**63 - 1


def whole_number(field: str, value: Any, fewest: int | None = None) -> int:
    """`value` as an int.

    Raises:
        LambdascopeError: if it is no integer, or less than `fewest`.
    """
    accepted = "an integer" if fewest is None else f"an integer ≥ {fewest}"
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or (fewest is not None and number < fewest):
        raise LambdascopeError(f"{field}={value!r}: {accepted} is accepted.")
    return number


def check_posteriors(posteriors: Any) -> list[LocalPosterior]:
    """One posterior, or several, as a list.

    Raises:
        LambdascopeError: if there is none, or something else among them.
    """
    if isinstance(posteriors, LocalPosterior):
        return [posteriors]
    many = list(posteriors) if isinstance(posteriors, Sequence) else [posteriors]
    if not many:
        raise LambdascopeError("posteriors is empty; one LocalPosterior or more is accepted.")
    for given in many:
        if not isinstance(given, LocalPosterior):
            raise LambdascopeError(
                f"posteriors holds a {type(given).__name__}; LocalPosterior objects are accepted."
            )
    return many


def check_kernel(kernel: Any) -> None:
    """Refuse what is no sampler.

    Raises:
        LambdascopeError: for a class instead of an object, or anything else.
    """
    if not isinstance(kernel, Kernel):
        raise LambdascopeError(f"kernel={kernel!r}: a sampler such as SGLD(...) is accepted.")


def check_box(kernel: Kernel, posteriors: Sequence[LocalPosterior]) -> None:
    """Refuse a box whose walls would throw chains out of a hyperplane.

    Raises:
        LambdascopeError: for a bounding box with `OrthogonalToGradient`.
    """
    if kernel.bounding_box is not None and any(p.normal is not None for p in posteriors):
        raise LambdascopeError(
            f"bounding_box={kernel.bounding_box!r} with OrthogonalToGradient: reflecting single "
            "elements leaves the hyperplane; one of the two is accepted (localization also keeps "
            "chains near w*)."
        )


def check_step_factors(
    factors: Any, kernel: Kernel, num_posteriors: int, num_chains: int
) -> list[list[float]] | None:
    """Factors on the step size, [posterior, chain], or None where none are given.

    Raises:
        LambdascopeError: for another shape, a factor that is no positive number, or a sampler that
            has no such factors.
    """
    if factors is None:
        return None
    if not kernel.takes_step_factors:
        raise LambdascopeError(
            f"step_factors with {type(kernel).__name__}: SGLD and BAOAB accept them."
        )
    array = np.asarray(factors, dtype=np.float64)
    if array.shape != (num_posteriors, num_chains) or not (np.isfinite(array) & (array > 0)).all():
        raise LambdascopeError(
            f"step_factors of shape {list(array.shape)}: positive numbers of shape "
            f"[{num_posteriors}, {num_chains}] (posterior, chain) are accepted."
        )
    return array.tolist()


def check_compile(wanted: Any) -> None:
    """Refuse what is neither True, False nor "auto".

    Raises:
        LambdascopeError: for anything else.
    """
    if not isinstance(wanted, bool) and wanted != "auto":
        raise LambdascopeError(f"compile={wanted!r}: True, False or 'auto' is accepted.")


def check_labels(checkpoints: Sequence[int] | None, count: int) -> list[int]:
    """The checkpoints' labels, by default 0, 1, 2 and so on.

    Raises:
        LambdascopeError: unless they are as many different integers as there are posteriors.
    """
    if checkpoints is None:
        return list(range(count))
    labels = [whole_number("checkpoints", label) for label in checkpoints]
    if (
        len(labels) != count
        or len(set(labels)) != count
        or any(abs(label) > _LARGEST_LABEL for label in labels)
    ):
        raise LambdascopeError(
            f"checkpoints={labels}: {count} different integers of 64 bits, one a posterior, are "
            "accepted."
        )
    return labels


def check_observables(
    observables: Mapping[str, Callable[..., Any]] | None, info_names: Sequence[str]
) -> dict[str, Callable[..., Any]]:
    """The observables, by name.

    Raises:
        LambdascopeError: for a name that the trace uses itself or a file system can't hold, and
            for what can't be called.
    """
    if not isinstance(observables or {}, Mapping):
        raise LambdascopeError(
            f"observables is a {type(observables).__name__}; a dict from names to functions "
            "f(parameters) -> tensor is accepted."
        )
    found = dict(observables or {})
    taken = _TAKEN.union(info_names)
    for name, function in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in taken:
            raise LambdascopeError(
                f"observable {name!r}: a name of letters, digits, underscores and blanks is "
                f"accepted, and none of the trace's own ({', '.join(sorted(taken))})."
            )
        if not callable(function):
            raise LambdascopeError(
                f"observable {name!r} is a {type(function).__name__}; a function "
                "f(parameters) -> tensor is accepted."
            )
    return found
