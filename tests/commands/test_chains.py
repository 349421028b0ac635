"""`lambdascope chains` on a small run that was really trained."""

import functools
import shutil

import numpy as np
import pandas as pd
import pytest

from lambdascope import cli
from lambdascope.commands import chain_pictures
from lambdascope.commands import chains as chains_command
from lambdascope.commands.chains import chains, print_result
from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import principal_components
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.reporting.chains_figure import pca_figure
from lambdascope.runs.tables import read_table
from lambdascope.sampling import open_trace, sample

SMALL = {"num_chains": 2, "num_steps": 43, "step_size": 1e-4, "batch_size": 16, "thinning": 5}


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Compiling takes longer than these chains; the compiled step has tests of its own."""
    monkeypatch.setattr(chains_command, "sample", functools.partial(sample, compile=False))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "p7"
    config = TrainConfig(
        p=7, embed_dim=4, hidden_size=8, num_steps=60, num_checkpoints=3, train_fraction=0.8
    )
    train(config, path, None, progress=False)
    return path


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "p7")


def test_tables_hold_what_the_trace_holds(run, capsys):
    config = ChainsConfig(**SMALL, checkpoints=(0, 2), precision="float32")
    result = chains(run, config, progress=False)
    trace = open_trace(run / "chains_trace.zarr")
    points, modes = read_table(run / "chains.csv"), read_table(run / "chains_modes.csv")
    pd.testing.assert_frame_equal(points, result.points.reset_index(drop=True))
    pd.testing.assert_frame_equal(modes, result.modes.reset_index(drop=True))
    assert len(points) == 2 * 2 * 9
    assert len(modes) == 2 * 2 * 9 * 3
    row = points[
        (points["checkpoint"] == 2) & (points["chain"] == 1) & (points["step"] == 10)
    ].iloc[0]
    at = trace.sel(checkpoint=2, chain=1)
    assert row.training_step == 60
    # The mean over the steps from this draw to the next.
    assert row.loss == pytest.approx(at.loss[10:15].values.mean(), rel=1e-6)
    last = points[(points["checkpoint"] == 2) & (points["chain"] == 1)].iloc[-1]
    assert last.loss == pytest.approx(at.loss[40:43].values.mean(), rel=1e-6)
    assert row.distance == pytest.approx(float(at.distance.sel(draw=10)), rel=1e-6)
    expected = principal_components(trace.sel(checkpoint=2)["points"].values)
    assert row.pc1 == pytest.approx(expected.coordinates[1, 2, 0])
    assert row.explained2 == pytest.approx(expected.explained[1])
    mode = modes[
        (modes["checkpoint"] == 0)
        & (modes["chain"] == 0)
        & (modes["step"] == 40)
        & (modes["mode"] == 2)
    ].iloc[0]
    here = trace.sel(checkpoint=0, chain=0, draw=40)
    assert mode.magnitude == pytest.approx(float(here["modes"][1]), rel=1e-6)
    names = {path.name for path in (run / "figures").iterdir()}
    assert names == {
        f"chains_{what}_step_{step:06d}.png"
        for what in ("pca", "modes", "two_modes")
        for step in (0, 60)
    }
    print_result(result)
    out = capsys.readouterr().out
    assert "Around step 60: the first two principal components of 18 points hold" in out
    assert all(str(path) in out for path in result.paths)


def test_what_held_the_chains_is_said(run, monkeypatch):
    captions = []

    def draw(*tables, caption, **words):
        captions.append(caption)
        return pca_figure(*tables, caption=caption, **words)

    monkeypatch.setattr(chain_pictures, "pca_figure", draw)
    chains(run, ChainsConfig(**SMALL, nbeta=7.0), progress=False)
    held = ChainsConfig(**SMALL, nbeta=7.0, orthogonal_to_gradient=True)
    chains(run, held, overwrite=True, progress=False)
    assert all("γ = 5 · nβ = 7.00" in caption for caption in captions)
    assert ["hyperplane" in caption for caption in captions] == [False, True]


def test_the_size_is_said_before_the_run_and_refused_if_too_large(run, capsys, monkeypatch):
    chains(run, ChainsConfig(**SMALL))
    said = capsys.readouterr().out.splitlines()[0]
    points = open_trace(run / "chains_trace.zarr")["points"]
    assert points.dtype == np.float16
    rows = points.size // points.shape[-1]
    held = 2 * points.nbytes + 8 * points.size + 8 * min(rows, points.shape[-1]) ** 2
    assert said.startswith(f"records: 0.0 MB on disk (points {points.nbytes / 1e6:.1f}, ")
    assert said.endswith(f"memory to draw them: {held / 1e6:.1f} MB")
    monkeypatch.setattr("lambdascope.commands.chains.host_memory", lambda: 1000)
    with pytest.raises(LambdascopeError, match=r"thinning=\d+: drawing .* points would take"):
        chains(run, ChainsConfig(**SMALL), progress=False)
    with pytest.raises(LambdascopeError, match=r"max_megabytes=0\.001: .* would take 0\.0 MB"):
        chains(run, ChainsConfig(**SMALL, max_megabytes=0.001), progress=False)


def test_again_it_reads_its_trace_and_other_settings_are_refused(run, capsys):
    first = chains(run, ChainsConfig(**SMALL), progress=False)
    again = chains(run, ChainsConfig(**SMALL), progress=False)
    assert (first.stood, again.stood) == (False, True)
    print_result(first)
    assert "stood already" not in capsys.readouterr().out
    print_result(again)
    assert "These chains stood already: none was sampled again." in capsys.readouterr().out
    pd.testing.assert_frame_equal(first.points, again.points)
    other = ChainsConfig(**{**SMALL, "step_size": 2e-4})
    with pytest.raises(LambdascopeError) as refused:
        chains(run, other, progress=False)
    held = SMALL.get("step_size", ChainsConfig().step_size)
    assert str(refused.value) == (
        f"{run / 'chains_trace.zarr'} holds chains of other settings (step_size {held} there, "
        "0.0002 now): give those, or --overwrite to replace them"
    )
    # What those settings do not show: the chains' own settings know it.
    with pytest.raises(LambdascopeError, match=r"restriction: .*overwrite"):
        chains(run, ChainsConfig(**SMALL, orthogonal_to_gradient=True), progress=False)
    replaced = chains(run, other, overwrite=True, progress=False)
    assert not replaced.stood
    assert not np.allclose(replaced.points["pc1"], first.points["pc1"])


def test_pictures_of_other_settings_do_not_stay(run):
    chains(run, ChainsConfig(**SMALL, checkpoints=(0, 1), film="gif"), progress=False)
    other = ChainsConfig(**{**SMALL, "step_size": 2e-4}, checkpoints=(1,))
    result = chains(run, other, overwrite=True, progress=False)
    standing = set((run / "figures").glob("chains_*"))
    assert standing == {path for path in result.paths if path.parent.name == "figures"}


def test_points_of_some_parameters_and_a_film(run):
    config = ChainsConfig(**SMALL, point_parameters="unembedding", film="gif")
    result = chains(run, config, progress=False)
    assert (run / "figures" / "chains_film_step_000060.gif").stat().st_size > 1000
    assert open_trace(run / "chains_trace.zarr")["points"].shape[-1] == 7 * 8
    assert result.points["pc1"].abs().max() > 0


@pytest.mark.parametrize("settings", [{"p": 2}, {"p": 6, "network": "transformer"}])
def test_other_moduli_and_networks(tmp_path, settings):
    config = TrainConfig(
        **{"embed_dim": 4, "hidden_size": 8, "num_steps": 4, "num_checkpoints": 2, **settings},
        train_fraction=1.0,
    )
    train(config, tmp_path, None, progress=False)
    result = chains(tmp_path, ChainsConfig(**SMALL), progress=False)
    assert result.modes["mode"].max() == settings["p"] // 2


def test_chains_that_diverge_are_left_out_or_refused(run):
    with pytest.raises(LambdascopeError, match="every chain around step 60 diverged"):
        chains(run, ChainsConfig(**{**SMALL, "step_size": 1e4}), progress=False)


def test_a_run_that_is_not_finished_is_refused(run):
    (run / "training.csv").unlink()
    with pytest.raises(LambdascopeError, match="holds a run that is not finished"):
        chains(run, ChainsConfig(**SMALL), progress=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"thinning": 100}, "thinning=100 leaves 1 of 43 points; at least 3"),
        ({"point_parameters": "a,,b"}, "point_parameters='a,,b': name patterns"),
        ({"precision": "int8"}, "precision='int8'"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(LambdascopeError, match=message):
        ChainsConfig(**{**SMALL, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"checkpoints": (7,)}, "checkpoints=7: 7 does not exist; .* checkpoints 0 to 2"),
        ({"point_parameters": ("embeding",)}, "'embeding' matches nothing"),
    ],
)
def test_what_the_run_does_not_have_is_refused(run, values, message):
    with pytest.raises(LambdascopeError, match=message):
        chains(run, ChainsConfig(**SMALL, **values), progress=False)
    assert not (run / "chains_trace.zarr").exists()


def test_from_the_command_line(run, capsys):
    flags = ["--chains", "2", "--steps", "43", "--thinning", "5", "--step-size", "1e-4"]
    assert cli.main(["chains", str(run), *flags, "--batch-size", "16", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert (run / "chains.csv").is_file()
