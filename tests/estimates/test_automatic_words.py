"""What an automatic estimate says."""

import dataclasses

import pytest

import lambdascope as ls
from lambdascope.estimates import Status
from lambdascope.estimates.automatic_words import in_terms_of_automatic
from lambdascope.estimates.movement import Movement
from lambdascope.estimates.verdict import judge
from tests.problems import classifier_posterior, draw


@pytest.mark.parametrize(
    ("figures", "status", "cure"),
    [
        ({"num_diverged": 1}, Status.DIVERGED_CHAINS, "; raise the localization."),
        ({"rhat": 2.0}, Status.NOT_CONVERGED, "; raise max_steps or the localization."),
        ({"temperature": 1.3, "temperature_stderr": 0.01}, Status.HEATED, "; raise the local"),
    ],
)
def test_advice_names_no_setting_that_was_chosen(figures, status, cure):
    sound = {"num_chains": 4, "num_diverged": 0, "llc": 5.0, "stderr": 0.01, "rhat": 1.0}
    moved = Movement(mean=1.0, reach=1.0, draws=50.0)
    found, advice = judge(**{**sound, "ess": 100.0, "drift": 0.0, "moved": moved, **figures})
    assert found is status
    estimate = ls.estimate_llc(draw(classifier_posterior(), num_steps=40))
    one = dataclasses.replace(estimate, status=status, advice=advice)
    said = in_terms_of_automatic(one, ls.BAOAB(step_size=0.1)).advice
    assert cure in said
    assert "step_size" not in said
    assert said.startswith(advice.partition(";")[0])
    by_sgld = in_terms_of_automatic(one, ls.SGLD(step_size=0.1)).advice
    assert (by_sgld == advice) is (status is Status.HEATED)
