"""Sound numbers that want care: weights with a slope, and numbers that are γ's."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.estimates.verdict import Status


class Slope(torch.nn.Module):
    """a·x + ½·‖w‖², at w* = 0."""

    def __init__(self, steepness: float) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.steepness = steepness

    def forward(self) -> torch.Tensor:
        return self.steepness * self.w[0] + 0.5 * (self.w**2).sum()


def estimate(steepness: float, **settings):
    posterior = ls.LocalPosterior(Slope(steepness), None, nbeta=10.0, localization=4.0, **settings)
    sampler = ls.SGLD(step_size=0.02)
    return ls.estimate_llc(
        ls.sample(
            posterior, sampler, num_chains=8, num_steps=2000, seed=0, compile=False, progress=False
        )
    )


def test_the_tilt_is_the_potentials_slope_over_what_the_localisation_withstands():
    assert estimate(0.3).tilt == pytest.approx(10 * 0.3 / math.sqrt(4))
    assert estimate(0.0).tilt == 0


def test_weights_on_a_slope_have_a_caution_and_stay_converged():
    sloping, level = estimate(0.3), estimate(0.1)
    assert sloping.status is level.status is Status.CONVERGED
    assert "(95 %, converged; see .cautions)" in str(sloping)
    (caution,) = sloping.cautions
    assert "slope at w*" in caution
    assert "slope at w*" in sloping._repr_html_()
    assert level.cautions == ()
    assert "cautions" not in str(level)


def test_across_the_gradient_and_with_other_parameters_held_there_is_no_slope():
    assert estimate(0.3, restriction=ls.OrthogonalToGradient()).tilt == pytest.approx(0, abs=1e-12)
    mask = ls.ElementMask({"w": torch.tensor([False, True, True])})
    assert estimate(0.3, restriction=mask).tilt == 0


def test_weights_at_the_minimum_of_loss_and_decay_have_no_slope():
    model = Slope(0.3)
    with torch.no_grad():
        model.w[0] = -0.2  # 0.3 − 0.2 − 0.5·0.2 = 0
    posterior = ls.LocalPosterior(model, None, nbeta=10.0, localization=4.0, weight_decay=0.5)
    assert posterior.slope == pytest.approx(0, abs=1e-12)


def test_without_localisation_and_of_older_traces_the_tilt_is_unknown():
    posterior = ls.LocalPosterior(Slope(0.3), None, nbeta=10.0, localization=0.0)
    trace = ls.sample(
        posterior,
        ls.SGLD(step_size=0.02),
        num_chains=2,
        num_steps=40,
        compile=False,
        progress=False,
    )
    assert math.isnan(ls.estimate_llc(trace).tilt)
    assert "nothing holds the chains" in ls.estimate_llc(trace).cautions[0]
    assert math.isnan(ls.estimate_llc(trace.drop_vars("tilt")).tilt)


def test_a_gentle_slope_in_a_flat_direction_matters_to_a_small_coefficient():
    """Exact: two stiff directions make ½ each, less 0.9² for the slope along the flat one."""
    one = bowl([1000.0, 1000.0, 0.0], [0.0, 0.0, 0.9 * math.sqrt(5)])
    assert one.tilt < 1
    assert one.slope_effect == pytest.approx(0.81, rel=1e-3)
    assert one.llc == pytest.approx(1000 / 1005 - 0.81, abs=4 * one.stderr)
    assert "slope at w*" in one.cautions[0]


def test_a_steep_slope_in_a_stiff_direction_matters_to_nothing():
    one = bowl([1e4, 1e4, 1e4], [10.0, 0.0, 0.0], step=1e-5)
    assert one.tilt > 4
    assert one.slope_effect == pytest.approx(100 / 2 / 1e4, rel=0.02)
    assert one.cautions == ()


def test_a_trace_of_before_the_shift_was_measured_goes_by_the_tilt():
    one = replace(estimate(0.0), slope_shift=math.nan, tilt=1.5)
    assert "slope at w*" in one.cautions[0]
    assert replace(one, tilt=0.9).cautions == ()


class Bowl(torch.nn.Module):
    """½ Σ c w² + g·w, at w* = 0."""

    def __init__(self, curvatures: list[float], slope: list[float]) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(len(curvatures), dtype=torch.float64))
        self.c, self.g = (torch.tensor(one, dtype=torch.float64) for one in (curvatures, slope))

    def forward(self) -> torch.Tensor:
        return 0.5 * (self.c * self.w**2).sum() + (self.g * self.w).sum()


def bowl(curvatures: list[float], slope: list[float], step: float = 1e-4):
    posterior = ls.LocalPosterior(Bowl(curvatures, slope), None, nbeta=1.0, localization=5.0)
    kernel = ls.BAOAB(step_size=math.sqrt(step) * 2, friction=math.sqrt(5))
    trace = ls.sample(
        posterior, kernel, num_chains=8, num_steps=4000, compile=False, progress=False
    )
    return ls.estimate_llc(trace)


def test_a_number_that_is_the_localisations_has_a_caution():
    sides = {"llc_half_localization": 2.0, "llc_double_localization": 1.0}
    one = replace(estimate(0.0), **sides, localization_slope_stderr=0.01)
    assert one.localization_slope == pytest.approx(0.5)
    for of_nothing in (0.0, -1.0):  # a loss that nothing acts on, chains that slid
        same = replace(one, llc_half_localization=of_nothing, llc_double_localization=of_nothing)
        assert math.isnan(same.localization_slope)
        assert same.cautions == ()
    assert one.cautions == ()
    steep = replace(one, llc_half_localization=2.2)
    assert "the localisation more than of the network" in steep.cautions[0]
    assert replace(steep, localization_slope_stderr=0.1).cautions == ()  # it may be chance
    curve = ls.LLCCurve([one, replace(steep, slope_shift=2.0)])
    assert curve.to_dataframe()["cautions"].str.count(r"\|").tolist() == [0, 1]
    assert np.isfinite(curve.llc).all()


def test_a_number_that_rises_with_the_localisation_has_a_caution():
    sides = {"llc_half_localization": 1.0, "llc_double_localization": 4**0.2}
    one = replace(estimate(0.0), **sides, localization_slope_stderr=0.01)
    assert one.localization_slope == pytest.approx(-0.2)
    assert one.cautions == ()
    rising = replace(one, llc_double_localization=4**0.3)
    assert "rises with γ" in rising.cautions[0]
    assert replace(rising, localization_slope_stderr=0.1).cautions == ()


def fitted() -> tuple[torch.nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """A linear classifier that has learnt most of what 60 samples in three heaps tell."""
    torch.manual_seed(0)
    targets = torch.arange(60) % 3
    inputs = torch.eye(3)[targets] * 3 + 0.5 * torch.randn(60, 3)
    model = torch.nn.Linear(3, 3)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
    return model, (inputs, targets)


@pytest.mark.parametrize(
    ("nbeta", "localization", "guesses"), [(0.02, 0.5, True), (60.0, 100.0, False)]
)
def test_chains_that_forget_what_was_learnt_have_a_caution(nbeta, localization, guesses):
    """So hot a posterior has random classifiers in it, worse than one answer for all."""
    model, data = fitted()
    posterior = ls.LocalPosterior(
        model, data, loss=ls.cross_entropy, nbeta=nbeta, localization=localization
    )
    trace = ls.sample(
        posterior,
        ls.SGLD(step_size=1e-2),
        num_chains=4,
        num_steps=1000,
        seed=0,
        compile=False,
        progress=False,
    )
    one = ls.estimate_llc(trace)
    assert one.guessing_loss == pytest.approx(math.log(3), rel=0.05)
    assert one.initial_loss < 0.3 * one.guessing_loss
    assert any("next to nothing of what w* has learnt" in said for said in one.cautions) == guesses


def test_weights_that_have_learnt_nothing_have_nothing_to_forget():
    one = replace(estimate(0.0), guessing_loss=1.0, initial_loss=0.95, mean_loss=1.2)
    assert one.cautions == ()
    assert len(replace(one, initial_loss=0.5).cautions) == 1
    assert replace(one, initial_loss=0.5, guessing_loss=math.nan).cautions == ()
    assert replace(one, initial_loss=0.5, mean_loss=0.9).cautions == ()


@pytest.mark.parametrize("restriction", [None, ls.OrthogonalToGradient()])
def test_an_estimate_knows_whether_its_chains_were_held(restriction):
    assert estimate(0.3, restriction=restriction).across_gradient == (restriction is not None)
