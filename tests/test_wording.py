"""Numbers and tables as a reader wants them."""

import math

import pytest

from lambdascope.wording import aligned, checkpoints_named, number, shown, with_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (88.04, 5.31, "88.0 ± 5.3"),
        (710.4, 15.1, "710 ± 15"),
        (1234.5, 120.0, "1,234 ± 120"),
        (0.52, 0.0123, "0.520 ± 0.012"),
        (592.0, math.nan, "592 ± –"),
        (0.012345, 1.2e-5, "0.012345 ± 0.000012"),
        (1.234e-7, 2.1e-9, "(1.234 ± 0.021)e-7"),
        (-3e-8, 5.2e-7, "(-0.3 ± 5.2)e-7"),
        (4.5, 1.2e-15, "4.500000 ± 1.2e-15"),
        (4e-9, 3e-25, "(4.000000 ± 3.0e-16)e-9"),
        (math.nan, math.nan, "–"),
    ],
)
def test_a_value_is_given_to_the_precision_of_its_error(
    value: float, error: float, text: str
) -> None:
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (592.4, "592"),
        (48.13, "48.1"),
        (0.62, "0.62"),
        (0.0263, "0.026"),
        (0, "0.00"),
        (math.nan, "–"),
        (math.inf, "∞"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_what_is_no_number_is_a_dash_in_any_form() -> None:
    assert shown(1.0349, ".3f") == "1.035"
    assert [shown(value, ".3f") for value in (math.nan, math.inf, -math.inf)] == ["–", "∞", "−∞"]


def test_columns_are_aligned_and_a_hat_takes_no_room() -> None:
    rows = [["λ\u0302", "name"], ["1.5", "a"], ["10", "much longer"]]
    assert aligned(rows, left={1}) == "  λ\u0302  name\n1.5  a\n 10  much longer"
    assert aligned([["a", "b"], ["1", "22"]]) == "a   b\n1  22"


@pytest.mark.parametrize(
    ("which", "brief", "text"),
    [
        ([3], False, "checkpoint 3"),
        ([3, 7], True, "checkpoints 3, 7"),
        ([0, 1, 2, 3, 24], False, "checkpoints 0, 1, 2, 3, 24"),
        ([0, 1, 2, 3, 24], True, "checkpoints 0, 1, … 24"),
    ],
)
def test_checkpoints_are_named(which: list[int], brief: bool, text: str) -> None:
    assert checkpoints_named(which, brief=brief) == text
