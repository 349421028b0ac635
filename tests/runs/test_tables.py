import numpy as np
import pandas as pd
import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.runs.tables import read_table, write_table


def test_round_trip_to_the_bit(tmp_path):
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "step": np.arange(1000),
            "llc": random.normal(size=1000) * 10.0 ** random.integers(-300, 300, 1000),
            "loss": random.normal(size=1000).astype(np.float32),
            "converged": [True, False] * 500,
            "status": ["ok", "NA", "nan, truly", 'with "quotes"'] * 250,
        }
    )
    table.loc[3, "llc"] = np.nan
    table.loc[4, "llc"] = np.inf
    write_table(tmp_path / "llc.csv", table)
    read = read_table(tmp_path / "llc.csv")
    assert read["step"].dtype == np.int64
    np.testing.assert_array_equal(read["llc"], table["llc"])
    np.testing.assert_array_equal(read["loss"], table["loss"].astype(np.float64))
    assert read["converged"].dtype == np.bool_
    assert list(read["converged"]) == list(table["converged"])
    assert list(read["status"]) == list(table["status"])


def test_missing_values_stay_missing(tmp_path):
    table = pd.DataFrame({"test_loss": [np.nan, np.nan], "advice": [None, "lower the step"]})
    write_table(tmp_path / "x.csv", table)
    read = read_table(tmp_path / "x.csv")
    assert read["test_loss"].dtype == np.float64
    assert read["test_loss"].isna().all()
    assert list(read["advice"].isna()) == [True, False]
    assert read["advice"][1] == "lower the step"


def test_whole_numbers_of_more_than_64_bits_are_read_exactly(tmp_path):
    write_table(
        tmp_path / "x.csv", pd.DataFrame({"seed": [2**70, 1], "step": [1, 2]}, dtype=object)
    )
    read = read_table(tmp_path / "x.csv")
    assert read["seed"].tolist() == [2**70, 1]
    assert read["step"].dtype == np.int64


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(LambdascopeError, match=r"llc\.csv does not exist"):
        read_table(tmp_path / "llc.csv")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n1,2,3\n", b"a,b\n\xff\xfe,1\n"])
def test_what_is_no_table_is_refused(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(LambdascopeError, match="is no CSV table"):
        read_table(tmp_path / "x.csv")
