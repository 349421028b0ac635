"""What a sweep's figure says, in small type, of how its numbers were made."""

import pandas as pd

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.llc_target import ACROSS_THE_GRADIENT
from lambdascope.commands.sweep_checks import compares_with_hessian
from lambdascope.commands.sweep_config import MEASURED, settings_of
from lambdascope.reporting.llc_text import changed_potential
from lambdascope.sweeps import Cell, FigureWish, SweepPlan

# γ, of λ̂ and of the effective dimension.
_SHIFT = "llc.localization"


def caption_of(plan: SweepPlan, cells: pd.DataFrame, wish: FigureWish) -> str:
    """The caption.

    Args:
        plan: The sweep.
        cells: Of `cell_states`.
        wish: The figure.
    """
    parts = []
    states, total = cells["state"].value_counts(), len(cells)
    if "missing" in states:
        parts.append(f"{states.get('finished', 0)} of {total} cells finished")
    if "failed" in states:
        parts.append(f"{states['failed']} of {total} cells failed")
    # What is measured, not settings, which have a dot.
    names = {name for name in (wish.x, *wish.y) if "." not in name}
    if has_llc := any(name.startswith("llc") for name in names):
        across = any(_llc(cell).orthogonal_to_gradient for cell in plan.cells)
        if compares_with_hessian(wish) and across:
            parts.append(f"λ̂ with orthogonal_to_gradient {ACROSS_THE_GRADIENT}")
        parts.append(_how_llc_was_made(plan.cells[0], plan.axes))
    if names & set(MEASURED["hessian"]):
        parts.append(_how_the_hessian_was_made(plan, wish))
        if "effective_dimension" in names and not has_llc and _SHIFT not in plan.axes:
            parts.append(f"effective dimension: γ = {_llc(plan.cells[0]).localization:g}")
    return " · ".join(parts)


def _how_llc_was_made(cell: Cell, axes: tuple[str, ...]) -> str:
    """The settings of λ̂ that all cells share: axes are in the figure itself."""
    llc = _llc(cell)
    if getattr(cell.configs.get("measure"), "llc", "final") == "none":
        return "λ̂ was not measured"
    said = {}
    if llc.is_automatic:
        said["sampler"] = "sampler, step and length chosen, bias of the step measured"
    else:
        plain = llc.plain()
        said["num_chains"] = f"{plain.num_chains} chains"
        said["num_steps"] = f"{plain.num_steps:,} steps"
        said["step_size"] = f"step size {plain.step_size:g}"
        said["batch_size"] = f"minibatch {plain.batch_size}"
        said["correction"] = "no correction"
    said["localization"] = f"γ = {llc.localization:g}"
    said["nbeta"] = "nβ = n/ln n" if llc.nbeta is None else f"nβ = {llc.nbeta:g}"
    said |= changed_potential(llc.model_dump())
    if llc.orthogonal_to_gradient:
        said["orthogonal_to_gradient"] = "held across the gradient"
    if llc.parameters is not None:
        said["parameters"] = f"{', '.join(llc.parameters)} only"
    shown = [text for field, text in said.items() if f"llc.{field}" not in axes]
    return f"λ̂: {', '.join(shown)}"


def _how_the_hessian_was_made(plan: SweepPlan, wish: FigureWish) -> str:
    """Of which loss it is, over which parameters and where: what all cells share, as above."""
    config = settings_of(plan.cells[0]).hessian
    said = {"": "Hessian of the full train loss"}
    said["weight_decay"] = f"{'with' if config.weight_decay else 'no'} weight decay"
    said["parameters"] = (
        "all trained parameters"
        if config.parameters is None
        else f"{', '.join(config.parameters)} only"
    )
    if wish.x != "step":
        said["checkpoints"] = _checkpoint_of_the_hessian(plan)
    return ", ".join(text for field, text in said.items() if f"hessian.{field}" not in plan.axes)


def _checkpoint_of_the_hessian(plan: SweepPlan) -> str:
    """Which checkpoint a figure shows that is not over training: each cell's last measured one."""
    places = set()
    for cell in plan.cells:
        settings = settings_of(cell)
        if measured := settings.checkpoints("hessian"):
            last = settings.train.num_checkpoints - 1
            step = settings.train.checkpoint_steps[measured[-1]]
            places.add((None if measured[-1] == last else measured[-1], step))
    indices, steps = {index for index, _ in places}, {step for _, step in places}
    if len(indices) > 1:
        return "each cell's last checkpoint that was measured"
    (index,) = indices
    name = "last checkpoint" if index is None else f"checkpoint {index}"
    return f"{name} (step {steps.pop():,})" if len(steps) == 1 else name


def _llc(cell: Cell) -> LLCConfig:
    llc = cell.configs["llc"]
    assert isinstance(llc, LLCConfig)
    return llc
