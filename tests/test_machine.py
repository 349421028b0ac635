from lambdascope import machine
from lambdascope.machine import disk_size, host_memory


def test_the_machine_has_memory():
    found = host_memory()
    assert found is None or 2**28 < found < 2**50


def test_a_container_may_have_less(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CONTAINER_LIMITS", (limit, tmp_path / "missing"))
    free = host_memory()
    limit.write_text("max\n")
    assert host_memory() == free
    limit.write_text("1048576\n")
    assert free is None or host_memory() == 2**20


def test_the_disk_under_a_path_that_is_yet_to_be_made(tmp_path):
    assert disk_size(tmp_path / "a" / "b.zarr") == disk_size(tmp_path) > 2**20
