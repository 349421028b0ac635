import numpy as np
import pytest
import torch

from lambdascope.modular_addition.formation import (
    formation_index,
    relative_magnitudes,
    rise_by_chance,
)
from lambdascope.modular_addition.modes import mode_magnitudes


@pytest.mark.parametrize(
    ("magnitudes", "expected"),
    [
        ([1, 1, 1, 5, 5, 5], 3),
        ([6, 5, 4, 2, 2, 8, 8, 7, 7], 5),  # noise decays first, the circuit fades later
        ([9, 6, 4, 2, 2, 7, 7, 6, 5], None),  # it ends below where it began
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


def test_a_rise_that_chance_gives_is_none():
    assert formation_index([1, 1, 1.5, 1.5], least_rise=0.4) == 2
    assert formation_index([1, 1, 1.5, 1.5], least_rise=0.6) is None


def test_against_the_median_what_all_modes_do_is_nothing():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(23, 8, generator=generator)
    relative = relative_magnitudes(embedding)
    assert relative.shape == (11,)
    assert np.median(relative) == 1
    np.testing.assert_allclose(relative_magnitudes(0.01 * embedding), relative)
    magnitudes = mode_magnitudes(embedding.double())[1:].numpy()
    np.testing.assert_allclose(relative, magnitudes / np.median(magnitudes))


def test_random_embeddings_hardly_ever_rise():
    """Of 400 pairs of unrelated embeddings, 5 % should show a mode that rose by so much."""
    least = rise_by_chance(12, 26, 0.05)
    rng = torch.Generator().manual_seed(1)
    before, after = (
        np.array([relative_magnitudes(torch.randn(53, 12, generator=rng)) for _ in range(400)])
        for _ in range(2)
    )
    found = (np.log(after / before).max(axis=1) > least).mean()
    assert 0.01 <= found <= 0.08


def test_a_mode_that_only_keeps_its_size_while_others_fade_has_formed():
    """All modes decay by half; one does not, and in itself never rises."""
    relative = np.log([1.0, 1.05, 1.2, 2.2, 2.4, 2.4])
    assert formation_index(relative, rise_by_chance(12, 26)) == 3


def test_others_that_decay_for_ever_do_not_put_off_the_date():
    """A circuit forms at 3; from there on the other modes halve at every checkpoint but two."""
    ratios = [1, 1, 1, 10, 12, 14, 17, 20, 24, 29]
    assert formation_index(np.log(ratios), rise_by_chance(12, 26)) == 3
    assert formation_index(ratios) > 3
