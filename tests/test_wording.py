"""Numbers and tables as a reader wants them."""

import math

import pytest

from lambdascope.wording import aligned, number, with_error


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


def test_columns_are_aligned_and_a_hat_takes_no_room() -> None:
    rows = [["λ\u0302", "name"], ["1.5", "a"], ["10", "much longer"]]
    assert aligned(rows, left={1}) == "  λ\u0302  name\n1.5  a\n 10  much longer"
    assert aligned([["a", "b"], ["1", "22"]]) == "a   b\n1  22"
