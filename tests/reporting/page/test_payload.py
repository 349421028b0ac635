"""Numbers for the page's scripts."""

import json
import math

import numpy as np
import pytest

from lambdascope.reporting.page.payload import rounded, script_json


def test_numbers_are_rounded_and_what_is_none_is_null() -> None:
    assert rounded(np.array([[0.123456, math.nan], [math.inf, 20000.4]])) == [
        [0.1235, None],
        [None, 20000],
    ]
    assert rounded([3, True, "k", None, 1.0]) == [3, True, "k", None, 1]
    assert rounded(0.123456, 2) == 0.12
    assert rounded(-1e-30) == -1e-30


def test_no_character_can_end_the_script_element() -> None:
    hostile = {"</script><script>alert(1)</script>": "&amp; \u2028 λ̂"}
    text = script_json(hostile)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == hostile


def test_a_nan_that_is_left_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="JSON"):
        script_json({"loss": math.nan})
