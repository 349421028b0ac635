"""What a table says, in words."""

import math

import pandas as pd
import pytest

from lambdascope.reporting.finding import llc_finding, llc_headline, number, with_error


def curve(*llc: float, stderr: float = 1.0) -> pd.DataFrame:
    count = len(llc)
    return pd.DataFrame(
        {
            "step": [100 * index for index in range(count)],
            "llc": llc,
            "llc_stderr": [stderr] * count,
            "train_loss": [4.0 / (index + 1) for index in range(count)],
            "test_loss": [5.0 / (index + 1) for index in range(count)],
        }
    )


@pytest.mark.parametrize(
    ("llc", "words"),
    [
        ((88, 710, 592), "peaks at 710 (step 100), then falls to 592"),
        ((88, 400, 592), "rises from 88.0 to 592"),
        ((592, 400, 88), "falls from 592 to 88.0"),
        ((100, 100.5, 100), "stays near 100 to step 200"),
        ((592,), "= 592 at step 0"),
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


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (88.04, 5.31, "88.0 ± 5.3"),
        (710.4, 15.1, "710 ± 15"),
        (1234.5, 120.0, "1,234 ± 120"),
        (0.52, 0.0123, "0.520 ± 0.012"),
        (592.0, math.nan, "592 ± unknown"),
        (math.nan, math.nan, "unknown ± unknown"),
    ],
)
def test_a_value_is_given_to_the_precision_of_its_error(
    value: float, error: float, text: str
) -> None:
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(592.4, "592"), (48.13, "48.1"), (0.62, "0.62"), (0.0263, "0.026"), (0, "0.00")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
