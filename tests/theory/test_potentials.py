import pytest

import lambdascope as ls
from lambdascope.theory import normal_crossing, regular_model, sum_of_powers


@pytest.mark.parametrize(
    ("found", "llc", "multiplicity"),
    [
        (regular_model(1), 0.5, 1),
        (regular_model(7), 3.5, 1),
        (sum_of_powers([2, 2, 2]), 1.5, 1),
        (sum_of_powers([2, 4, 6]), 1 / 2 + 1 / 4 + 1 / 6, 1),
        (normal_crossing([2]), 0.5, 1),
        (normal_crossing([2, 2]), 0.5, 2),
        (normal_crossing([2, 4]), 0.25, 1),
        (normal_crossing([4, 2, 4, 4]), 0.25, 3),
    ],
)
def test_table(found, llc, multiplicity):
    assert found.llc == pytest.approx(llc, rel=1e-15)
    assert found.multiplicity == multiplicity


@pytest.mark.parametrize("function", [sum_of_powers, normal_crossing])
@pytest.mark.parametrize("powers", [[], 3, "24", None])
def test_powers_come_as_a_sequence(function, powers):
    with pytest.raises(ls.LambdascopeError, match=r"powers=.*a sequence of integers ≥ 1"):
        function(powers)


def test_impossible_numbers_are_named():
    with pytest.raises(ls.LambdascopeError, match=r"powers\[1\]=0: an integer ≥ 1"):
        sum_of_powers([2, 0])
    with pytest.raises(ls.LambdascopeError, match=r"powers\[0\]=2\.5: an integer ≥ 1"):
        normal_crossing([2.5])
    with pytest.raises(ls.LambdascopeError, match="dimension=0: an integer ≥ 1"):
        regular_model(0)
