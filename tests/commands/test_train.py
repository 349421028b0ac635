import dataclasses
import json
import math
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch

from lambdascope.cli import main
from lambdascope.commands import train as train_command
from lambdascope.commands.systems import check_finished, load_run
from lambdascope.commands.train import print_result, train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition import training_batch
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.training import train as train_in_memory

SMALL = {"p": 5, "embed_dim": 2, "hidden_size": 3, "num_steps": 6, "num_checkpoints": 3}
CONFIG = TrainConfig(**SMALL, train_fraction=0.6, batch_size=8)


def files(folder):
    """Every file under a folder with its bytes, but for what a killed writer left behind."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".part"
    }


def test_a_run_directory_explains_itself(tmp_path):
    (directory,) = train(CONFIG, tmp_path / "run", progress=False).directories
    assert sorted(files(tmp_path / "run")) == [
        "checkpoints/step_000000.safetensors",
        "checkpoints/step_000003.safetensors",
        "checkpoints/step_000006.safetensors",
        "commands.json",
        "config.json",
        "data.safetensors",
        "training.csv",
    ]
    assert directory.config == CONFIG.model_dump()
    (expected,) = train_in_memory([CONFIG])
    run = load_run(tmp_path / "run")
    assert run.steps == expected.steps
    for index, weights in enumerate(expected.weights):
        assert all(torch.equal(run.state(index)[name], w) for name, w in weights.items())
    table = run.metrics
    assert list(table.columns) == [
        "checkpoint",
        "step",
        "train_loss",
        "test_loss",
        "train_accuracy",
        "test_accuracy",
        "weight_norm",
    ]
    assert list(table["test_loss"]) == [metrics.test_loss for metrics in expected.metrics]


def test_several_seeds_make_a_directory_each(tmp_path, capsys):
    result = train(CONFIG, tmp_path, [0, 3])
    assert [d.path.name for d in result.directories] == ["seed_0", "seed_3"]
    print_result(result)
    assert "trained 2 runs in" in capsys.readouterr().out
    # The split follows the seed, unless a data seed is given.
    assert torch.equal(
        load_run(tmp_path / "seed_3").data.train_index,
        make_data(CONFIG.model_copy(update={"seed": 3})).train_index,
    )
    train(CONFIG.model_copy(update={"seed": 3}), tmp_path / "alone", progress=False)
    together, alone = load_run(tmp_path / "seed_3"), load_run(tmp_path / "alone")
    assert together.config == alone.config
    for name, weight in alone.state(2).items():
        torch.testing.assert_close(together.state(2)[name], weight, rtol=1e-5, atol=1e-6)


def test_one_seed_is_the_directory_itself(tmp_path):
    (directory,) = train(CONFIG, tmp_path / "run", [4], progress=False).directories
    assert directory.path == tmp_path / "run"
    assert load_run(tmp_path / "run").config.seed == 4


def test_a_finished_run_is_left_as_it_stands(tmp_path, capsys):
    train(CONFIG, tmp_path, progress=False)
    before = files(tmp_path)
    print_result(train(CONFIG, tmp_path))
    assert files(tmp_path) == before
    said = capsys.readouterr().out
    assert "already trained with these settings, nothing to do" in said
    last = pd.read_csv(tmp_path / "training.csv").iloc[-1]
    at_the_end = f"at step {CONFIG.num_steps:,}: train loss {last['train_loss']:.2f}"
    assert f"{at_the_end}, test loss {last['test_loss']:.2f}, test accuracy" in said


def test_of_several_runs_the_means_are_told(tmp_path, capsys):
    print_result(train(CONFIG, tmp_path, [0, 1], progress=False))
    tables = [pd.read_csv(tmp_path / f"seed_{seed}" / "training.csv") for seed in (0, 1)]
    mean = sum(table["test_loss"].iloc[-1] for table in tables) / 2
    assert "means of 2 runs: train loss" in (said := capsys.readouterr().out)
    assert f"test loss {mean:.2f}" in said


class Killed(BaseException):
    pass


@pytest.mark.parametrize("seeds", [None, [0, 1]])
def test_interrupted_anywhere_it_ends_with_the_same_bits(tmp_path, monkeypatch, seeds):
    train(CONFIG, tmp_path / "whole", seeds, progress=False)
    whole = files(tmp_path / "whole")
    replace, writes = os.replace, 0
    # Each file is put in its place by one rename: stop before the first, the second, …
    for stop in range(100):
        out = tmp_path / f"stopped_{stop}"
        writes = 0

        def stop_at(source, target, stop=stop):
            nonlocal writes
            if writes == stop:
                raise Killed
            writes += 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", stop_at)
        try:
            train(CONFIG, out, seeds, progress=False)
            break
        except Killed:
            monkeypatch.setattr(os, "replace", replace)
            train(CONFIG, out, seeds, progress=False)
        assert files(out) == whole, stop
    # Config, data, record and table of each run; its three checkpoints; three states of the whole.
    assert stop == (10 if seeds is None else 17)


def test_killed_outright_it_ends_with_the_same_bits(tmp_path, capsys):
    code = f"""
import os, signal
from pathlib import Path
from lambdascope.commands.train import train
from lambdascope.modular_addition.config import TrainConfig
fsync, writes = os.fsync, 0
def kill(descriptor):
    global writes
    fsync(descriptor)
    writes += 1
    if writes == 7:  # the third checkpoint lies in its temporary file
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = kill
train(TrainConfig(**{CONFIG.model_dump()!r}), Path({str(tmp_path / "killed")!r}), progress=False)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert load_run(tmp_path / "killed").steps == [0, 3]
    train(CONFIG, tmp_path / "killed")
    assert "resuming from step 3" in capsys.readouterr().err
    train(CONFIG, tmp_path / "whole", progress=False)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_more_seeds_join_those_that_are_finished(tmp_path):
    train(CONFIG, tmp_path, [0, 1], progress=False)
    before = files(tmp_path)
    result = train(CONFIG, tmp_path, [0, 1, 2], progress=False)
    assert (len(result.directories), result.num_trained) == (3, 1)
    after = files(tmp_path)
    assert {name: after[name] for name in before} == before
    assert load_run(tmp_path / "seed_2").steps == [0, 3, 6]


def test_other_settings_are_refused_before_anything_is_written(tmp_path):
    train(CONFIG, tmp_path / "seed_1", progress=False)
    before = files(tmp_path)
    with pytest.raises(LambdascopeError, match=r"seed 0 there, 1 now.*--overwrite"):
        train(CONFIG, tmp_path, [0, 1], progress=False)
    assert files(tmp_path) == before
    assert not (tmp_path / "seed_0").exists()


def test_overwrite_keeps_a_finished_run_of_the_same_settings(tmp_path, capsys):
    train(CONFIG, tmp_path, progress=False)
    (tmp_path / "llc.csv").write_text("step\n")
    before = files(tmp_path)
    print_result(train(CONFIG, tmp_path, overwrite=True))
    assert files(tmp_path) == before
    assert "already trained with these settings, nothing to do" in capsys.readouterr().out


def copy_of_state(path, out, monkeypatch):
    """Keep what training leaves to go on from, before it is removed at the end."""
    save = train_command.save_metrics

    def keep(*args):
        shutil.copy(out / "training_state.safetensors", path)
        save(*args)

    monkeypatch.setattr(train_command, "save_metrics", keep)


@pytest.mark.parametrize("state_stands", [False, True])
def test_a_run_that_lost_a_file_is_trained_anew_when_told(tmp_path, monkeypatch, state_stands):
    out = tmp_path / "run"
    copy_of_state(tmp_path / "state", out, monkeypatch)
    train(CONFIG, out, progress=False)
    (out / "llc.csv").write_text("step\n")
    before = files(out)
    checkpoint = out / "checkpoints" / "step_000003.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-8])
    if state_stands:  # as if killed at the very end
        shutil.copy(tmp_path / "state", out / "training_state.safetensors")
    with pytest.raises(LambdascopeError, match=r"step_000003.* is truncated .*with --overwrite"):
        train(CONFIG, out, progress=False)
    assert train(CONFIG, out, overwrite=True, progress=False).num_trained == 1
    assert files(out) == before


def test_data_removed_since_are_made_again(tmp_path, monkeypatch):
    out = tmp_path / "run"
    copy_of_state(tmp_path / "state", out, monkeypatch)
    train(CONFIG, out, progress=False)
    before = files(out)
    shutil.copy(tmp_path / "state", out / "training_state.safetensors")
    (out / "training.csv").unlink()
    (out / "data.safetensors").unlink()
    train(CONFIG, out, progress=False)
    assert files(out) == before


def test_a_state_whose_checkpoints_were_removed_is_not_gone_on_from(tmp_path, monkeypatch):
    out = tmp_path / "runs"
    copy_of_state(tmp_path / "state", out, monkeypatch)
    train(CONFIG, out, [0, 1], progress=False)
    before = files(out)
    shutil.copy(tmp_path / "state", out / "training_state.safetensors")
    shutil.rmtree(out / "seed_1")
    train(CONFIG, out, [0, 1], progress=False)
    assert files(out) == before


def test_other_seeds_do_not_take_the_place_of_interrupted_ones(tmp_path, monkeypatch):
    out = tmp_path / "runs"
    copy_of_state(tmp_path / "state", out, monkeypatch)
    train(CONFIG, out, [0, 1, 2], progress=False)
    whole = files(out)
    shutil.copy(tmp_path / "state", out / "training_state.safetensors")
    for seed in (1, 2):
        (out / f"seed_{seed}" / "training.csv").unlink()
    before = files(out)
    with pytest.raises(
        LambdascopeError, match=r"interrupted .*\(--seeds 0,1,2\), another directory"
    ):
        train(CONFIG, out, [0, 1], progress=False)
    assert files(out) == before
    train(CONFIG, out, [0, 1, 2], progress=False)
    assert files(out) == whole


def test_a_broken_state_is_told_and_training_begins_afresh(tmp_path):
    train(CONFIG, tmp_path, progress=False)
    before = files(tmp_path)
    (tmp_path / "training.csv").unlink()
    (tmp_path / "training_state.safetensors").write_bytes(b"{")
    with pytest.warns(UserWarning, match="training_state.* truncated .*training begins afresh"):
        train(CONFIG, tmp_path, progress=False)
    assert files(tmp_path) == before


def test_weights_that_come_out_otherwise_are_told(tmp_path):
    train(CONFIG, tmp_path, progress=False)
    table = tmp_path / "training.csv"
    table.write_text(table.read_text().replace("\n0,0,", "\n0,0,1"))
    (tmp_path / "checkpoints" / "step_000003.safetensors").unlink()
    with pytest.warns(UserWarning, match="came out otherwise than before: .* computed again"):
        train(CONFIG, tmp_path, overwrite=True, progress=False)


@pytest.mark.parametrize("change", [{"p": 1_000_000}, {"embed_scale": 1e39}])
def test_what_cannot_be_trained_leaves_the_run_that_stands(tmp_path, change):
    train(CONFIG, tmp_path, progress=False)
    (tmp_path / "llc.csv").write_text("step\n")
    before = files(tmp_path)
    impossible = TrainConfig(**{**CONFIG.model_dump(), **change})
    with pytest.raises(LambdascopeError, match=r"takes at least|give no finite loss"):
        train(impossible, tmp_path, overwrite=True, progress=False)
    assert files(tmp_path) == before


def diverging(monkeypatch, seeds):
    """Make training with some seeds diverge after its first checkpoint."""
    evaluate = training_batch.evaluate

    def bad(network, weights, data):
        metrics = evaluate(network, weights, data)
        bad.calls += 1
        return [
            dataclasses.replace(row, train_loss=math.nan) if i in seeds and bad.calls > 1 else row
            for i, row in enumerate(metrics)
        ]

    bad.calls = 0
    monkeypatch.setattr(training_batch, "evaluate", bad)


def test_a_run_that_diverges_is_marked_and_the_others_are_trained(tmp_path, monkeypatch, capsys):
    train(CONFIG, tmp_path / "whole", [0, 1, 2], progress=False)
    with monkeypatch.context() as patch:
        diverging(patch, {1})
        said = r"1 of 3 runs diverged \(seed 1 before step 3: .*; the others are trained"
        with pytest.raises(LambdascopeError, match=said):
            train(CONFIG, tmp_path / "out", [0, 1, 2], progress=False)
    for seed in (0, 2):
        out, whole = (tmp_path / name / f"seed_{seed}" for name in ("out", "whole"))
        assert files(out) == files(whole)
    run = load_run(tmp_path / "out" / "seed_1")
    assert run.steps == [0]
    assert list(run.metrics["step"]) == [0]
    with pytest.raises(LambdascopeError, match=r"diverged before step 3: .* rate below 0\.005"):
        check_finished(run)
    assert not (tmp_path / "out" / "training_state.safetensors").exists()
    # It is not tried again, since it would diverge again; nor is what stands touched.
    before = files(tmp_path / "out")
    for overwrite in (False, True):
        with pytest.raises(LambdascopeError, match=said):
            train(CONFIG, tmp_path / "out", [0, 1, 2], overwrite=overwrite, progress=False)
    assert files(tmp_path / "out") == before


def test_one_run_that_diverges_exits_with_2(tmp_path, capsys):
    flags = "--p 5 --embed-dim 2 --hidden-size 3 --num-steps 40 --num-checkpoints 3"
    wild = "--activation quadratic --learning-rate 1e30"
    assert main(["train", "--out", str(tmp_path / "run"), *flags.split(), *wild.split()]) == 2
    said = capsys.readouterr().err
    assert "the run diverged before step 20" in said
    assert "--learning-rate 1e+30 is too large for it" in said
    assert main(["llc", str(tmp_path / "run")]) == 2
    assert "holds a run that diverged before step 20: train it again" in capsys.readouterr().err


def test_overwrite_begins_afresh(tmp_path):
    train(CONFIG, tmp_path, progress=False)
    (tmp_path / "llc.csv").write_text("step\n")
    other = CONFIG.model_copy(update={"p": 7})
    train(other, tmp_path, overwrite=True, progress=False)
    train(other, tmp_path / "again", progress=False)
    held = {name: data for name, data in files(tmp_path).items() if not name.startswith("again")}
    assert held == files(tmp_path / "again")


@pytest.mark.parametrize(
    ("seeds", "message"),
    [([], "seeds is empty"), ([1, 2, 1], "holds 1 more than once"), ([0, -1], "seed=-1: ")],
)
def test_impossible_seeds_are_refused(tmp_path, seeds, message):
    with pytest.raises(LambdascopeError, match=message):
        train(CONFIG, tmp_path, seeds, progress=False)


def test_several_seeds_do_not_go_into_a_run(tmp_path):
    train(CONFIG, tmp_path, progress=False)
    with pytest.raises(LambdascopeError, match="holds one run, where 2 seeds need a folder"):
        train(CONFIG, tmp_path, [0, 1], progress=False)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(LambdascopeError, match="run is a file: give a directory"):
        train(CONFIG, tmp_path / "run", progress=False)


def test_a_full_disk_loses_nothing_and_the_run_goes_on_later(tmp_path, monkeypatch):
    fsync, writes = os.fsync, 0

    def full(descriptor):
        nonlocal writes
        writes += 1
        if writes > 4:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LambdascopeError, match=r"could not be written \(No space left on device\)"):
        train(CONFIG, tmp_path / "run", progress=False)
    monkeypatch.setattr(os, "fsync", fsync)
    assert load_run(tmp_path / "run").steps == [0]
    train(CONFIG, tmp_path / "run", progress=False)
    train(CONFIG, tmp_path / "whole", progress=False)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_a_run_of_before_the_transformer_is_taken_up(tmp_path, capsys):
    train(CONFIG, tmp_path / "run", progress=False)
    path = tmp_path / "run" / "config.json"
    document = json.loads(path.read_text())
    for name in ("attention_rate", "num_heads", "beta1", "full_batch", "loss_precision"):
        del document["config"][name]
    path.write_text(json.dumps({**document, "schema_version": 1}))
    assert load_run(tmp_path / "run").config == CONFIG
    print_result(train(CONFIG, tmp_path / "run"))
    assert "already trained with these settings, nothing to do" in capsys.readouterr().out


def test_a_transformer_is_trained_and_loaded(tmp_path):
    settings = {"network": "transformer", "p": 5, "embed_dim": 4, "num_heads": 2}
    config = TrainConfig(**settings, attention_rate=0.5, num_steps=6, num_checkpoints=3)
    train(config, tmp_path / "run", progress=False)
    run = load_run(tmp_path / "run")
    assert run.config == config
    network = run.network()
    network.load_state_dict(run.state(2))
    assert network(run.data.inputs).shape == (25, 5)
