import pytest

from lambdascope.modular_addition.formation import formation_index


@pytest.mark.parametrize(
    ("magnitudes", "expected"),
    [
        ([1, 1, 1, 5, 5, 5], 3),
        ([9, 6, 4, 2, 2, 7, 7, 6, 5], 5),  # noise decays first, the circuit fades later
        ([1, 1.2, 2, 5, 8.5, 9.8, 10], 4),  # a smooth rise: 8.5 is nearer the top than 5
        ([0, 0, 0, 0, 1], 4),
        ([1, 2], 1),
        ([3, 2, 1], None),
        ([2, 2, 2], None),
        ([4], None),
        ([], None),
    ],
)
def test_the_first_checkpoint_of_the_upper_level(magnitudes, expected):
    assert formation_index(magnitudes) == expected
