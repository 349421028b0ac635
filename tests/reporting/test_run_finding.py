"""A run in one sentence."""

import math

import pandas as pd
import pytest

from lambdascope.reporting.run_finding import circuits_clause, run_finding

TRAINING = pd.DataFrame(
    {
        "step": [0, 1500],
        "train_loss": [4.0, 0.02],
        "test_loss": [4.1, 0.071],
        "test_accuracy": [0.02, 0.998],
    }
)
LLC = pd.DataFrame(
    {
        "step": [0, 540, 1500],
        "llc": [80.0, 710.2, 485.1],
        "llc_stderr": [2.0, 4.6, 2.55],
        "status": ["converged"] * 3,
    }
)


def kinds(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"kind": list(names), "logit_share": 0.1})


def test_everything_in_one_sentence() -> None:
    assert run_finding(TRAINING, LLC, kinds("pizza", "pizza", "pizza")) == (
        "The learning coefficient λ̂ peaks at 710.2 ± 9.0 (step 540), then falls to "
        "485.1 ± 5.0; 3 circuits: all pizza; all 3 estimates of λ̂ converged."
    )


def test_without_an_estimate_it_says_what_was_learned() -> None:
    assert run_finding(TRAINING, None, None) == (
        "Test loss is 0.071 nats, accuracy 99.8 % at step 1,500."
    )
    no_test = TRAINING.assign(test_loss=math.nan, train_accuracy=[0.0, 1.0])
    assert run_finding(no_test, None, kinds()) == (
        "Train loss is 0.02 nats, accuracy 100.0 % at step 1,500; no circuit."
    )


def test_doubtful_estimates_are_counted() -> None:
    doubtful = LLC.assign(status=["not converged", "converged", "escaped"])
    assert run_finding(TRAINING, doubtful, None).endswith("; 1 of 3 estimates of λ̂ converged.")
    alone = LLC.iloc[:1].assign(status="escaped")
    assert (
        run_finding(None, alone, None)
        == "The learning coefficient λ̂ is 80.0 ± 3.9 at step 0; the estimate: escaped."
    )
    lost = LLC.assign(llc=math.nan)
    assert run_finding(None, lost, None) == "No chain gave an estimate of λ̂."


def test_training_that_diverged_comes_first() -> None:
    said = run_finding(TRAINING, None, None, diverged_before=1600)
    assert said.startswith("Training diverged before step 1,600; test loss is 0.071 nats")


def test_a_run_that_has_nothing_yet() -> None:
    assert run_finding(None, None, None) == "Training has not come to its end."


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "no circuit"),
        (("clock",), "1 circuit: clock"),
        (("clock", "pizza", "clock"), "3 circuits: 2 clock, 1 pizza"),
        (("neither",) * 11, "11 circuits: all of neither kind"),
        (
            ("clock", "neither", "pizza"),
            "3 circuits: 1 clock, 1 pizza, 1 of neither kind",
        ),
    ],
)
def test_circuits_by_number_and_kind(names: tuple[str, ...], said: str) -> None:
    assert circuits_clause(kinds(*names)) == said
