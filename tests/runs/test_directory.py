import json
import os

import pytest
import torch

import lambdascope
from lambdascope.errors import LambdascopeError
from lambdascope.runs.directory import RunDirectory
from lambdascope.runs.document import SCHEMA_VERSION

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
    assert run.load_checkpoint(60, {"w": (2,)})["w"].tolist() == [60.0, 60.0]
    with pytest.raises(LambdascopeError, match=r"step_000061\.safetensors does not exist"):
        run.load_checkpoint(61)
    (run.path / "checkpoints" / "copy.safetensors").write_text("")
    assert run.checkpoint_steps == [0, 60, 1_500_000]
    assert run.checkpoint_files[0] == "copy.safetensors"
    assert len(run.checkpoint_files) == 4


def test_a_checkpoint_of_other_shape_is_refused(run):
    run.save_checkpoint(0, {"w": torch.ones(2)})
    with pytest.raises(LambdascopeError, match=r"w has shape \[2\].*asks for \[3\]"):
        run.load_checkpoint(0, {"w": (3,)})


def test_figures_makes_its_folder(run):
    assert run.figures.is_dir()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_of_the_same_settings_is_taken_up_with_its_results(run, overwrite):
    run.save_checkpoint(0, {"w": torch.ones(2)})
    (run.path / "llc.csv").write_text("step\n")
    again = RunDirectory.create(run.path, "modular_addition", CONFIG, overwrite=overwrite)
    assert again == run
    assert again.checkpoint_steps == [0]
    assert (run.path / "llc.csv").exists()


def test_a_run_of_another_command_is_another_run(run):
    import_ = {"made_by": "import-legacy"}
    with pytest.raises(LambdascopeError, match=r"run that `lambdascope train` made: .*--overwrite"):
        RunDirectory.create(run.path, "modular_addition", CONFIG, **import_)
    (run.path / "training.csv").write_text("step\n")
    RunDirectory.create(run.path, "modular_addition", CONFIG, **import_, overwrite=True)
    assert not (run.path / "training.csv").exists()
    assert RunDirectory.open(run.path).made_by == "import-legacy"


def test_an_import_of_before_this_was_recorded_is_known_by_its_file(run):
    edit_config(run, made_by=None)
    document = json.loads((run.path / "config.json").read_text())
    del document["made_by"]
    (run.path / "config.json").write_text(json.dumps(document))
    assert RunDirectory.open(run.path).made_by == "train"
    (run.path / "imported.json").write_text("{}")
    assert RunDirectory.open(run.path).made_by == "import-legacy"


def test_settings_that_came_after_the_config_take_their_defaults(run):
    edit_config(run, schema_version=1)
    new = {**CONFIG, "network": "mlp"}
    again = {"defaults": {"network": "mlp"}}
    assert RunDirectory.create(run.path, "modular_addition", new, **again).config == CONFIG
    with pytest.raises(LambdascopeError, match="network 'mlp' there, 'transformer' now"):
        RunDirectory.create(
            run.path, "modular_addition", {**CONFIG, "network": "transformer"}, **again
        )


def test_other_settings_are_never_mixed_in(run):
    other = {**CONFIG, "p": 59}
    with pytest.raises(LambdascopeError, match=r"p 53 there, 59 now.*--overwrite"):
        RunDirectory.create(run.path, "modular_addition", other)
    with pytest.raises(LambdascopeError, match=r"system 'modular_addition' there, 'toy' now"):
        RunDirectory.create(run.path, "toy", CONFIG)
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


def test_clearing_training_leaves_results(run):
    run.save_checkpoint(0, {"w": torch.ones(2)})
    for name in ("training.csv", "llc.csv"):
        (run.path / name).write_text("step\n")
    run.clear_training()
    assert sorted(entry.name for entry in run.path.iterdir()) == ["config.json", "llc.csv"]
    run.clear()
    assert [entry.name for entry in run.path.iterdir()] == ["config.json"]


def test_a_broken_run_can_be_overwritten(run):
    (run.path / "config.json").write_text("{")
    with pytest.raises(LambdascopeError, match="cannot be read as JSON"):
        RunDirectory.create(run.path, "modular_addition", CONFIG)
    again = RunDirectory.create(run.path, "modular_addition", CONFIG, overwrite=True)
    assert RunDirectory.open(run.path) == again


def test_a_folder_of_runs_names_them(tmp_path):
    for seed in (0, 2, 10):
        RunDirectory.create(tmp_path / f"seed_{seed}", "toy", {})
    said = r"no run directory, but holds 3: seed_0, seed_2, seed_10; .* such as .*/seed_0$"
    with pytest.raises(LambdascopeError, match=said):
        RunDirectory.open(tmp_path)
    for seed in range(20):
        RunDirectory.create(tmp_path / f"seed_{seed}", "toy", {})
    with pytest.raises(LambdascopeError, match=r"holds 20: seed_0, .*, seed_6, …, seed_19; give"):
        RunDirectory.open(tmp_path)


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
        ({"schema_version": "one"}, r"schema_version is 'one'\): one that .* version 1 to 2, is"),
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
    with pytest.raises(LambdascopeError, match=r"cannot be read as JSON|schema_version is None"):
        RunDirectory.open(run.path)
