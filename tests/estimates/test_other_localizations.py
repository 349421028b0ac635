"""λ̂ at γ/2 and 2γ beside an automatic estimate, against exact values."""

import math

import numpy as np
import pytest

from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc
from lambdascope.toys import quadratic_potential

NBETA, GAMMA, COUNT = 338.0, 5.0, 100


@pytest.mark.slow
@pytest.mark.parametrize("size", [200, 3000])
def test_their_intervals_hold_the_exact_values(size: int) -> None:
    """A hundred replications on directions from stiff to soft; ½ Σ nβc/(nβc + γ) is exact."""
    curvature = np.sort(10 ** np.random.default_rng(0).uniform(-4, 1, size))
    toy = quadratic_potential(list(curvature))
    many = [toy.posterior(nbeta=NBETA, localization=GAMMA) for _ in range(COUNT)]
    curve = automatic_llc(many, AutomaticSettings(), checkpoints=range(COUNT), progress=False).curve

    def exact(gamma: float) -> float:
        return float((0.5 * NBETA * curvature / (NBETA * curvature + gamma)).sum())

    table = curve.to_dataframe()
    # Of a hundred at 95 %, 89 or fewer come about in 1 % of cases.
    for name, gamma in (("half", GAMMA / 2), ("double", 2 * GAMMA)):
        off = table[f"llc_{name}_localization"] - exact(gamma)
        assert (abs(off) < 1.96 * table[f"llc_{name}_localization_stderr"]).sum() >= 89
        # In the mean the burn-in leaves next to nothing of what is missing at w*.
        assert abs(off.mean()) < 0.002 * exact(gamma)
    slope = math.log(exact(GAMMA / 2) / exact(2 * GAMMA)) / math.log(4)
    off = table["localization_slope"] - slope
    assert (abs(off) < 1.96 * table["localization_slope_stderr"]).sum() >= 89
