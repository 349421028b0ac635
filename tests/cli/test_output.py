"""Results as JSON."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lambdascope.cli.output import as_json


@dataclass
class Part:
    path: Path
    _hidden: int = 0


@dataclass
class Result:
    table: pd.DataFrame
    parts: list[Part]
    seconds: dict[str, float]
    none: None = None


def test_a_result_is_one_object_in_one_line() -> None:
    table = pd.DataFrame(
        {
            "step": np.arange(2),
            "llc": [1.5, math.nan],
            "rhat": [math.inf, 1.0],
            "converged": [True, False],
            "status": ["λ̂", None],
        }
    )
    text = as_json(Result(table, [Part(Path("runs/p53"))], {"sample": np.float64(0.25)}))
    assert "\n" not in text
    assert json.loads(text) == {
        "table": [
            {"step": 0, "llc": 1.5, "rhat": None, "converged": True, "status": "λ̂"},
            {"step": 1, "llc": None, "rhat": 1.0, "converged": False, "status": None},
        ],
        "parts": [{"path": "runs/p53"}],
        "seconds": {"sample": 0.25},
        "none": None,
    }


def test_what_has_no_form_is_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match="object has no form in JSON yet"):
        as_json(object())
