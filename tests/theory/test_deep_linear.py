import numpy as np
import pytest

import lambdascope as ls
from lambdascope.theory import deep_linear_network
from tests.theory.codimension import twice_the_coefficient


@pytest.mark.parametrize(
    ("widths", "rank", "llc", "multiplicity"),
    [
        ((10, 10), 10, 50, 1),
        ((5, 3, 5), 3, 21 / 2, 1),
        ((5, 3, 5), 0, 13 / 2, 2),
        ((2, 2, 2), 0, 3 / 2, 1),
        ((2, 2, 2, 2), 0, 3 / 2, 3),
        ((2, 2, 2, 2), 1, 2, 3),
        ((3, 8, 4), 3, 6, 1),
        ((4, 3, 5, 2, 6), 1, 11 / 2, 1),
    ],
)
def test_table(widths, rank, llc, multiplicity):
    found = deep_linear_network(widths, rank)
    assert (found.llc, found.multiplicity) == (llc, multiplicity)


def random_networks(count=1500, deepest=9, widest=14):
    rng = np.random.default_rng(0)
    for _ in range(count):
        widths = rng.integers(1, widest + 1, size=rng.integers(2, deepest + 1)).tolist()
        yield widths, int(rng.integers(0, min(widths) + 1))


def test_agrees_with_the_codimension_of_the_fibre():
    for widths, rank in random_networks():
        assert 2 * deep_linear_network(widths, rank).llc == twice_the_coefficient(widths, rank), (
            widths,
            rank,
        )


def test_twice_the_coefficient_is_an_integer_and_the_order_of_inner_widths_does_not_matter():
    rng = np.random.default_rng(1)
    for widths, rank in random_networks(400):
        found = deep_linear_network(widths, rank)
        assert (2 * found.llc).is_integer()
        assert deep_linear_network(widths[::-1], rank) == found
        inner = rng.permutation(widths[1:-1]).tolist()
        assert deep_linear_network([widths[0], *inner, widths[-1]], rank) == found


def test_at_full_rank_only_the_maps_of_that_rank_count():
    for widths, _ in random_networks(400):
        rank = min(widths)
        found = deep_linear_network(widths, rank)
        assert found.llc == rank * (widths[0] + widths[-1] - rank) / 2
        assert found.multiplicity == 1


def test_impossible_networks_are_refused():
    with pytest.raises(ls.LambdascopeError, match=r"widths=\[3\]: a sequence of 2 or more"):
        deep_linear_network([3], 1)
    with pytest.raises(ls.LambdascopeError, match=r"widths\[1\]=0: an integer ≥ 1"):
        deep_linear_network([3, 0, 2], 0)
    with pytest.raises(ls.LambdascopeError, match="rank=3: an integer ≥ 0 and ≤ 2"):
        deep_linear_network([3, 2, 4], 3)
