import os
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.commands.import_legacy import import_legacy, print_result
from lambdascope.commands.systems import load_run
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.runs.checkpoints import load_metadata

EXAMPLE = Path(__file__).parent.parent / "data" / "legacy"
PARAMS = EXAMPLE / "53_0.json"


def files(folder):
    """Every file under a folder with its bytes, but for what a killed writer left behind."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".part"
    }


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


def test_training_does_not_touch_an_imported_run(tmp_path):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    run = load_run(tmp_path / "old")
    with pytest.raises(LambdascopeError, match="run that `lambdascope import-legacy` made"):
        train(run.config, tmp_path / "old", progress=False)
    assert load_run(tmp_path / "old").steps == run.steps


class Killed(BaseException):
    pass


def test_an_import_that_was_killed_is_taken_up(tmp_path, monkeypatch):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "whole")
    whole = files(tmp_path / "whole")
    replace, left = os.replace, 0

    def kill(source, target):
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", kill)
    out = tmp_path / "old"
    # The config at first; then parameters, data, four checkpoints, table.
    for stop in range(7):
        left = stop
        with pytest.raises(Killed):
            import_legacy(PARAMS, EXAMPLE, out)
        if stop:
            with pytest.raises(LambdascopeError, match="`lambdascope import-legacy` made"):
                train(TrainConfig(), out, progress=False)
    monkeypatch.setattr(os, "replace", replace)
    assert import_legacy(PARAMS, EXAMPLE, out).is_new
    assert files(out) == whole


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_import_that_stands_keeps_its_results(tmp_path, capsys, overwrite):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    (tmp_path / "old" / "llc.csv").write_text("step\n")
    before = files(tmp_path / "old")
    print_result(import_legacy(PARAMS, EXAMPLE, tmp_path / "old", overwrite=overwrite))
    assert "already holds 4 checkpoints" in capsys.readouterr().out
    assert files(tmp_path / "old") == before


def other_parameters(folder):
    text = (folder / PARAMS.name).read_text()
    (folder / PARAMS.name).write_text(text + "\n")


def fewer_checkpoints(folder):
    next(folder.glob("CHECKPOINT_20_*")).unlink()


def other_weights(folder):
    shutil.copy(next(folder.glob("CHECKPOINT_20_*")), next(folder.glob("CHECKPOINT_39_*")))


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (other_parameters, r".*53_0\.json differs from its imported\.json"),
        (fewer_checkpoints, r"steps \[0, 1000, 1950, 2000\] there, \[0, 1950, 2000\] given"),
        (other_weights, r"the weights of CHECKPOINT_39_.* differ"),
    ],
)
def test_an_import_of_other_files_is_only_replaced_when_told(tmp_path, change, how):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    (tmp_path / "old" / "llc.csv").write_text("step\n")
    before = files(tmp_path / "old")
    folder = tmp_path / "other"
    shutil.copytree(EXAMPLE, folder)
    change(folder)
    with pytest.raises(LambdascopeError, match=rf"import of other files \({how}\): .*--overwrite"):
        import_legacy(folder / PARAMS.name, folder, tmp_path / "old")
    assert files(tmp_path / "old") == before
    import_legacy(folder / PARAMS.name, folder, tmp_path / "old", overwrite=True)
    import_legacy(folder / PARAMS.name, folder, tmp_path / "afresh")
    assert files(tmp_path / "old") == files(tmp_path / "afresh")


def test_an_import_that_lost_a_file_is_made_again_when_told(tmp_path):
    import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    before = files(tmp_path / "old")
    (tmp_path / "old" / "checkpoints" / "step_001000.safetensors").unlink()
    said = r"lacks the checkpoints of steps 1000.*`lambdascope import-legacy` command with --over"
    with pytest.raises(LambdascopeError, match=said):
        import_legacy(PARAMS, EXAMPLE, tmp_path / "old")
    assert import_legacy(PARAMS, EXAMPLE, tmp_path / "old", overwrite=True).is_new
    assert files(tmp_path / "old") == before


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
