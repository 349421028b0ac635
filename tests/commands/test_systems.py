import json
import shutil

import pytest
import torch

from lambdascope.commands.systems import check_finished, load_run
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.runs.checkpoints import load_checkpoint, save_checkpoint
from lambdascope.runs.directory import RunDirectory

CONFIG = TrainConfig(
    p=5, embed_dim=2, hidden_size=3, num_steps=4, num_checkpoints=3, train_fraction=0.6, seed=2
)


@pytest.fixture
def path(tmp_path):
    train(CONFIG, tmp_path / "run", progress=False)
    return tmp_path / "run"


def test_a_run_is_loaded_as_it_was_trained(path):
    run = load_run(path)
    assert run.config == CONFIG
    assert run.steps == [0, 2, 4]
    data = make_data(CONFIG)
    assert torch.equal(run.data.train_index, data.train_index)
    assert torch.equal(run.data.targets, data.targets)
    assert list(run.metrics["step"]) == run.steps
    network = run.network()
    for name, weight in run.state(0).items():
        assert torch.equal(weight, network.state_dict()[name])
    network.load_state_dict(run.state(2))


def test_an_unfinished_run_has_no_metrics(path):
    (path / "training.csv").unlink()
    assert load_run(path).metrics is None


def test_another_system_is_refused(tmp_path):
    RunDirectory.create(tmp_path, "toy", {})
    with pytest.raises(LambdascopeError, match="of the system 'toy': this command reads runs of"):
        load_run(tmp_path)


def test_a_config_with_an_unknown_setting_is_refused(tmp_path):
    RunDirectory.create(tmp_path, "modular_addition", {"p": 5, "dropout": 0.1})
    with pytest.raises(LambdascopeError, match=r"config\.json: dropout is not a setting of Train"):
        load_run(tmp_path)


def test_a_config_with_an_impossible_setting_is_refused(tmp_path):
    RunDirectory.create(tmp_path, "modular_addition", {"p": 5, "weight_decay": -1})
    with pytest.raises(LambdascopeError, match=r"config\.json: weight_decay = -1: input should be"):
        load_run(tmp_path)


def as_kind(kind):
    return lambda weights: weights.update({"embedding.weight": torch.ones(5, 2, dtype=kind)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("linear_left.bias"), r"step_000002.* lacks the tensor linear_left\.bias"),
        (lambda w: w.update(x=torch.ones(1)), "unexpected tensor x"),
        (lambda w: w.update({"embedding.weight": torch.ones(5, 3)}), r"shape \[5, 3\].*\[5, 2\]"),
        (lambda w: w["embedding.weight"].fill_(torch.nan), "10 of the 10 entries .* are NaN"),
        (as_kind(torch.int64), "tensor embedding.weight is of int64, where real floating-point"),
        (as_kind(torch.complex64), "tensor embedding.weight is of complex64, where real float"),
    ],
    ids=["missing", "extra", "shape", "nan", "whole", "complex"],
)
def test_a_checkpoint_that_does_not_fit_is_refused(path, change, message):
    run = load_run(path)
    file = run.directory.checkpoint_path(2)
    weights = load_checkpoint(file)
    change(weights)
    save_checkpoint(file, weights)
    with pytest.raises(LambdascopeError, match=message):
        run.state(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("test_index"), "lacks the tensor test_index"),
        (lambda d: d.update(targets=torch.zeros(4, dtype=torch.int64)), r"targets has shape \[4\]"),
        (lambda d: d["targets"].fill_(5), "targets holds 5, where p=5 allows 0 to 4"),
        (lambda d: d["inputs"].fill_(-1), "inputs should hold whole numbers from 0 on"),
        (lambda d: d.update(targets=torch.zeros(25)), "targets should hold whole numbers"),
        (lambda d: d["train_index"].fill_(3), "should together hold each of the 25 pairs once"),
        (lambda d: d.update(train_index=torch.tensor(3)), r"train_index has shape \[\].*\[1\]"),
    ],
    ids=["missing", "shape", "label", "negative", "float", "twice", "scalar"],
)
def test_data_that_do_not_fit_are_refused(path, change, message):
    data = load_checkpoint(path / "data.safetensors")
    change(data)
    save_checkpoint(path / "data.safetensors", data)
    with pytest.raises(LambdascopeError, match=message):
        load_run(path)


def test_missing_data_are_named(path):
    (path / "data.safetensors").unlink()
    with pytest.raises(LambdascopeError, match=r"data\.safetensors does not exist"):
        load_run(path)


def test_a_finished_run_that_lost_a_checkpoint_is_refused(path):
    (path / "checkpoints" / "step_000002.safetensors").unlink()
    with pytest.raises(LambdascopeError, match="lacks the checkpoints of steps 2, which training"):
        load_run(path)


@pytest.mark.parametrize("name", ["checkpoints/step_000002.safetensors", "data.safetensors"])
def test_a_file_that_is_cut_off_is_named_with_what_to_do(path, name):
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[:-10])
    said = rf"{name} is truncated .*put it back, or give the `lambdascope train` command with --ov"
    with pytest.raises(LambdascopeError, match=said):
        load_run(path)


@pytest.mark.parametrize("name", ["step_000001.safetensors", "step_000005.safetensors", "x.txt"])
def test_a_foreign_checkpoint_is_left_out_and_named(path, name):
    state = load_run(path).state(1)
    shutil.copy(path / "checkpoints" / "step_000000.safetensors", path / "checkpoints" / name)
    with pytest.warns(UserWarning, match=rf"holds {name}, which training\.csv does not list"):
        run = load_run(path)
    assert run.steps == [0, 2, 4]
    assert all(torch.equal(run.state(1)[name], weight) for name, weight in state.items())


def test_a_checkpoint_that_does_not_exist_is_refused(path):
    run = load_run(path)
    for index in (3, -1):
        with pytest.raises(LambdascopeError, match=rf"checkpoint {index} of .* holds 0 to 2"):
            run.state(index)


@pytest.mark.parametrize(
    "content", ["loss\n1.0\n", "step\n", "step\nabc\n", "step,loss\n0,1.0\n,2.0\n"]
)
def test_a_table_without_steps_is_refused(path, content):
    (path / "training.csv").write_text(content)
    with pytest.raises(LambdascopeError, match=r"training\.csv should list the steps"):
        load_run(path)


def test_an_unfinished_run_names_the_command_that_finishes_it(path):
    (path / "training.csv").unlink()
    with pytest.raises(LambdascopeError, match="give its `lambdascope train` command again first"):
        check_finished(load_run(path))
    (path / "imported.json").write_text("{}")
    edited = json.loads((path / "config.json").read_text())
    del edited["made_by"]
    (path / "config.json").write_text(json.dumps(edited))
    with pytest.raises(LambdascopeError, match="its `lambdascope import-legacy` command again"):
        check_finished(load_run(path))
