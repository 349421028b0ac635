import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.commands import fourier as fourier_command
from lambdascope.commands.fourier import fourier, print_result
from lambdascope.commands.fourier_config import FourierConfig
from lambdascope.commands.systems import load_run
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.circuits import find_circuits
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.modes import mode_magnitudes, mode_mask
from lambdascope.modular_addition.projections import keep_modes
from lambdascope.reporting import film
from lambdascope.reporting.modes_figure import ablation_figure
from lambdascope.reporting.progress_figure import progress_figure
from lambdascope.runs.tables import read_table

SMALL = {"p": 7, "embed_dim": 4, "hidden_size": 6, "num_steps": 40, "num_checkpoints": 3}
FIGURES = {"modes_magnitude.png", "modes_ablation.png", "modes_progress.png", "modes_picture.png"}

CUT = ("restricted", "excluded")


@pytest.fixture
def run(tmp_path):
    train(TrainConfig(**SMALL, train_fraction=0.8), tmp_path / "run", progress=False)
    return tmp_path / "run"


def test_tables_hold_every_mode_at_every_checkpoint(run, capsys):
    result = fourier(run, FourierConfig(key_modes=(1, 3)), progress=False)
    loaded = load_run(run)
    modes, progress = read_table(run / "modes.csv"), read_table(run / "progress.csv")
    assert modes[["checkpoint", "mode"]].to_numpy().tolist() == [
        [checkpoint, mode] for checkpoint in range(3) for mode in (1, 2, 3)
    ]
    assert progress["step"].tolist() == loaded.steps == [0, 20, 40]
    network = loaded.network()
    network.load_state_dict(loaded.state(2))
    embedding = network.embedding.weight.detach().clone()
    row = modes[(modes["checkpoint"] == 2) & (modes["mode"] == 3)].iloc[0]
    assert row.magnitude_embedding == pytest.approx(mode_magnitudes(embedding)[3].item(), rel=1e-6)
    inputs, targets = loaded.data.test
    whole = cross_entropy(network(inputs), targets).item()
    assert progress["test_loss"].iloc[-1] == pytest.approx(whole, rel=1e-5)
    metrics = loaded.metrics
    assert progress["test_loss"].tolist() == pytest.approx(metrics["test_loss"].tolist(), rel=1e-5)
    network.embedding.weight.data = keep_modes(embedding, mode_mask(7, [3]))
    kept = cross_entropy(network(inputs), targets).item()
    assert row.kept_test_loss == pytest.approx(kept, rel=1e-4)
    assert result.key_modes == [1, 3]
    assert {path.name for path in (run / "figures").iterdir()} == FIGURES
    print_result(result)
    out = capsys.readouterr().out
    assert "Key modes: 1, 3." in out
    assert all(str(path) in out for path in result.paths)


def test_restricted_and_excluded_losses_are_those_of_the_transform(run):
    fourier(run, FourierConfig(key_modes=(2,)), progress=False)
    loaded, row = load_run(run), read_table(run / "progress.csv").iloc[1]
    network = loaded.network()
    network.load_state_dict(loaded.state(1))
    logits = network(loaded.data.inputs).detach().double().reshape(7, 7, 7)
    spectrum = torch.fft.fft2(logits, dim=(0, 1))
    key = torch.zeros(7, 7, 1)
    key[2, 2] = key[5, 5] = 1
    excluded = torch.fft.ifft2(spectrum * (1 - key), dim=(0, 1)).real.reshape(49, 7)
    key[0, 0] = 1
    restricted = torch.fft.ifft2(spectrum * key, dim=(0, 1)).real.reshape(49, 7)
    data = loaded.data
    for part, logits_, value in (
        (data.train_index, excluded, row.excluded_train_loss),
        (data.test_index, restricted, row.restricted_test_loss),
    ):
        assert value == pytest.approx(
            cross_entropy(logits_[part], data.targets[part]).item(), rel=1e-4
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"p": 8},
        {"p": 9, "tie_linear": True, "tie_unembed": True},
        {"p": 2},
        {"p": 7, "train_fraction": 1.0},
        {
            "p": 6,
            "network": "transformer",
            "embed_dim": 8,
            "num_heads": 2,
            "equals_token": True,
        },
    ],
)
def test_other_moduli_and_networks(tmp_path, settings):
    train(TrainConfig(**{**SMALL, **settings}), tmp_path, progress=False)
    fourier(tmp_path, FourierConfig(), progress=False)
    modes = read_table(tmp_path / "modes.csv")
    assert modes["mode"].max() == settings["p"] // 2
    assert np.isfinite(modes["kept_train_loss"]).all()


@pytest.mark.parametrize(("fraction", "data"), [(0.8, "test"), (1.0, "train")])
def test_without_a_test_set_the_losses_of_the_training_set_are_drawn(
    tmp_path, monkeypatch, fraction, data
):
    drawn = []

    def noted(*tables, **settings):
        drawn.append(ablation_figure(*tables, **settings))
        return drawn[-1]

    monkeypatch.setattr(fourier_command, "ablation_figure", noted)
    train(TrainConfig(**SMALL, train_fraction=fraction), tmp_path, progress=False)
    fourier(tmp_path, FourierConfig(), progress=False)
    (figure,) = drawn
    assert figure.get_suptitle().startswith(f"{data.capitalize()} loss with one mode")
    for axes in figure.axes:
        assert axes.get_ylabel() == f"{data.capitalize()} loss (nats)"
        curves = [line.get_ydata() for line in axes.lines]
        assert all(np.isfinite(np.asarray(curve, float)).all() for curve in curves)


def test_key_modes_are_the_circuits_at_the_end(tmp_path):
    config = TrainConfig(p=29, embed_dim=8, hidden_size=32, num_steps=1500, num_checkpoints=2)
    train(config, tmp_path, progress=False)
    result = fourier(tmp_path, FourierConfig(), progress=False)
    loaded = load_run(tmp_path)
    network = loaded.network()
    network.load_state_dict(loaded.state(1))
    assert result.key_modes == list(find_circuits(network).frequencies) != []
    assert set(result.progress["key_modes"]) == {" ".join(map(str, result.key_modes))}
    first, last = result.progress.iloc[0], result.progress.iloc[1]
    # Untrained, the key modes say nothing; trained, everything is in them.
    assert first.excluded_train_loss < math.log(29) + 1
    assert last.restricted_train_loss < 0.5 < last.excluded_train_loss
    assert last.gini_embedding > first.gini_embedding


def test_where_no_circuit_is_found_nothing_is_drawn_or_said_of_key_modes(run, capsys, monkeypatch):
    drawn = {}

    def draw(table, **words):
        drawn.update(words, columns=table.dropna(axis=1, how="all").columns)
        return progress_figure(table, **words)

    monkeypatch.setattr(fourier_command, "progress_figure", draw)
    result = fourier(run, FourierConfig(), progress=False)
    assert result.key_modes == []
    cut = [f"{what}_{split}_loss" for what in CUT for split in ("train", "test")]
    assert result.progress[cut].isna().all(axis=None)
    assert read_table(run / "progress.csv")[cut].isna().all(axis=None)
    assert not set(cut) & set(drawn["columns"])
    assert drawn["title"] == "Losses and Gini coefficients over training"
    assert "restricted and excluded loss need key modes, and are left out" in drawn["caption"]
    print_result(result)
    said = capsys.readouterr().out
    assert "Key modes: none, for no circuit was found at the end." in said
    assert "restricted to" not in said


def test_a_run_that_is_not_finished_is_refused(run):
    (run / "training.csv").unlink()
    with pytest.raises(LambdascopeError, match=r"run holds a run that is not finished: give its"):
        fourier(run, FourierConfig(), progress=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"key_modes": "2,x"}, "key_modes='2,x': whole numbers such as"),
        ({"film": "avi"}, "film='avi': input should be 'mp4' or 'gif'"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(LambdascopeError, match=message):
        FourierConfig(**values)


def test_a_mode_that_does_not_exist_is_refused(run):
    with pytest.raises(LambdascopeError, match=r"key_modes=4: .* modes 1 to 3 \(mode 4 is mode 3"):
        fourier(run, FourierConfig(key_modes="4"), progress=False)


def test_a_film_without_its_encoder_is_refused_before_anything_is_computed(run, monkeypatch):
    monkeypatch.setattr(film.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LambdascopeError, match=r"film='mp4': .*pip install 'lambdascope\[film\]'"):
        fourier(run, FourierConfig(film="mp4"), progress=False)
    assert not (run / "modes.csv").exists()


def test_from_the_command_line(run, tmp_path):
    command = [sys.executable, "-m", "lambdascope", "fourier", str(run), "--film", "gif"]
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "modes_over_training.gif" in done.stdout
    assert list(folder.iterdir()) == []
    assert {p.name for p in (run / "figures").iterdir()} == {*FIGURES, "modes_over_training.gif"}


def test_other_key_modes_are_refused_unless_told_and_the_same_write_the_same(run):
    fourier(run, FourierConfig(key_modes=(1, 3)), progress=False)
    before = {path.name: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    for other, said in (((1,), "1 3 there, 1 now"), (None, "1 3 there, found now")):
        with pytest.raises(LambdascopeError, match=rf"key_modes_asked {said}.*--overwrite"):
            fourier(run, FourierConfig(key_modes=other), progress=False)
    fourier(run, FourierConfig(key_modes=(1, 3)), progress=False)
    after = {path.name: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    assert after == before
    film = run / "figures" / "modes_over_training.gif"
    film.write_bytes(b"of modes 1 and 3")
    fourier(run, FourierConfig(key_modes=(2,)), overwrite=True, progress=False)
    assert set(read_table(run / "progress.csv")["key_modes"]) == {2}
    assert not film.exists()
    again = fourier(run, FourierConfig(key_modes=(2,)), progress=False)
    assert again.rewritten.endswith("to the same numbers.")


def test_interrupted_it_can_be_given_again_or_begun_otherwise(run, monkeypatch):
    fourier(run, FourierConfig(key_modes=(1,)), progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(fourier_command, "write_table", lambda *_: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            fourier(run, FourierConfig(key_modes=(2,)), overwrite=True, progress=False)
    # Figures are of mode 2, modes.csv of mode 1: nothing says that either stands.
    assert not (run / "progress.csv").exists()
    fourier(run, FourierConfig(key_modes=(1,)), progress=False)
    assert set(read_table(run / "progress.csv")["key_modes"]) == {1}


def test_what_is_refused_leaves_what_stands(run):
    fourier(run, FourierConfig(key_modes=(1,)), progress=False)
    before = (run / "progress.csv").read_bytes()
    with pytest.raises(LambdascopeError, match="modes 1 to 3"):
        fourier(run, FourierConfig(key_modes=(4,)), overwrite=True, progress=False)
    assert (run / "progress.csv").read_bytes() == before
