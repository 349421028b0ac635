import math

import numpy as np
import pandas as pd
import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.runs.settings import contents, rewritten, stands
from lambdascope.runs.tables import read_table, write_table

SETTINGS = {
    "step_size": 1e-3,
    "nbeta": 2668 / math.log(2668),
    "num_steps": 3000,
    "parameters": "all",
    "modes": "3",
    "tied": True,
    "burnin": None,
}


@pytest.fixture
def path(tmp_path):
    table = pd.DataFrame({"checkpoint": [0, 5], "llc": [1.5, math.nan]}).assign(**SETTINGS)
    write_table(tmp_path / "llc.csv", table)
    return tmp_path / "llc.csv"


def test_the_same_settings_stand(path):
    assert stands(path, SETTINGS, checkpoints=[0, 5])
    assert stands(path, {**SETTINGS, "step_size": np.float64(1e-3), "burnin": math.nan})
    # Written again, as a command that adds rows does.
    write_table(path, read_table(path))
    assert stands(path, SETTINGS, checkpoints=[0, 5])


def test_what_became_of_results_that_stood(path, tmp_path):
    before = contents([path])
    write_table(path, read_table(path))
    assert "to the same numbers" in rewritten(before, contents([path]))
    write_table(path, read_table(path).assign(llc=2.0))
    assert "with other numbers" in rewritten(before, contents([path]))
    assert rewritten(contents([path, tmp_path / "none.csv"]), before * 2) == ""


def test_where_nothing_stands_or_all_is_replaced_there_is_nothing_to_refuse(path, tmp_path):
    assert not stands(tmp_path / "other.csv", SETTINGS)
    assert not stands(path, {**SETTINGS, "step_size": 1.0}, overwrite=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step_size": 2e-3}, r"step_size 0\.001 there, 0\.002 now"),
        ({"step_size": 1e-3 * (1 + 1e-15)}, r"step_size 0\.001 there, 0\.00100000"),
        ({"tied": False}, "tied True there, False now"),
        ({"burnin": 0.5}, r"burnin none there, 0\.5 now"),
        ({"parameters": None}, "parameters all there, none now"),
        ({"modes": "3 5"}, "modes 3 there, 3 5 now"),
        ({"seed": 0}, "seed is not recorded there"),
        ({"tied": False, "seed": 0}, "tied True there, False now"),
    ],
)
def test_other_settings_are_refused_by_name(path, changes, said):
    with pytest.raises(LambdascopeError, match=rf"results of other settings \({said}.*--overwrite"):
        stands(path, {**SETTINGS, **changes})


def test_what_another_sampler_lacks_is_not_listed_beside_it(path):
    with pytest.raises(LambdascopeError) as refused:
        stands(path, {**SETTINGS, "tied": False, "seed": 0})
    assert "seed" not in str(refused.value)


def test_other_checkpoints_are_other_settings(path):
    with pytest.raises(LambdascopeError, match=r"checkpoints \[0, 5\] there, \[0\] now"):
        stands(path, SETTINGS, checkpoints=[0])
    with pytest.raises(LambdascopeError, match=r"checkpoints \[0, 5\] there, \[0, 1, … 24\] now"):
        stands(path, SETTINGS, checkpoints=range(25))


def test_a_broken_table_is_refused(path):
    path.write_text("")
    with pytest.raises(LambdascopeError, match="is no CSV table"):
        stands(path, SETTINGS)
