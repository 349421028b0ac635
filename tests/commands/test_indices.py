"""Lists of whole numbers as people write them."""

import pytest

from lambdascope.commands.indices import parse_indices


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", (0,)),
        ("0,5,24", (0, 5, 24)),
        ("0..4", (0, 1, 2, 3, 4)),
        (" 0 .. 2 , 24", (0, 1, 2, 24)),
        ("3..3", (3,)),
        ("7,1", (7, 1)),
    ],
)
def test_it_reads_lists_and_ranges(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_indices(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "1,,2", "4..1", "-1", "1.5", "0..", "0..10000000000"])
def test_it_refuses_anything_else_and_says_what_it_takes(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 0,5,24 or a rising range such as 0\.\.24"):
        parse_indices(text)


def test_it_refuses_a_number_that_comes_twice() -> None:
    with pytest.raises(ValueError, match="once only"):
        parse_indices("0..4,3")
