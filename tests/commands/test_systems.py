import pytest
import torch

from lambdascope.commands.systems import load_run
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
    with pytest.raises(LambdascopeError, match="dropout is not a setting of TrainConfig"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("linear_left.bias"), r"step_000002.* lacks the tensor linear_left\.bias"),
        (lambda w: w.update(x=torch.ones(1)), "unexpected tensor x"),
        (lambda w: w.update({"embedding.weight": torch.ones(5, 3)}), r"shape \[5, 3\].*\[5, 2\]"),
        (lambda w: w["embedding.weight"].fill_(torch.nan), "10 of the 10 entries .* are NaN"),
    ],
    ids=["missing", "extra", "shape", "nan"],
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
    with pytest.raises(LambdascopeError, match="put them back, or train again"):
        train(CONFIG, path, progress=False)
