import shutil
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.commands.import_legacy import import_legacy, print_result
from lambdascope.commands.systems import load_run
from lambdascope.commands.train import print_result as print_train_result
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.runs.checkpoints import load_metadata

EXAMPLE = Path(__file__).parent.parent / "data" / "legacy"
PARAMS = EXAMPLE / "53_0.json"


def test_an_imported_run_is_a_run_like_any_other(tmp_path, capsys):
    print_result(import_legacy(PARAMS, EXAMPLE, tmp_path / "old"))
    said = capsys.readouterr().out
    assert "4 checkpoints (steps 0, 1000, 1950, 2000), 2668 training and 141 test pairs" in said
    run = load_run(tmp_path / "old")
    assert run.steps == [0, 1000, 1950, 2000]
    table = run.metrics
    assert table["train_loss"].tolist() == pytest.approx(
        [4.018539, 0.280867, 0.018645, 0.017165], abs=2e-6
    )
    assert table["test_loss"].tolist() == pytest.approx(
        [4.051230, 0.998491, 0.601020, 0.597555], abs=2e-6
    )
    network = run.network()
    network.load_state_dict(run.state(2))
    inputs, targets = run.data.test
    loss = cross_entropy(network.double()(inputs), targets).item()
    assert loss == pytest.approx(0.601020, abs=6e-7)


def test_where_it_came_from_is_kept(tmp_path):
    directory = import_legacy(PARAMS, EXAMPLE, tmp_path / "old").directory
    assert (directory.path / "imported.json").read_bytes() == PARAMS.read_bytes()
    metadata = load_metadata(directory.checkpoint_path(1950))
    assert metadata["imported_from"].startswith("CHECKPOINT_39_P53_frac0.95")


def test_training_does_not_touch_an_imported_run(tmp_path, capsys):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    run = load_run(tmp_path / "old")
    print_train_result(train(run.config, tmp_path / "old"))
    assert "already trained, nothing to do" in capsys.readouterr().out
    assert load_run(tmp_path / "old").steps == run.steps


def test_a_run_that_stands_is_only_replaced_when_told(tmp_path):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    with pytest.raises(LambdascopeError, match=r"already holds a run: .*--overwrite"):
        import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    folder = tmp_path / "fewer"
    shutil.copytree(EXAMPLE, folder)
    next(folder.glob("CHECKPOINT_20_*")).unlink()
    import_legacy(PARAMS, folder, tmp_path / "old", overwrite=True)
    assert load_run(tmp_path / "old").steps == [0, 1950, 2000]


def test_nothing_is_written_when_a_file_is_refused(tmp_path):
    folder = tmp_path / "legacy"
    shutil.copytree(EXAMPLE, folder)
    next(folder.glob("CHECKPOINT_39_*")).write_bytes(b"PK\x03\x04")
    with pytest.raises(LambdascopeError, match=r"CHECKPOINT_39_P53.* is truncated"):
        import_legacy(PARAMS, folder, tmp_path / "old")
    assert not (tmp_path / "old").exists()


def test_the_labels_of_a_commutative_run_are_told_by_the_user(tmp_path):
    result = import_legacy(PARAMS, EXAMPLE, tmp_path / "old", task="commutative_random")
    assert result.directory.config["task"] == "commutative_random"
    labels = load_run(tmp_path / "old").data.targets.view(53, 53)
    assert torch.equal(labels, labels.T)
    assert labels[0, :3].tolist() == [38, 14, 12]
