import numpy as np
import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.sampling.plan import Plan
from lambdascope.sampling.recorder import FileRecorder, MemoryRecorder, Series

PLAN = Plan(chunk_size=4, num_chunks=3, num_workers=1)
NUM_CHAINS, STEPS = 10, 9
SERIES = {
    "loss": Series(STEPS, (), "float32"),
    "matrix": Series(STEPS, (2, 3), "float64"),
}


@pytest.fixture(params=["memory", "files"])
def recorder(request, tmp_path):
    if request.param == "memory":
        yield MemoryRecorder(PLAN, NUM_CHAINS, SERIES)
        return
    files = FileRecorder(tmp_path / "parts", {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    yield files
    files.close()


def values_of(name):
    """What a chain records: [chain, time, ...], every number its own."""
    series = SERIES[name]
    shape = (PLAN.num_chunks * PLAN.chunk_size, series.length, *series.shape)
    return np.arange(np.prod(shape)).reshape(shape).astype(series.dtype)


def test_records_come_back_by_chain(recorder):
    for chunk in (2, 0, 1):
        for start, end in ((0, 4), (4, 5), (5, 9)):
            for name in SERIES:
                chains = values_of(name)[4 * chunk : 4 * chunk + 4, start:end]
                recorder.write(chunk, name, start, np.moveaxis(chains, 1, 0))
    for name, series in SERIES.items():
        for first, last in ((0, 10), (0, 1), (3, 5), (2, 9), (9, 10), (4, 8)):
            found = recorder.read(name, first, last)
            np.testing.assert_array_equal(found, values_of(name)[first:last])
            assert found.dtype == series.dtype


def test_nothing_to_resume_at_first(recorder):
    assert recorder.resume(0) is None


def test_a_snapshot_comes_back_bit_for_bit(tmp_path):
    files = FileRecorder(tmp_path, {}, PLAN, NUM_CHAINS, SERIES)
    state = {
        "w": torch.randn(4, 3, dtype=torch.float64),
        "step": torch.tensor([1, 2, 3, 4]),  # a kernel may call its own tensors so
        "odd": torch.randn(3, 4).T,
        "lost": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    }
    for name in SERIES:
        files.write(1, name, 0, np.moveaxis(values_of(name)[4:8], 1, 0))
    files.commit(1, 7, state)
    step, found = files.resume(1)
    assert step == 7
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert np.array_equal(
            found[name].numpy().view(np.uint8), tensor.contiguous().numpy().view(np.uint8)
        )
    assert files.resume(0) is None
    files.close()


def test_one_folder_has_one_writer(tmp_path):
    first = FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    with pytest.raises(LambdascopeError, match="is being written by another process"):
        FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    first.close()
    FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES).close()


def test_a_refused_writer_lets_go_of_the_lock(tmp_path):
    files = FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    files.commit(0, 7, {"w": torch.ones(4, 3)})
    files.close()
    with pytest.raises(LambdascopeError, match="seed: 1 → 2"):
        FileRecorder(tmp_path, {"seed": 2}, PLAN, NUM_CHAINS, SERIES)
    FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES).close()


def test_records_without_settings_are_not_trusted(tmp_path):
    # As a kill in the middle of a deletion may leave them.
    files = FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    files.commit(0, 7, {"w": torch.ones(4, 3)})
    files.close()
    (tmp_path / "settings.json").unlink()
    other = FileRecorder(tmp_path, {"seed": 2}, PLAN, NUM_CHAINS, SERIES)
    assert other.resume(0) is None
    other.close()


def test_what_else_lies_in_the_folder_is_left(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    files = FileRecorder(tmp_path, {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    files.commit(0, 7, {"w": torch.ones(4, 3)})
    files.close()
    FileRecorder(tmp_path, {"seed": 2}, PLAN, NUM_CHAINS, SERIES, overwrite=True).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert {file.name for file in tmp_path.iterdir()} == {"notes.txt", "lock"}


def test_a_folder_without_records_goes(tmp_path):
    folder = tmp_path / "parts"
    files = FileRecorder(folder, {"seed": 1}, PLAN, NUM_CHAINS, SERIES)
    files.write(0, "loss", 0, np.ones((3, 4), dtype=np.float32))
    files.close()
    assert list(tmp_path.iterdir()) == []
