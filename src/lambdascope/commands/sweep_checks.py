"""What is refused of a sweep on modular addition before anything runs."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from lambdascope.commands.sweep_config import MEASURED, Settings, settings_of
from lambdascope.errors import LambdascopeError
from lambdascope.hessian.spectrum import check_counts
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.circuit_null import SMALLEST_P
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.posterior import Parameters
from lambdascope.sweeps import Cell, FigureWish

_SPECTRUM = ("rank", "eigenvalue")


def check_cells(cells: Sequence[Cell], figures: Sequence[FigureWish] = ()) -> None:
    """Refuse what each section alone cannot see.

    Args:
        cells: All of a sweep.
        figures: What it wants drawn.

    Raises:
        LambdascopeError: a figure shows what no cell measures; an axis or a setting has no effect
            in a cell; settings of different sections contradict each other. Names cell and field.
    """
    for wish in figures:
        _check_figure(wish, cells)
    compared = any(compares_with_hessian(wish) for wish in figures)
    for cell in cells:
        settings = settings_of(cell)
        try:
            _check_effect(cell, settings)
            for part in ("llc", "hessian"):
                _check_checkpoints(part, settings)
                _check_parameters(part, settings)
            _check_eigenvalues(settings)
            _check_temperature(settings)
            _check_measures(settings)
            if compared:
                _check_same_posterior(settings)
        except LambdascopeError as error:
            raise LambdascopeError(f"{cell}: {error}") from None


def compares_with_hessian(wish: FigureWish) -> bool:
    """Whether a figure has λ̂ beside the effective dimension."""
    return {"llc", "effective_dimension"} <= {wish.x, *wish.y}


def _check_figure(wish: FigureWish, cells: Sequence[Cell]) -> None:
    shown = {wish.x, *wish.y, wish.family or "", wish.panel or ""}
    for part, quantities in MEASURED.items():
        asked = sorted(shown & {*quantities, *(["status"] if part == "llc" else [])})
        measured = any(getattr(settings_of(cell).measure, part) != "none" for cell in cells)
        if asked and not measured:
            raise LambdascopeError(
                f"figures: {asked[0]} with measure.{part}='none': give it 'final' or 'all'"
            )
    spectrum = (wish.x == "rank", "eigenvalue" in wish.y)
    if any(spectrum) and (not all(spectrum) or wish.y != ("eigenvalue",)):
        raise LambdascopeError(
            f"figures: x={wish.x!r} with y={', '.join(wish.y)}: eigenvalues are drawn by rank, and "
            "nothing else is; x='rank' with y='eigenvalue' is accepted"
        )
    if any(spectrum) and (wish.map_over or wish.slope_over):
        raise LambdascopeError(
            "figures: eigenvalues with map_over or slope_over: curves are accepted for them"
        )


def _check_effect(cell: Cell, settings: Settings) -> None:
    """Refuse a setting that another one overrules."""
    for name, reason in _overruled(settings).items():
        section, field = name.split(".")
        if field in cell.configs[section].model_fields_set:
            raise LambdascopeError(f"{name} has no effect: {reason}")


def _overruled(settings: Settings) -> dict[str, str]:
    """Settings that others of the same file overrule, and why."""
    found = {"llc.check_step": "a sweep does not ask; `lambdascope llc --check-step` does"}
    if settings.measure.hessian != "none":
        for name in ("localization", "nbeta"):
            found[f"hessian.{name}"] = (
                f"in a sweep the effective dimension stands beside λ̂ and takes llc.{name}; give "
                "that"
            )
    return found


def _check_checkpoints(part: str, settings: Settings) -> None:
    checkpoints: tuple[int, ...] | None = getattr(settings, part).checkpoints
    which = getattr(settings.measure, part)
    if checkpoints is None or which == "none":
        return
    given = f"{part}.checkpoints={checkpoints!r}"
    if which != "all":
        raise LambdascopeError(f"{given} needs measure.{part}='all', and it is {which!r}")
    last = settings.train.num_checkpoints - 1
    if max(checkpoints) > last:
        raise LambdascopeError(
            f"{given}: {max(checkpoints)} does not exist; train.num_checkpoints={last + 1} makes "
            f"0 to {last}"
        )


def _check_parameters(part: str, settings: Settings) -> None:
    if getattr(settings, part).parameters is None or getattr(settings.measure, part) == "none":
        return
    try:
        _covered(part, settings)
    except LambdascopeError as error:
        raise LambdascopeError(f"{part}.parameters: {error}") from None


def _check_eigenvalues(settings: Settings) -> None:
    if settings.measure.hessian == "none":
        return
    sizes, config = _trainable(settings.train), settings.hessian
    size = sum(sizes[name] for name in _covered("hessian", settings))
    check_counts(size, config.top, config.bottom, ("hessian.top", "hessian.bottom"))


def _covered(part: str, settings: Settings) -> list[str]:
    """Names of the parameters that λ̂'s chains move, or that the Hessian covers."""
    patterns = getattr(settings, part).parameters
    names = list(_trainable(settings.train))
    return names if patterns is None else Parameters(*patterns).select(names)


@cache
def _trainable(config: TrainConfig) -> dict[str, int]:
    """Name → number of elements."""
    network = make_network(config)
    return {name: one.numel() for name, one in network.named_parameters() if one.requires_grad}


def _check_temperature(settings: Settings) -> None:
    if settings.measure.llc == settings.measure.hessian == "none":
        return
    try:
        settings.inverse_temperature()
    except LambdascopeError as error:
        raise LambdascopeError(f"llc: {error}") from None
    if settings.measure.hessian != "none" and settings.llc.localization == 0:
        raise LambdascopeError(
            "llc.localization=0 with measure.hessian: the effective dimension needs γ > 0"
        )


def _check_measures(settings: Settings) -> None:
    train, measure = settings.train, settings.measure
    if measure.circuits != "none" and train.p < SMALLEST_P:
        raise LambdascopeError(
            f"measure.circuits={measure.circuits!r} with train.p={train.p}: circuits are looked "
            f"for from p={SMALLEST_P} on"
        )
    if measure.hessian != "none" and settings.hessian.weight_decay and train.optimizer != "adam":
        raise LambdascopeError(
            f"hessian.weight_decay with train.optimizer={train.optimizer!r}, whose decay is no "
            "term of the loss: 'adam' has one"
        )


def _check_same_posterior(settings: Settings) -> None:
    """Refuse λ̂ in one figure with the effective dimension of another posterior."""
    if found := _other_posterior(settings):
        name, value, accepted = found
        raise LambdascopeError(
            f"llc.{name}={value!r} with a figure of llc and effective_dimension: the Hessian's "
            f"is {accepted!r}, and beside it only λ̂ of the same posterior is accepted"
        )


def posteriors_differ(cell: Cell) -> str:
    """In what a cell's λ̂ is of another posterior than its effective dimension; "" in nothing.

    Args:
        cell: Of any system.
    """
    if "hessian" not in cell.configs or not (found := _other_posterior(settings_of(cell))):
        return ""
    name, value, accepted = found
    return f"llc.{name}={value!r}, and the Hessian's is {accepted!r}"


def _other_posterior(settings: Settings) -> tuple[str, Any, Any] | None:
    """The first setting in which the two posteriors differ, λ̂'s value of it, and the Hessian's.

    λ̂ across the gradient is none, here or for `lambdascope hessian`: it differs by a known half at
    most, and the figure says so.
    """
    llc, hessian = settings.llc, settings.hessian
    if "none" in (settings.measure.llc, settings.measure.hessian):
        return None
    decay = settings.train.weight_decay if hessian.weight_decay else 0.0
    moved, covered = (_covered(part, settings) for part in ("llc", "hessian"))
    for name, value, accepted in (
        ("parameters", llc.parameters, llc.parameters if moved == covered else hessian.parameters),
        ("weight_decay", llc.weight_decay, decay),
        ("logit_scale", llc.logit_scale, 1.0),
    ):
        if value != accepted:
            return name, value, accepted
    return None
