import itertools

import pytest

import lambdascope as ls
from lambdascope.theory import deep_linear_network, reduced_rank_regression


@pytest.mark.parametrize(
    ("sizes", "llc", "multiplicity", "case"),
    [
        ((5, 3, 5, 3), 21 / 2, 1, 1),
        ((5, 3, 5, 0), 13 / 2, 2, 1),
        ((2, 2, 2, 0), 3 / 2, 1, 1),
        ((2, 2, 7, 1), 9 / 2, 1, 2),
        ((7, 2, 2, 1), 9 / 2, 1, 3),
        ((3, 8, 4, 3), 6, 1, 4),
    ],
)
def test_table_over_the_four_cases(sizes, llc, multiplicity, case):
    found = reduced_rank_regression(*sizes)
    assert (found.llc, found.multiplicity) == (llc, multiplicity)
    assert found.source.endswith(f"case {case}")


def test_agrees_with_the_deep_formula_for_every_small_network():
    for m, h, n in itertools.product(range(1, 8), repeat=3):
        for rank in range(min(m, h, n) + 1):
            two, deep = reduced_rank_regression(m, h, n, rank), deep_linear_network([m, h, n], rank)
            assert (two.llc, two.multiplicity) == (deep.llc, deep.multiplicity), (m, h, n, rank)


def test_over_parametrised_models_have_more_than_the_dimension_of_the_maps():
    # r(M+N−r)/2 is half the dimension of the maps of rank r, and λ where H = r; beyond that it is
    # too low, and half the number of free parameters, H(M+N−H)/2, too high.
    assert reduced_rank_regression(6, 2, 6, 2).llc == 2 * (6 + 6 - 2) / 2
    assert reduced_rank_regression(6, 4, 6, 2).llc == 13.5


def test_impossible_sizes_are_refused():
    with pytest.raises(ls.LambdascopeError, match="hidden=0: an integer ≥ 1"):
        reduced_rank_regression(3, 0, 3, 0)
    with pytest.raises(ls.LambdascopeError, match="rank=4: an integer ≥ 0 and ≤ 3"):
        reduced_rank_regression(3, 5, 6, 4)
