"""What a sweep's figure says, in small type, of how its numbers were made."""

import pandas as pd

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.llc_target import ACROSS_THE_GRADIENT
from lambdascope.commands.sweep_checks import compares_with_hessian
from lambdascope.sweeps import Cell, FigureWish, SweepPlan


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
    if any(name.startswith("llc") and "." not in name for name in (wish.x, *wish.y)):
        across = any(_llc(cell).orthogonal_to_gradient for cell in plan.cells)
        if compares_with_hessian(wish) and across:
            parts.append(f"λ̂ with orthogonal_to_gradient {ACROSS_THE_GRADIENT}")
        parts.append(_how_llc_was_made(plan.cells[0], plan.axes))
    return " · ".join(parts)


def _how_llc_was_made(cell: Cell, axes: tuple[str, ...]) -> str:
    """The settings of λ̂ that all cells share: axes are in the figure itself."""
    llc = _llc(cell)
    if getattr(cell.configs.get("measure"), "llc", "final") == "none":
        return "λ̂ was not measured"
    said = {}
    if llc.is_automatic:
        said["sampler"] = "sampler, step and length chosen, bias of the step removed"
    else:
        plain = llc.plain()
        said["num_chains"] = f"{plain.num_chains} chains"
        said["num_steps"] = f"{plain.num_steps:,} steps"
        said["step_size"] = f"step size {plain.step_size:g}"
        said["batch_size"] = f"minibatch {plain.batch_size}"
        said["correction"] = "no correction"
    said["localization"] = f"γ = {llc.localization:g}"
    if llc.parameters is not None:
        said["parameters"] = f"{', '.join(llc.parameters)} only"
    shown = [text for field, text in said.items() if f"llc.{field}" not in axes]
    return f"λ̂: {', '.join(shown)}"


def _llc(cell: Cell) -> LLCConfig:
    llc = cell.configs["llc"]
    assert isinstance(llc, LLCConfig)
    return llc
