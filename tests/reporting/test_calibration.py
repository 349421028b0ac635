import numpy as np
import pandas as pd
import pytest

from lambdascope.reporting.calibration_figure import calibration_figure
from lambdascope.reporting.calibration_text import (
    calibration_table_text,
    ranking_text,
    verdicts_text,
)


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "group": ["potential", "linear, class 1K", "linear, class 1K", "complex"],
            "system": ["x²y²", "5-3-5, rank 1", "5-3-5, rank 1", "silu"],
            "sampler": ["SGLD", "SGLD", "RMSpropSGLD", "SGLD"],
            "exact": [0.5, 8.0, 8.0, np.nan],
            "exact_finite_n": [0.33, np.nan, np.nan, np.nan],
            "llc": [0.335, 7.9, np.nan, 20.0],
            "llc_stderr": [0.002, 0.1, np.nan, 0.3],
            "ratio": [0.67, 0.9875, np.nan, np.nan],
            "seconds": [1.25, 3.0, 4.0, 2.0],
            "verdict": ["agrees", "agrees", "diverged", "no exact answer"],
            "reason": ["multiplicity 2", "", "", "λ is not known"],
        }
    )


def test_text_has_a_heading_a_group_and_empty_cells_for_the_unknown(table):
    lines = calibration_table_text(table).splitlines()
    assert lines[0].split()[0] == "system"
    assert [line for line in lines if line in set(table["group"])] == [
        "potential",
        "linear, class 1K",
        "complex",
    ]
    crossing = next(line for line in lines if line.startswith("x²y²"))
    assert "0.33" in crossing
    assert "0.3350 ± 0.0039" in crossing
    assert crossing.endswith("agrees           multiplicity 2")
    assert "nan" not in "\n".join(lines)


def test_ranking_says_what_it_compares_with():
    summary = pd.DataFrame(
        [
            {
                "group": "linear, class 1K",
                "sampler": "SGLD",
                "num_systems": 12,
                "median_error": 0.019,
                "share_ordered": 0.985,
                "model_median_error": 0.031,
            }
        ]
    )
    text = ranking_text(summary)
    assert "1.9 % (3.1 % beside the model's smallest λ), 98.5 % of pairs" in text


def test_figure_shows_what_is_known_against_the_diagonal(table):
    figure = calibration_figure(table, title="Title")
    upper, lower = figure.axes
    assert (upper.get_xscale(), upper.get_yscale()) == ("log", "log")
    assert "Exact λ" in lower.get_xlabel()
    diagonal = upper.lines[0].get_xydata()
    assert np.allclose(diagonal[:, 0], diagonal[:, 1])
    points = [
        tuple(line.get_xydata()[0]) for line in upper.lines[1:] if line.get_marker() != "None"
    ]
    assert {(0.33, 0.335), (8.0, 7.9)} <= set(points)
    assert len([p for p in points if p[0] > 0.1]) == 2  # neither NaN nor the unknown


def test_the_rows_are_counted_by_verdict(table):
    said = verdicts_text(table)
    assert "Of 4 rows, 2 agree within three standard errors, 1 diverged, 1 have no exact" in said
    assert "where that is known (1 rows)" in said
    every = {"agrees", "within 5 %", "low", "high", "diverged", "no exact answer"}
    each = table.loc[[0] * len(every)].assign(verdict=sorted(every))
    assert verdicts_text(each).count("1 ") >= len(every)
