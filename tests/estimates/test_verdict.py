import math
import re

import pytest

from lambdascope.estimates import verdict
from lambdascope.estimates.movement import Movement
from lambdascope.estimates.verdict import FEWEST_EFFECTIVE_DRAWS as FEWEST
from lambdascope.estimates.verdict import LARGEST_DRIFT, LARGEST_RHAT, Demands, Status, judge

HEALTHY = {
    "num_chains": 4,
    "num_diverged": 0,
    "llc": 20.0,
    "stderr": 0.5,
    "rhat": 1.01,
    "ess": 800.0,
    "drift": 0.7,
}
NAN = math.nan


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, Status.CONVERGED, "the chains agree"),
        ({"rhat": LARGEST_RHAT, "drift": -LARGEST_DRIFT}, Status.CONVERGED, "the chains agree"),
        ({"llc": -1.4}, Status.CONVERGED, "the chains agree"),  # within three standard errors
        ({"num_diverged": 4, "llc": NAN, "stderr": NAN, "rhat": NAN, "ess": NAN, "drift": NAN},
         Status.ALL_DIVERGED, "all 4 chains reached NaN or infinite loss; use a smaller step_size"),
        ({"num_diverged": 1}, Status.DIVERGED_CHAINS, "1 of 4 chains .* left out"),
        ({"num_diverged": 3, "rhat": 2.0}, Status.DIVERGED_CHAINS, "3 of 4 chains"),
        ({"ess": FEWEST - 1.0}, Status.TOO_FEW_SAMPLES, rf"hold {FEWEST - 1} .*, {FEWEST} are"),
        ({"ess": float(FEWEST)}, Status.CONVERGED, "the chains agree"),
        ({"ess": NAN, "stderr": NAN}, Status.TOO_FEW_SAMPLES, "too few steps after burn-in"),
        ({"ess": NAN, "stderr": 0.0}, Status.TOO_FEW_SAMPLES, "or the loss does not vary"),
        ({"ess": 1e4, "stderr": math.inf}, Status.TOO_FEW_SAMPLES, "run more steps or more chains"),
        ({"rhat": 1.24}, Status.NOT_CONVERGED, rf"disagree \(R-hat 1\.240, above {LARGEST_RHAT}\)"),
        ({"rhat": LARGEST_RHAT + 0.001}, Status.NOT_CONVERGED, "run more steps, or a longer burn"),
        ({"drift": LARGEST_DRIFT + 0.1}, Status.NOT_CONVERGED, "still rising .* standard errors"),
        ({"drift": -5.0}, Status.NOT_CONVERGED, r"still falling \(5\.0 standard errors"),
        ({"moved": Movement(growth=0.3, growth_stderr=0.1)}, Status.NOT_CONVERGED, "grew by 30%"),
        ({"moved": Movement(growth=0.3, growth_stderr=0.2)}, Status.CONVERGED, "the chains agree"),
        ({"moved": Movement(growth=0.1, growth_stderr=0.01)}, Status.CONVERGED, "the chains agree"),
        ({"moved": Movement(rhat=1.5, spread=0.4)}, Status.NOT_CONVERGED,
         "different distances"),
        ({"moved": Movement(rhat=1.5, spread=0.02)}, Status.CONVERGED, "the chains agree"),
        ({"moved": Movement(rhat=1.1, spread=0.4)}, Status.CONVERGED, "the chains agree"),
        ({"moved": Movement(reach=4.0)}, Status.ESCAPED, "2.0 times as far as localization alone"),
        ({"moved": Movement(reach=1.2)}, Status.CONVERGED, "the chains agree"),
        ({"moved": Movement(growth=0.3)}, Status.NOT_CONVERGED, "grew by 30%"),  # error unknown
        ({"moved": Movement(draws=1)}, Status.TOO_FEW_SAMPLES, "1 draws of .* a smaller thinning"),
        ({"moved": Movement(draws=9, mean=0.0)}, Status.NOT_CONVERGED, "the step vanishes beside"),
        ({"moved": Movement(draws=9, mean=math.inf, reach=math.inf)}, Status.ESCAPED, "inf times"),
        ({"temperature": 1.3, "temperature_stderr": 0.02}, Status.HEATED, "temperature 1.30, 1 is"),
        ({"temperature": 1.3, "temperature_stderr": 0.2}, Status.CONVERGED, "the chains agree"),
        ({"temperature": 1.03, "temperature_stderr": 0.001}, Status.CONVERGED, "the chains agree"),
        ({"llc": -1.6}, Status.NOT_AT_A_MINIMUM, "λ̂ is negative.*try OrthogonalToGradient"),
    ],
)  # fmt: skip
def test_every_verdict(changes, status, words):
    found, advice = judge(**{**HEALTHY, **changes})
    assert found is status
    assert re.search(words, advice)


def test_demands_move_the_bounds():
    loose = Demands(rhat=1.3, effective_draws=10)
    assert judge(**{**HEALTHY, "rhat": 1.2, "ess": 12.0}, demands=loose)[0] is Status.CONVERGED
    found, advice = judge(**{**HEALTHY, "ess": 9.0}, demands=loose)
    assert found is Status.TOO_FEW_SAMPLES
    assert "10 are needed" in advice
    assert judge(**{**HEALTHY, "rhat": 1.31}, demands=loose)[0] is Status.NOT_CONVERGED


def test_every_status_has_a_case_and_reads_as_words():
    assert {str(one) for one in Status} == {
        "converged", "all chains diverged", "diverged chains", "too few samples",
        "not converged", "not at a minimum", "escaped", "heated", "target not reached",
    }  # fmt: skip


def test_chains_that_explode_are_not_told_to_run_longer():
    found, advice = judge(**{**HEALTHY, "rhat": 1.8}, moved=Movement(draws=90, mean=1e9, reach=1e8))
    assert found is Status.ESCAPED
    assert "use a smaller step_size" in advice


def test_no_one_is_told_to_do_what_was_done():
    pushed = Movement(draws=90, mean=9.0, reach=4.0)
    for changes in ({"llc": -5.0}, {"moved": pushed}):
        _, before = judge(**{**HEALTHY, **changes})
        status, after = judge(**{**HEALTHY, **changes}, across_gradient=True)
        assert "OrthogonalToGradient" in before
        assert status in (Status.NOT_AT_A_MINIMUM, Status.ESCAPED)
        assert "OrthogonalToGradient" not in after
        assert after.endswith("use a larger localization.")


def test_a_loss_that_nothing_acts_on_is_told_from_chains_that_are_too_short():
    flat = {**HEALTHY, "ess": NAN, "stderr": 0.0, "moved": Movement(draws=90, mean=9.0)}
    status, advice = judge(**flat, varies=False)
    assert status is Status.TOO_FEW_SAMPLES
    assert "nothing of what moves acts on it" in advice
    assert "run more steps" in judge(**flat)[1]


def test_a_number_just_above_its_limit_is_told_apart_from_it():
    assert verdict._above(1.10004, 1.1, 3) == "1.10004, above 1.1"
    assert verdict._above(1.2, 1.1, 3) == "1.200, above 1.1"
    assert verdict._above(1.2001, 1.2, 2) == "1.2001, above 1.2"
