import numpy as np
import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.formation import (
    first_lasting,
    formation,
    power_shares,
    relative_magnitudes,
    rise_by_chance,
)
from lambdascope.modular_addition.modes import mode_magnitudes


def formation_index(*arguments):
    found = formation(*arguments)
    return None if found is None else found.formed


RISING = np.exp(np.arange(10.0))


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([1, 1, 1, 5, 5, 5], 3),
        ([6, 5, 4, 2, 2, 8, 8, 7, 7], 5),  # noise decays first, the circuit fades later
        ([9, 6, 4, 2, 2, 7, 7, 6, 5], 5),  # others have taken its share since
        ([1, 1.2, 2, 5, 8.5, 9.8, 10], 4),  # a smooth rise: 8.5 is nearer the top than 5
        ([0, 0, 0, 0, 1], 4),
        ([1, 2], 1),
        ([3, 2, 1], None),
        ([2, 2, 2], None),
        ([4], None),
        ([], None),
    ],
)
def test_the_first_checkpoint_of_the_upper_level(shares, expected):
    assert formation_index(shares, RISING[: len(shares)]) == expected


def test_what_ends_no_farther_from_the_median_than_it_began_has_not_formed():
    shares = [1, 1, 5, 5]
    assert formation_index(shares, [1, 1, 2, 2]) == 2
    assert formation_index(shares, [2, 2, 3, 2]) is None


def test_a_rise_that_chance_gives_is_none():
    shares, relative = [1, 1, 5, 5], np.exp([1, 1, 1.5, 1.5])
    assert formation_index(shares, relative, 0.4) == 2
    assert formation_index(shares, relative, 0.6) is None


def test_shares_add_up_and_know_no_scale():
    embedding = torch.randn(22, 8, generator=torch.Generator().manual_seed(0))
    shares = power_shares(embedding)
    assert shares.shape == (11,)
    assert shares.sum() == pytest.approx(1)
    power = mode_magnitudes(embedding.double())[1:].numpy() ** 2
    np.testing.assert_allclose(power_shares(3 * embedding), power / power.sum())


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
    power = np.ones((6, 10))
    power[:, 1:] *= np.array([1, 0.9, 0.7, 0.2, 0.16, 0.16])[:, None]
    shares, relative = (
        (power / power.sum(1, keepdims=True))[:, 0],
        np.sqrt(power[:, 0] / power[:, 1]),
    )
    assert formation_index(shares, relative, rise_by_chance(12, 26)) == 3


def test_others_that_decay_for_ever_do_not_put_off_the_date():
    """A circuit forms at 3; from there on the other modes halve at every checkpoint."""
    others = np.array([1, 1, 1, *(0.5**k for k in range(9))])
    own = np.where(np.arange(12) < 3, 1, 100)
    shares, relative = own / (own + 25 * others), np.sqrt(own / others)
    assert formation_index(shares, relative, rise_by_chance(12, 26)) == 3
    assert formation_index(relative, relative) > 3


def test_a_strong_circuits_date_is_the_same_wherever_the_run_ends():
    """A logistic rise at checkpoint 10, other modes decaying slowly ever after."""
    steps = np.arange(80)
    own = 1 + 99 / (1 + np.exp(-(steps - 10.0)))
    others = np.exp(-0.02 * steps)
    shares, relative = own / (own + 25 * others), np.sqrt(own / others)
    dates = {end: formation_index(shares[:end], relative[:end]) for end in (15, 20, 40, 80)}
    assert set(dates.values()) <= {8, 9, 10}, dates


def test_the_date_goes_by_steps_and_not_by_how_densely_checkpoints_lie():
    """A rise that slows down, looked at evenly and with checkpoints crowded early."""
    even = np.arange(0, 1001, 10)
    crowded = np.unique(np.geomspace(1, 1000, 100).astype(int))
    dates = []
    for steps in (even, crowded):
        shares = 1 - np.exp(-steps / 200)
        found = formation(shares, np.exp(shares), 0.0, steps)
        dates.append(steps[found.formed])
    assert dates[1] == pytest.approx(dates[0], abs=25)  # checkpoints lie 15 to 20 apart there
    by_place = formation(shares, np.exp(shares))
    assert crowded[by_place.formed] < dates[0] - 50  # by places the date follows the crowd


def test_the_span_of_a_rise_is_from_a_tenth_to_nine_tenths():
    shares = [0.0, 0.0, 0.05, 0.3, 0.6, 0.85, 0.95, 1.0, 0.9]
    found = formation(shares, RISING[: len(shares)])
    assert (found.rise_begins, found.rise_ends) == (2, 6)
    sudden = formation([1, 1, 1, 5, 5, 5], RISING[:6])
    assert (sudden.rise_begins, sudden.formed, sudden.rise_ends) == (2, 3, 3)
    twice = formation([0.0, 0.9, 0.05, 1.0, 1.0], [1, 3, 2, 3, 3])
    assert (twice.rise_begins, twice.formed, twice.rise_ends) == (2, 3, 3)


@pytest.mark.parametrize(
    ("relative", "steps", "said"),
    [
        ([1.0, 2.0], None, "have 3, 2 and 3 checkpoints"),
        ([1.0, 0.0, 2.0], None, "relative holds 0.0: positive"),
        ([1.0, 2.0, 3.0], [0, 10, 10], "steps do not rise"),
    ],
)
def test_what_is_no_course_of_training_is_refused(relative, steps, said):
    with pytest.raises(LambdascopeError, match=said):
        formation([0.0, 0.5, 1.0], relative, 0.0, steps)


def test_a_single_hit_is_no_find_and_later_checkpoints_do_not_move_it():
    assert first_lasting([False, True, False, False, True, True]) == 4
    assert first_lasting([False, False, True]) == 2
    assert first_lasting([False, True, False]) is None
    found = [False, True, True, False, True]
    assert {first_lasting(found[:end]) for end in range(3, 6)} == {1}
