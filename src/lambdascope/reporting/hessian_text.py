"""What `lambdascope hessian` found, in words."""

import math
from typing import Any

import pandas as pd

from lambdascope.wording import NORMAL_95, checkpoints_named, estimated, number, shown

# Of the effective dimension: half the width of its 95 % interval beyond which it is not resolved.
_MOST_VAGUE = 0.5


def spectra_text(summary: pd.DataFrame, estimate: pd.DataFrame | None, why: str) -> str:
    """A line a checkpoint, and what the effective dimension is.

    Args:
        summary: As in hessian_summary.csv, at least one row.
        estimate: λ̂ of the same posterior, as in llc.csv; None: there is none.
        why: How it was made, or why there is none.
    """
    lines = [
        f"checkpoint {row.checkpoint} (step {row.step:,d}): largest eigenvalue {row.largest:.4g}, "
        f"smallest {shown(row.smallest, '.3g')}, trace "
        f"{estimated(row.trace, NORMAL_95 * row.trace_stderr)}, {dimension_text(row)}"
        for row in with_estimates(summary, estimate).itertuples()
    ]
    last = summary.iloc[-1]
    lines.append(
        f"± 95 %. The effective dimension is λ̂ if the loss were its quadratic part, at γ = "
        f"{last['localization']:g} and nβ = {number(last['nbeta'])}, and half of the "
        f"{last['num_parameters']:,.0f} parameters at most; {why}."
    )
    return "\n".join([*lines, *([said] if (said := unresolved(summary)) else [])])


def with_estimates(summary: pd.DataFrame, estimate: pd.DataFrame | None) -> pd.DataFrame:
    """A summary with λ̂ beside it: `llc`, `llc_stderr`, `llc_status`; NaN and "" without one.

    Args:
        summary: As in hessian_summary.csv.
        estimate: As in llc.csv; None: there is none.
    """
    if estimate is None:
        return summary.assign(llc=math.nan, llc_stderr=math.nan, llc_status="")
    columns = ["checkpoint", "llc", "llc_stderr", "llc_status"]
    estimate = estimate.rename(columns={"status": "llc_status"})[columns]
    return summary.merge(estimate, on="checkpoint", how="left")


def dimension_text(row: Any) -> str:
    """The effective dimension, and λ̂ where it stands: "effective dimension 287 ± 7, λ̂ 414 ± 9".

    Args:
        row: Of `with_estimates`.
    """
    half_width = NORMAL_95 * row.effective_dimension_stderr
    said = f"effective dimension {estimated(row.effective_dimension, half_width)}"
    if math.isfinite(row.llc):
        said += f", λ̂ {estimated(row.llc, NORMAL_95 * row.llc_stderr)}"
        said += "" if row.llc_status == "converged" else f" ({row.llc_status})"
    return said


def unresolved(summary: pd.DataFrame) -> str:
    """Where the effective dimension is hardly known, and what would help; "" where nowhere is.

    Args:
        summary: As in hessian_summary.csv.
    """
    half_width = NORMAL_95 * summary["effective_dimension_stderr"]
    vague = summary[half_width > _MOST_VAGUE * summary["effective_dimension"]]
    if vague.empty:
        return ""
    least = (vague["localization"] / vague["nbeta"]).min()
    where = checkpoints_named(sorted(set(vague["checkpoint"])), brief=True)
    return (
        f"The effective dimension is not resolved at {where}: eigenvalues may gather near zero, "
        f"closer than the {vague['num_lanczos_steps'].max()} Lanczos steps tell apart, where "
        f"γ/nβ = {least:.2g} lies. More --num-lanczos-steps, a larger --top or a larger "
        "--localization narrow it."
    )
