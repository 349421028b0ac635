"""The stored results are those of the benchmark as it stands."""

import json

import pytest

from benchmarks.circuit_search import RESULT
from benchmarks.circuit_search_text import show


def test_the_stored_search_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    stored = json.loads(RESULT.read_text(encoding="utf-8"))
    show(stored["result"])
    assert "500 of 500 counted exactly" in capsys.readouterr().out
    assert not stored["environment"]["uncommitted_changes"]
