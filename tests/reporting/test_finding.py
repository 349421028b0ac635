"""What a table says, in words."""

import math

import pandas as pd
import pytest

from lambdascope.reporting.finding import llc_finding, llc_headline


def curve(*llc: float, stderr: float = 1.0) -> pd.DataFrame:
    count = len(llc)
    return pd.DataFrame(
        {
            "step": [100 * index for index in range(count)],
            "llc": llc,
            "llc_stderr": [stderr] * count,
            "train_loss": [4.0 / (index + 1) for index in range(count)],
            "test_loss": [5.0 / (index + 1) for index in range(count)],
            "status": [
                "all chains diverged" if math.isnan(value) else "converged" for value in llc
            ],
        }
    )


def doubting(table: pd.DataFrame, *rows: int, status: str = "not converged") -> pd.DataFrame:
    return table.assign(
        status=[status if i in rows else held for i, held in enumerate(table["status"])]
    )


@pytest.mark.parametrize(
    ("llc", "words"),
    [
        ((88, 710, 592), "peaks at 710 (step 100), then falls to 592"),
        ((88, 400, 592), "rises from 88.0 to 592"),
        ((592, 400, 88), "falls from 592 to 88.0"),
        ((100, 100.5, 100), "stays near 100 to step 200"),
        ((592,), "λ̂ is 592 at step 0"),
        ((math.nan, math.nan), "No chain gave an estimate"),
        ((88, math.nan, 592), "rises from 88.0 to 592"),
    ],
)
def test_the_headline_names_the_shape(llc: tuple[float, ...], words: str) -> None:
    assert words in llc_headline(curve(*llc))


def test_a_peak_within_the_errors_is_no_peak() -> None:
    table = curve(88, 600, 592, stderr=10)
    assert "peaks" not in llc_headline(table)
    assert "peaks" in llc_headline(curve(88, 600, 592, stderr=1))


def test_the_finding_has_intervals_and_losses() -> None:
    assert llc_finding(curve(88, 710, 592, stderr=2)) == (
        "From λ̂ = 88.0 ± 3.9 at step 0 the coefficient rises to a peak of λ̂ = 710.0 ± 3.9 "
        "at step 100 (train loss 2.00, test loss 2.50) and falls to λ̂ = 592.0 ± 3.9 "
        "at step 200 (train loss 1.33, test loss 1.67); ± gives 95 % intervals."
    )


def test_without_a_test_set_no_test_loss_is_named() -> None:
    table = curve(592).assign(test_loss=math.nan)
    assert llc_finding(table) == (
        "λ̂ = 592.0 ± 2.0 at step 0 (train loss 4.00); ± gives a 95 % interval."
    )


def test_a_peak_that_has_not_converged_is_not_stated_as_one() -> None:
    table = doubting(curve(88, 600, 900, 610, 592), 2)
    assert llc_headline(table) == (
        "Learning coefficient λ̂ peaks at 610 (step 300), then falls to 592; "
        "higher where not converged"
    )
    said = llc_finding(table)
    assert "a peak of λ̂ = 610.0 ± 2.0 at step 300" in said
    assert said.endswith(
        "Left out: 1 of 5 checkpoints (not converged at step 200). The highest of those, 900 at "
        "step 200, is above the rest."
    )


def test_an_end_that_has_not_converged_is_not_stated_as_one() -> None:
    table = doubting(curve(88, 600, 500, 400, 300), 3, 4)
    assert llc_headline(table) == (
        "Learning coefficient λ̂ peaks at 600 (step 100), then falls to 500; "
        "not converged after step 200"
    )
    said = llc_finding(table)
    assert "falls to λ̂ = 500.0 ± 2.0 at step 200" in said
    assert "(not converged at steps 300, 400)" in said
    begun = doubting(curve(5, 88, 200, 400, 600), 0)
    assert llc_headline(begun).endswith("rises from 88.0 to 600; not converged before step 100")


def test_kinds_of_doubt_are_told_apart_and_many_steps_cut_short() -> None:
    table = doubting(curve(*range(100, 1300, 100)), *range(3, 12))
    table = doubting(table, 4, status="escaped")
    assert (
        "Left out: 9 of 12 checkpoints (not converged at steps 300, 500, 600, 700, 800, 900 and 2 "
        "more; escaped at step 400)." in llc_finding(table)
    )


def test_without_converged_checkpoints_the_others_are_read_as_what_they_are() -> None:
    table = doubting(curve(88, 710, 592), 0, 1, 2, status="too few samples")
    assert llc_headline(table).endswith("then falls to 592 (0 of 3 checkpoints converged)")
    assert llc_finding(table) == (
        "From λ̂ = 88.0 ± 2.0 at step 0 (too few samples) the coefficient rises to a peak of "
        "λ̂ = 710.0 ± 2.0 at step 100 (too few samples, train loss 2.00, test loss 2.50) and falls "
        "to λ̂ = 592.0 ± 2.0 at step 200 (too few samples, train loss 1.33, test loss 1.67); ± "
        "gives 95 % intervals, not to be relied on until the chains converge."
    )
    alone = doubting(curve(592), 0)
    assert llc_headline(alone) == "Learning coefficient λ̂ is 592 at step 0 (not converged)"
    assert "at step 0 (not converged, train loss 4.00" in llc_finding(alone)


def test_a_part_of_the_parameters_and_the_kind_of_error_are_named() -> None:
    table = curve(88, 400, 592).assign(parameters="embedding*,unembedding*", sampler="SGLD")
    assert llc_headline(table).startswith(
        "Learning coefficient λ̂ of embedding*, unembedding* rises from 88.0"
    )
    said = llc_finding(table)
    assert "the coefficient of embedding*, unembedding* alone rises to" in said
    assert said.endswith("± gives 95 % intervals, of the sampling error alone.")
    whole = curve(88, 400, 592).assign(parameters="all", sampler="automatic")
    assert llc_finding(whole) == llc_finding(curve(88, 400, 592))


def test_an_error_above_the_target_is_no_reason_for_doubt() -> None:
    short = doubting(curve(88, 710, 592), 0, 1, 2, status="target not reached")
    assert "peaks at 710 (step 100), then falls to 592" in llc_headline(short)
    assert "converged)" not in llc_headline(short)
    assert "not to be relied on" not in llc_finding(short)
