"""What `sample` refuses before anything runs, in a sentence each."""

import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lambdascope.errors import LambdascopeError, shown
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.scalars import check_representable
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
        "guessing_loss",
        "nbeta",
        "localization",
        "num_samples",
        "num_free",
        "tilt",
        "slope_shift",
        "slope_effect",
        "step_factor",
    ]
)
_NAME = re.compile(r"(?!__)\w[\w .:+-]*")
_LARGEST_LABEL = 2**63 - 1
# Steps are counted, and positions in a chain's random stream numbered, in 32 bits.
_LARGEST_COUNT = 2**31 - 1
_SEED_BITS = 128


def whole_number(field: str, value: Any, fewest: int | None = None) -> int:
    """`value` as an int; where `fewest` is given, a count of at most 2³¹ − 1.

    Raises:
        LambdascopeError: if it is no integer, or less than `fewest`, or more than can be counted.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_):
        accepted = "an integer" if fewest is None else f"an integer ≥ {fewest}"
    elif fewest is not None and number < fewest:
        accepted = f"an integer ≥ {fewest}"
    elif fewest is not None and number > _LARGEST_COUNT:
        accepted = f"an integer ≤ {_LARGEST_COUNT}"
    else:
        return number
    raise LambdascopeError(f"{field}={shown(value)}: {accepted} is accepted.")


def check_seed(seed: Any) -> int:
    """`seed` as an int.

    Raises:
        LambdascopeError: if it is no integer, or one of more than 128 bits.
    """
    number = whole_number("seed", seed)
    if number.bit_length() > _SEED_BITS:
        raise LambdascopeError(
            f"seed={shown(number)}: an integer of at most {_SEED_BITS} bits is accepted."
        )
    return number


def check_flag(field: str, value: Any) -> None:
    """Refuse what is neither True nor False: a text such as "no" would count as True.

    Raises:
        LambdascopeError: for anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise LambdascopeError(f"{field}={shown(value)}: True or False is accepted.")


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


def check_kernel(kernel: Any, dtype: torch.dtype) -> None:
    """Refuse what is no sampler, or one with numbers that vanish in the weights' type.

    Raises:
        LambdascopeError: for a class instead of an object, or anything else.
    """
    if not isinstance(kernel, Kernel):
        raise LambdascopeError(f"kernel={shown(kernel)}: a sampler such as SGLD(...) is accepted.")
    for field, value in kernel:
        if isinstance(value, float):
            check_representable(field, value, dtype)


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
    wanted = f"positive numbers of shape [{num_posteriors}, {num_chains}] (posterior, chain)"
    try:
        array = np.asarray(factors, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise LambdascopeError(f"step_factors={shown(factors)}: {wanted} are accepted.") from error
    if array.shape != (num_posteriors, num_chains) or not (np.isfinite(array) & (array > 0)).all():
        raise LambdascopeError(f"step_factors of shape {list(array.shape)}: {wanted} are accepted.")
    return array.tolist()


def check_store(store: Any) -> Path | None:
    """`store` as a path.

    Raises:
        LambdascopeError: for what is no path.
    """
    if store is None:
        return None
    if not isinstance(store, str | os.PathLike):
        raise LambdascopeError(
            f"store={shown(store)}: a path ending in .zarr, or None, is accepted."
        )
    return Path(store)


def check_compile(wanted: Any) -> None:
    """Refuse what is neither True, False nor "auto".

    Raises:
        LambdascopeError: for anything else.
    """
    if not isinstance(wanted, bool) and not (isinstance(wanted, str) and wanted == "auto"):
        raise LambdascopeError(f"compile={shown(wanted)}: True, False or 'auto' is accepted.")


def check_labels(checkpoints: Sequence[int] | None, count: int) -> list[int]:
    """The checkpoints' labels, by default 0, 1, 2 and so on.

    Raises:
        LambdascopeError: unless they are as many different integers as there are posteriors.
    """
    if checkpoints is None:
        return list(range(count))
    try:
        given = list(checkpoints)
    except TypeError as error:
        raise LambdascopeError(
            f"checkpoints={shown(checkpoints)}: a list of integers is accepted."
        ) from error
    labels = [whole_number("checkpoints", label) for label in given]
    if (
        len(labels) != count
        or len(set(labels)) != count
        or any(abs(label) > _LARGEST_LABEL for label in labels)
    ):
        raise LambdascopeError(
            f"checkpoints={shown(labels)}: {count} different integers of 64 bits, one a "
            "posterior, are accepted."
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
    if observables is None:
        return {}
    if not isinstance(observables, Mapping):
        raise LambdascopeError(
            f"observables is a {type(observables).__name__}; a dict from names to functions "
            "f(parameters) -> tensor is accepted."
        )
    found = dict(observables)
    taken = _TAKEN.union(info_names)
    for name, function in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in taken:
            raise LambdascopeError(
                f"observable {shown(name)}: a name of letters, digits, underscores and blanks is "
                f"accepted, and none of the trace's own ({', '.join(sorted(taken))})."
            )
        # `trace.dimensions` names what an observable's own axes are called.
        owner = re.sub(r"_\d+$", "", name)
        if owner != name and owner in found:
            raise LambdascopeError(
                f"observable {name!r} beside {owner!r}: that is what an axis of {owner!r} is "
                "called; another name is accepted."
            )
        if not callable(function):
            raise LambdascopeError(
                f"observable {name!r} is a {type(function).__name__}; a function "
                "f(parameters) -> tensor is accepted."
            )
    return found


def observable_failed(
    name: str, error: Exception, parameters: Iterable[str], accepted: str
) -> LambdascopeError:
    """What an observable that raised is told.

    Args:
        name: Of the observable.
        error: What it raised.
        parameters: The names that it may ask for.
        accepted: What it should do instead, "a function …".
    """
    said = str(error)
    if isinstance(error, KeyError):  # its text is the key alone
        said = f"there is no parameter {said}, there are {', '.join(parameters)}"
    return LambdascopeError(f"observable {name!r} failed ({said}); {accepted} is accepted.")
