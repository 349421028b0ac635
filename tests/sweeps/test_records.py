"""Records of cells, and the lock on their directory."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.runs.versions import versions_here
from lambdascope.sweeps import CellRecords, Outcome
from tests.sweeps.cells import cell

HOLD = """
import sys, time
from lambdascope.sweeps import CellRecords
with CellRecords(sys.argv[1]).held("local"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_an_outcome_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    records = CellRecords(tmp_path / "sweep")
    one = cell(0, width=3)
    assert records.get(one) is None
    outcome = Outcome(rows=[{"llc": 0.1 + 0.2, "step": 3, "status": "converged"}], seconds=1.5)
    records.put(one, outcome)
    assert records.get(one) == outcome
    assert records.get(cell(7, width=3)) == outcome
    assert records.get(cell(0, width=4)) is None


def test_a_record_says_under_which_versions_it_was_made(tmp_path: Path) -> None:
    records = CellRecords(tmp_path)
    records.put(cell(0), Outcome())
    held = records.get(cell(0))
    assert held is not None
    assert held.versions == versions_here()
    assert versions_here().torch == torch.__version__
    (file,) = (tmp_path / "cells").iterdir()
    document = json.loads(file.read_text())
    del document["made_under"]  # as it was before versions were kept
    file.write_text(json.dumps(document))
    old = records.get(cell(0))
    assert old is not None
    assert old.versions is None


def test_a_record_from_before_idle_settings_were_left_out_stands(tmp_path: Path) -> None:
    records, before = CellRecords(tmp_path), cell(0, width=9)
    records.put(before, Outcome(seconds=1.0))
    now = replace(before, idle=frozenset({"shape.width"}))
    assert now.key != before.key
    held = records.get(now)
    assert held is not None
    assert held.seconds == 1.0
    records.put(now, Outcome(seconds=2.0))  # and the newer one goes before it
    assert [records.get(one).seconds for one in (now, before)] == [2.0, 1.0]


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    records = CellRecords(tmp_path)
    records.put(cell(0), Outcome())
    (file,) = (tmp_path / "cells").iterdir()
    file.write_text('{"version": 1, "outc')
    with pytest.raises(LambdascopeError, match=rf"{file.name}.*remove it"):
        records.get(cell(0))
    file.write_text('{"version": 99, "outcome": {}}')
    with pytest.raises(LambdascopeError, match="version 99"):
        records.get(cell(0))


def test_the_directory_is_held_by_one_which_is_named_and_free_after_a_crash(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        records = CellRecords(tmp_path)
        with (
            pytest.raises(LambdascopeError, match=rf"process {other.pid} on .*engine local"),
            records.held("processes"),
        ):
            pass
        other.kill()
        other.wait()
        # Killed, it left holder.json behind; that does not keep anybody out.
        assert (tmp_path / "holder.json").exists()
        begun = time.perf_counter()
        with records.held("processes"):
            assert str(os.getpid()) in (tmp_path / "holder.json").read_text()
        assert time.perf_counter() - begun < 5
    assert not (tmp_path / "holder.json").exists()
