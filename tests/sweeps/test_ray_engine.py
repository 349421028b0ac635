"""The Ray engine, on a real cluster of two nodes on this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import LocalEngine, RayEngine, ray_engine
from tests.sweeps.cells import cell, dying, second_batch_killed, slow_squares, squares
from tests.sweeps.test_engines import BATCHES, worked

ROOT = Path(__file__).parents[2]


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LambdascopeError, match=r"Ray, which is not installed.*lambdascope\[ray\]"):
        RayEngine()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_workers": 0}, "workers=0: a whole number ≥ 1"),
        ({"address": "ray://head:10001"}, "'auto' or HOST:PORT is accepted"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict, said: str) -> None:
    with pytest.raises(LambdascopeError, match=said):
        RayEngine(**settings)


class TwoNodes:
    """A cluster of a head and a second node, each with one core, on this machine."""

    def __init__(self, cluster: object) -> None:
        self.cluster = cluster

    @property
    def address(self) -> str:
        return self.cluster.address


@pytest.fixture
def two_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoNodes]:
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    from ray.cluster_utils import Cluster

    # The nodes' workers import the tests' cells, as they would import lambdascope where it is
    # installed.
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("LAMBDASCOPE_TEST_FOLDER", str(tmp_path))
    arguments = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024}
    cluster = Cluster(
        initialize_head=True, head_node_args={**arguments, "include_dashboard": False}
    )
    cluster.add_node(**arguments)
    cluster.wait_for_nodes()
    try:
        yield TwoNodes(cluster)
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_two_nodes_give_what_this_process_gives_and_a_failed_cell_spoils_no_other(
    two_nodes: TwoNodes,
) -> None:
    found = worked(RayEngine(two_nodes.address), BATCHES, squares)
    here = worked(LocalEngine(), BATCHES, squares)
    assert {n: (one.rows, one.error) for n, one in found.items()} == {
        n: (one.rows, one.error) for n, one in here.items()
    }
    assert found[2].error == "width=13 brings bad luck"


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(two_nodes: TwoNodes, tmp_path: Path) -> None:
    batches = [[cell(number, width=number + 1)] for number in range(8)]
    with second_batch_killed(tmp_path):
        # `worked` fails where a cell comes twice.
        found = worked(RayEngine(two_nodes.address), batches, slow_squares)
    assert {n: one.rows[0]["square"] for n, one in found.items()} == {
        n: (n + 1) ** 2 for n in range(8)
    }
    assert len(list(tmp_path.glob("started_1_*"))) == 2, "the killed batch was begun again"
    workers = {file.name.rpartition("_")[2] for file in tmp_path.glob("started_*")}
    assert len(workers) >= 3, "both nodes worked, and one worker was replaced"


@pytest.mark.slow
def test_a_node_that_is_lost_costs_nothing(two_nodes: TwoNodes) -> None:
    batches = [[cell(number, width=number + 1)] for number in range(8)]
    second = two_nodes.cluster.worker_nodes
    (node,) = second
    lose = threading.Timer(2.0, lambda: two_nodes.cluster.remove_node(node, allow_graceful=False))
    lose.start()
    found = worked(RayEngine(two_nodes.address), batches, slow_squares)
    lose.join()
    assert {n: one.rows[0]["square"] for n, one in found.items()} == {
        n: (n + 1) ** 2 for n in range(8)
    }


@pytest.mark.slow
def test_a_cell_that_kills_every_worker_is_given_up_and_the_rest_of_its_batch_is_not(
    two_nodes: TwoNodes,
) -> None:
    batches = [[cell(0, width=13), cell(1, width=3)], [cell(2, width=4)]]
    found = worked(RayEngine(two_nodes.address), batches, dying)
    assert found[0].error is not None
    assert "its worker died 3 times" in found[0].error
    assert [found[n].rows[0]["square"] for n in (1, 2)] == [9, 16]


GOING_AWAY = """
import sys
from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import RayEngine, ray_engine
from tests.sweeps.cells import cell, slow_squares
ray_engine._GONE_AFTER = 3.0
batches = [[cell(number, width=number + 1)] for number in range(200)]
try:
    for batch, outcomes in RayEngine(sys.argv[1]).outcomes(batches, slow_squares):
        print("finished", batch[0].number, outcomes[0].error, flush=True)
except LambdascopeError as error:
    print("refused:", error, flush=True)
"""


@pytest.mark.slow
def test_a_cluster_that_goes_away_is_said_and_what_came_stands(two_nodes: TwoNodes) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GOING_AWAY, two_nodes.address],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as driver:
        assert driver.stdout is not None
        lines = [driver.stdout.readline() for _ in range(2)]
        assert all(line.startswith("finished") and "None" in line for line in lines)
        two_nodes.cluster.shutdown()
        rest, _ = driver.communicate(timeout=60)
    *finished, said = rest.splitlines()
    # No cell counts as failed, and Ray's own notes are not among the results.
    assert all(line.startswith("finished") and "None" in line for line in finished), rest
    assert said.startswith("refused: the Ray cluster at"), rest
    assert "the same command goes on with the rest" in said


@pytest.mark.parametrize("address", ["127.0.0.1:9", "head", "head:port"])
def test_no_cluster_at_the_address(address: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    with pytest.raises(LambdascopeError, match=rf"address='{address}': no Ray cluster"):
        worked(RayEngine(address), BATCHES, squares)


@pytest.mark.slow
def test_without_an_address_a_cluster_of_this_machine_is_started_whatever_runs_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")  # where a cluster of before was
    found = worked(RayEngine(num_workers=2), BATCHES, squares)
    assert sorted(found) == [0, 1, 2, 3]
    assert ray_engine._import_ray().is_initialized() is False
