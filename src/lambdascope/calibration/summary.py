"""How close and how well ordered the estimates of many systems are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class RankingSummary:
    """Estimates of one group of systems by one sampler.

    Attributes:
        group: The group.
        sampler: The sampler.
        num_systems: How many.
        median_error: Median of |λ̂/λ − 1|.
        median_ratio: Median of λ̂/λ.
        share_ordered: Of the pairs with different λ, the part whose λ̂ are in the same order.
        model_median_error: The first beside the model's own λ, which some benchmarks compare with.
    """

    group: str
    sampler: str
    num_systems: int
    median_error: float
    median_ratio: float
    share_ordered: float
    model_median_error: float


def ranking_summary(table: pd.DataFrame) -> list[RankingSummary]:
    """One summary for each group with several systems of random shape, and each sampler.

    Args:
        table: From `calibrate`.
    """
    linear = table[table["group"].str.startswith("linear")]
    return [
        RankingSummary(
            group=str(group),
            sampler=str(sampler),
            num_systems=len(rows),
            median_error=float((rows["llc"] / rows["exact"] - 1).abs().median()),
            median_ratio=float((rows["llc"] / rows["exact"]).median()),
            share_ordered=share_ordered(rows["exact"].to_numpy(), rows["llc"].to_numpy()),
            model_median_error=float((rows["llc"] / rows["model_llc"] - 1).abs().median()),
        )
        for (group, sampler), rows in linear.groupby(["group", "sampler"], sort=False)
    ]


def share_ordered(exact: np.ndarray, estimated: np.ndarray) -> float:
    """The part of all pairs with different exact values that the estimates order rightly.

    Args:
        exact: [system].
        estimated: [system]; a pair with NaN counts as wrong.

    Returns:
        Between 0 and 1; NaN if there is no such pair.
    """
    one, other = np.triu_indices(len(exact), 1)
    truth, found = exact[one] - exact[other], estimated[one] - estimated[other]
    differ = truth != 0
    return float((truth * found > 0)[differ].mean()) if differ.any() else float("nan")
