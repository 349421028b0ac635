"""The engines: same outcomes, errors kept apart, a dead worker costs nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import (
    Cell,
    Engine,
    LocalEngine,
    Outcome,
    ProcessEngine,
    engines,
    shared_out,
)
from tests.sweeps.cells import (
    cell,
    dying,
    second_batch_killed,
    slow_squares,
    slowly_dying,
    squares,
)

ROOT = Path(__file__).parents[2]

BATCHES = [[cell(0, width=2), cell(1, width=3)], [cell(2, width=13)], [cell(3, width=5)]]


def worked(engine: Engine, batches: list[list[Cell]], work) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    for batch, outcomes in engine.outcomes(batches, work):
        for one, outcome in zip(batch, outcomes, strict=True):
            assert one.number not in found, "a cell came twice"
            found[one.number] = outcome
    return found


@pytest.mark.parametrize("engine", [LocalEngine(), ProcessEngine(2)], ids=lambda e: e.name)
def test_a_failed_cell_is_reported_and_the_rest_goes_on(engine: Engine) -> None:
    found = worked(engine, BATCHES, squares)
    assert {n: one.rows for n, one in found.items() if one.error is None} == {
        0: [{"square": 4}],
        1: [{"square": 9}],
        3: [{"square": 25}],
    }
    assert found[2].error == "width=13 brings bad luck"


def test_one_bad_cell_spoils_no_other_of_its_batch() -> None:
    found = worked(
        LocalEngine(), [[cell(0, width=2), cell(1, width=13), cell(2, width=4)]], squares
    )
    assert [found[n].error for n in range(3)] == [None, "width=13 brings bad luck", None]
    assert found[2].rows == [{"square": 16}]


def test_a_programming_error_is_kept_with_its_kind() -> None:
    found = worked(LocalEngine(), [[cell(0)]], lambda _: 1 / 0)
    assert found[0].error == "ZeroDivisionError('division by zero')"


def test_a_worker_that_is_killed_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDASCOPE_TEST_FOLDER", str(tmp_path))
    batches = [[cell(number, width=number + 1)] for number in range(6)]
    with second_batch_killed(tmp_path):
        found = worked(ProcessEngine(2), batches, slow_squares)
    assert {n: one.rows[0]["square"] for n, one in found.items()} == {
        n: (n + 1) ** 2 for n in range(6)
    }
    assert len(list(tmp_path.glob("started_1_*"))) == 2, "the killed batch was begun again"


def test_a_batch_that_kills_every_worker_is_given_up_and_the_rest_is_not() -> None:
    batches = [[cell(0, width=13)], [cell(1, width=3)], [cell(2, width=4)]]
    found = worked(ProcessEngine(1), batches, dying)
    assert found[0].error == "its worker process died 3 times (out of memory?)"
    assert [found[n].rows[0]["square"] for n in (1, 2)] == [9, 16]


def test_a_batch_that_kills_its_worker_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDASCOPE_TEST_FOLDER", str(tmp_path))
    batches = [[cell(0, width=13)], *([cell(number, width=number + 1)] for number in range(1, 4))]
    found = worked(ProcessEngine(2), batches, slowly_dying)
    assert found[0].error == "its worker process died 3 times (out of memory?)"
    assert [found[n].rows[0]["square"] for n in (1, 2, 3)] == [4, 9, 16]
    assert len(list(tmp_path.glob("started_*"))) == 3, "an innocent batch was begun again"


def test_a_batch_that_dies_is_taken_apart_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "_MOST_DEATHS", 1)
    batch = [cell(0, width=2), cell(1, width=13), cell(2, width=4)]
    found = worked(ProcessEngine(1), [batch], dying)
    assert found[1].error == "its worker process died 1 times (out of memory?)"
    assert [found[n].rows[0]["square"] for n in (0, 2)] == [4, 16]


KILLED = """
from lambdascope.sweeps import ProcessEngine
from tests.sweeps.cells import cell, endless
if __name__ == "__main__":
    list(ProcessEngine(1).outcomes([[cell(0)]], endless))
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    paths = [str(ROOT), str(ROOT / "src")]
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        try:
            # The pipe ends when the last process that can write to it has ended.
            parent.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.kill(worker, signal.SIGKILL)
            pytest.fail("the worker outlives its parent")


def test_no_workers_is_no_pool() -> None:
    with pytest.raises(LambdascopeError, match="workers=0: a whole number ≥ 1"):
        ProcessEngine(0)


def test_batches_are_cut_until_every_worker_has_one() -> None:
    cells = [cell(number) for number in range(7)]
    assert shared_out([cells], 1) == [cells]
    assert shared_out([cells], 2) == [cells[:4], cells[4:]]
    assert [len(one) for one in shared_out([cells], 3)] == [2, 2, 3]
    assert shared_out([cells[:4], cells[4:]], 2) == [cells[:4], cells[4:]]
    assert shared_out([cells[:2]], 8) == [cells[:1], cells[1:2]]
    assert shared_out([], 3) == []
