import json
import os

import pytest
import torch

import lambdascope
from lambdascope.errors import LambdascopeError
from lambdascope.runs.directory import SCHEMA_VERSION, RunDirectory

CONFIG = {"p": 53, "learning_rate": 0.005, "data_seed": None}


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "deep" / "p53", "modular_addition", CONFIG)


def edit_config(run, **changes):
    document = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**document, **changes}))


def test_open_gives_back_what_create_wrote(run):
    assert RunDirectory.open(run.path) == run
    assert run.system == "modular_addition"
    assert run.config == CONFIG
    assert run.schema_version == SCHEMA_VERSION
    assert run.lambdascope_version == lambdascope.__version__


def test_checkpoints_are_numbered_by_ascending_step(run):
    assert run.checkpoint_steps == []
    for step in (1_500_000, 0, 60):
        run.save_checkpoint(step, {"w": torch.full((2,), float(step))})
    (run.path / "checkpoints" / ".step_000061.safetensors.zz.part").write_text("")
    assert run.checkpoint_steps == [0, 60, 1_500_000]
    assert run.load_checkpoint(1, {"w": (2,)})["w"].tolist() == [60.0, 60.0]
    for index in (3, -1):
        with pytest.raises(LambdascopeError, match=rf"checkpoint {index} of .* holds 0 to 2"):
            run.load_checkpoint(index)


def test_a_checkpoint_of_other_shape_is_refused(run):
    run.save_checkpoint(0, {"w": torch.ones(2)})
    with pytest.raises(LambdascopeError, match=r"w has shape \[2\].*asks for \[3\]"):
        run.load_checkpoint(0, {"w": (3,)})


def test_no_checkpoints_is_said(run):
    with pytest.raises(LambdascopeError, match="the run holds none"):
        run.load_checkpoint(0)


def test_figures_makes_its_folder(run):
    assert run.figures.is_dir()


def test_the_same_settings_are_taken_up_when_asked(run):
    run.save_checkpoint(0, {"w": torch.ones(2)})
    again = RunDirectory.create(run.path, "modular_addition", CONFIG, exist_ok=True)
    assert again.checkpoint_steps == [0]
    with pytest.raises(LambdascopeError, match="already holds a run"):
        RunDirectory.create(run.path, "modular_addition", CONFIG)


def test_settings_that_came_after_the_config_take_their_defaults(run):
    edit_config(run, schema_version=1)
    new = {**CONFIG, "network": "mlp"}
    again = {"exist_ok": True, "defaults": {"network": "mlp"}}
    assert RunDirectory.create(run.path, "modular_addition", new, **again).config == CONFIG
    with pytest.raises(LambdascopeError, match="network 'mlp' there, 'transformer' asked for"):
        RunDirectory.create(
            run.path, "modular_addition", {**CONFIG, "network": "transformer"}, **again
        )


@pytest.mark.parametrize("exist_ok", [False, True])
def test_other_settings_are_never_mixed_in(run, exist_ok):
    other = {**CONFIG, "p": 59}
    with pytest.raises(LambdascopeError, match=r"p 53 there, 59 asked for.*--overwrite"):
        RunDirectory.create(run.path, "modular_addition", other, exist_ok=exist_ok)
    with pytest.raises(LambdascopeError, match=r"system 'modular_addition' there, 'toy' asked"):
        RunDirectory.create(run.path, "toy", CONFIG, exist_ok=exist_ok)
    assert RunDirectory.open(run.path) == run


def test_overwrite_removes_results_and_nothing_else(run):
    run.save_checkpoint(0, {"w": torch.ones(2)})
    (run.figures / "curve.png").write_text("")
    (run.path / "llc_trace.zarr").mkdir()
    (run.path / "training.csv").write_text("step\n")
    (run.path / "my_notes.txt").write_text("keep me")
    new = RunDirectory.create(run.path, "modular_addition", {"p": 59}, overwrite=True)
    assert new.config == {"p": 59}
    held = sorted(entry.name for entry in run.path.iterdir())
    assert held == ["config.json", "my_notes.txt"]


def test_a_folder_of_other_files_is_refused_even_to_overwrite(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(LambdascopeError, match=r"not empty and holds no run .*new or empty"):
        RunDirectory.create(tmp_path, "toy", {}, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_creation_that_was_killed_can_be_repeated(tmp_path):
    (tmp_path / ".config.json.k3x.part").write_text('{"schema')
    assert RunDirectory.create(tmp_path, "toy", {}).system == "toy"


def test_a_file_is_no_run_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LambdascopeError, match=r"file is a file: give a directory"):
        RunDirectory.create(tmp_path / "file", "toy", {})
    with pytest.raises(LambdascopeError, match=r"file is a file: give one"):
        RunDirectory.open(tmp_path / "file")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(LambdascopeError, match="nowhere does not exist"):
        RunDirectory.open(tmp_path / "nowhere")
    with pytest.raises(LambdascopeError, match=r"is no run directory \(config\.json is missing\)"):
        RunDirectory.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not hold the superuser back")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(LambdascopeError, match=r"could not be made .*writable"):
        RunDirectory.create(tmp_path / "run", "toy", {})


def test_a_read_only_disk_is_named(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("lambdascope.runs.files.tempfile.mkstemp", refuse)
    with pytest.raises(LambdascopeError, match=r"config\.json could not be written \(Read-only"):
        RunDirectory.create(tmp_path / "run", "toy", {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schema_version": 3, "lambdascope_version": "9.1"},
            "3, written by lambdascope 9.1.*upgr",
        ),
        ({"schema_version": "one"}, "schema_version 'one': this lambdascope reads 1 to 2"),
        ({"config": None}, "lacks its system or config"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused(run, changes, message):
    edit_config(run, **changes)
    with pytest.raises(LambdascopeError, match=message):
        RunDirectory.open(run.path)


@pytest.mark.parametrize("content", ['{"schema_ver', "[1]", ""])
def test_a_broken_config_is_refused(run, content):
    (run.path / "config.json").write_text(content)
    with pytest.raises(LambdascopeError, match=r"cannot be read as JSON|schema_version None"):
        RunDirectory.open(run.path)
