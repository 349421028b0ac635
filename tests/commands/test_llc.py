"""`lambdascope llc` on a small run that was really trained."""

import functools
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lambdascope import cli
from lambdascope.commands import llc as llc_command
from lambdascope.commands import llc_sampling
from lambdascope.commands.llc import llc, print_result
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.standing_traces import StandingTraces
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.estimates import LLCEstimate, check_step
from lambdascope.estimates.automatic import FEWEST_STEPS
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.reporting.llc_figure import llc_figure
from lambdascope.runs.tables import read_table
from lambdascope.sampling import open_trace, sample
from lambdascope.sampling.recorder import FileRecorder

SMALL = LLCConfig(num_chains=2, num_steps=60, step_size=1e-4, batch_size=16, localization=10)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes longer than these chains; the compiled step has tests of its own."""
    monkeypatch.setattr(llc_sampling, "sample", functools.partial(sample, compile=False))
    monkeypatch.setattr(llc_sampling, "check_step", functools.partial(check_step, compile=False))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "p7"
    config = TrainConfig(
        p=7, embed_dim=4, hidden_size=8, num_steps=60, num_checkpoints=3, train_fraction=0.8
    )
    train(config, path, None, progress=False)
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "p7"))


def estimate(run: Path, overwrite: bool = False, **changes: object) -> pd.DataFrame:
    config = LLCConfig(**{**SMALL.model_dump(), **changes})
    return llc(run, config, overwrite=overwrite, progress=False).table


def test_it_writes_a_table_a_trace_and_a_figure(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = llc(run, SMALL, progress=False)
    table = read_table(run / "llc.csv")
    # What there is none of, as a method of the plain estimator, is an empty cell.
    made = result.table.replace("", float("nan"))
    table, made = (one.astype(object).where(one.notna(), "") for one in (table, made))
    pd.testing.assert_frame_equal(table, made, check_dtype=False)
    first = ["checkpoint", "step", "llc", "llc_stderr", "rhat", "ess", "train_loss", "test_loss"]
    assert list(table.columns[:8]) == first
    assert table["checkpoint"].tolist() == [0, 1, 2]
    assert table["step"].tolist() == [0, 30, 60]
    assert set(table["batch_size"]) == {16}
    assert open_trace(run / "llc_trace.zarr")["loss"].shape == (3, 2, 60)
    assert (run / "figures" / "llc_vs_checkpoint.png").read_bytes().startswith(b"\x89PNG")
    print_result(result)
    printed = capsys.readouterr().out
    assert "checkpoint  step" in printed
    assert result.finding in printed
    assert f"made by: {result.caption}" in printed
    assert str(run / "llc.csv") in printed
    assert printed.splitlines()[-1].startswith(f"{sum(result.seconds.values()):.1f} s: prepare ")
    print_result(result, timing=False)
    assert capsys.readouterr().out == printed[: printed.rindex("\n\n") + 1]


def test_losses_are_those_of_training(run: Path) -> None:
    table, training = estimate(run), read_table(run / "training.csv")
    at = training.set_index("step").loc[table["step"]]
    np.testing.assert_allclose(table["train_loss"], at["train_loss"], rtol=1e-5)
    np.testing.assert_allclose(table["test_loss"], at["test_loss"], rtol=1e-5)
    np.testing.assert_allclose(table["initial_loss"], table["train_loss"], rtol=1e-6)


def test_the_figure_has_the_losses_of_all_checkpoints_and_the_cautions(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def draw(table: pd.DataFrame, training: pd.DataFrame, **words: str) -> Figure:
        drawn.update(training=training, **words)
        return llc_figure(table, training, **words)

    monkeypatch.setattr(llc_command, "llc_figure", draw)
    slope = "the potential has a slope at w* (one that matters to λ̂), so chains slide down it"
    monkeypatch.setattr(LLCEstimate, "cautions", (slope,))
    assert len(estimate(run, checkpoints=(0, 2))) == 2
    assert drawn["training"]["step"].tolist() == [0, 30, 60]
    assert drawn["caption"].endswith(" · the potential has a slope at w* at all 2 checkpoints")


def test_the_estimate_is_the_formula_on_the_trace(run: Path) -> None:
    table = estimate(run, burnin=0.5)
    trace = open_trace(run / "llc_trace.zarr")
    num_train = int(0.8 * 49)
    np.testing.assert_allclose(table["nbeta"], num_train / np.log(num_train))
    excess = (
        trace["loss"][:, :, 30:].astype("float64").mean(["chain", "step"]) - table["train_loss"]
    )
    np.testing.assert_allclose(table["llc"], table["nbeta"] * excess, rtol=1e-4)


def test_a_checkpoint_by_itself_gives_what_it_gives_among_all(run: Path, trained: Path) -> None:
    everything = estimate(run).set_index("checkpoint")
    shutil.rmtree(run)
    shutil.copytree(trained, run)
    some = estimate(run, checkpoints=(2, 0)).set_index("checkpoint")
    assert some.index.tolist() == [0, 2]
    np.testing.assert_allclose(some["llc"], everything.loc[[0, 2], "llc"], rtol=1e-4)
    np.testing.assert_allclose(some["llc_stderr"], everything.loc[[0, 2], "llc_stderr"], rtol=1e-3)


def test_the_same_settings_again_read_what_stands(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = llc(run, SMALL, progress=False)
    stamp = (run / "llc_trace.zarr" / "zarr.json").stat().st_mtime_ns
    again = llc(run, SMALL, progress=False)
    pd.testing.assert_frame_equal(again.table, first.table)
    assert (run / "llc_trace.zarr" / "zarr.json").stat().st_mtime_ns == stamp
    assert (first.stood, again.stood) == (False, True)
    said = []
    for result in (first, again):
        print_result(result)
        said.append(capsys.readouterr().out.count("stood already: none was sampled again."))
    assert said == [0, 1]
    longer = SMALL.model_copy(update={"num_steps": 80})
    assert not llc(run, longer, overwrite=True, progress=False).stood


def test_interrupted_it_says_from_where_it_goes_on(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = FileRecorder.commit

    def interrupt(self: FileRecorder, chunk: int, step: int, state: Any) -> None:
        commit(self, chunk, step, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileRecorder, "commit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            llc(run, SMALL, progress=False)
    # Ten of sixty steps, then the first snapshot; of other settings nothing would go on.
    traces = StandingTraces(run / "llc_trace.zarr")
    said = "Sampling goes on where it was interrupted: 17 % of the steps of llc_trace.zarr stand."
    assert traces.resumed({"num_steps": 60}) == [said]
    assert traces.resumed({"num_steps": 80}) == []
    assert StandingTraces(run / "llc_automatic").resumed({}) == []
    assert not llc(run, SMALL, progress=True).stood
    assert said in capsys.readouterr().out
    assert traces.resumed({}) == []


def test_other_settings_are_refused_and_nothing_is_lost(run: Path) -> None:
    estimate(run)
    kept = (run / "llc.csv").read_bytes()
    for changes, named in (
        ({"step_size": 2e-4}, r"step_size 0\.0001 there, 0\.0002 now"),
        ({"burnin": 0.5}, r"burnin 0\.25 there, 0\.5 now"),
        ({"checkpoints": (0,)}, r"checkpoints \[0, 1, 2\] there, \[0\] now"),
        ({"parameters": ("embedding*",)}, r"parameters all there, embedding\* now"),
    ):
        with pytest.raises(LambdascopeError, match=f"{named}.*--overwrite"):
            estimate(run, **changes)
    assert (run / "llc.csv").read_bytes() == kept
    assert open_trace(run / "llc_trace.zarr")["loss"].shape == (3, 2, 60)


def test_overwrite_replaces_them(run: Path) -> None:
    before = estimate(run)
    after = estimate(run, overwrite=True, num_steps=80)
    assert set(after["num_steps"]) == {80}
    assert open_trace(run / "llc_trace.zarr").sizes["step"] == 80
    assert not np.allclose(before["llc"], after["llc"], rtol=1e-6)


def test_a_damaged_trace_is_replaced_by_overwrite_alone(run: Path) -> None:
    before = estimate(run)
    next(
        file for file in (run / "llc_trace.zarr" / "loss" / "c").rglob("*") if file.is_file()
    ).unlink()
    with pytest.raises(LambdascopeError, match=r"lacks 1 of 3 parts of 'loss'.*--overwrite"):
        estimate(run)
    pd.testing.assert_frame_equal(estimate(run, overwrite=True), before)


def test_another_burnin_uses_the_trace_that_stands(run: Path) -> None:
    estimate(run)
    stamp = (run / "llc_trace.zarr" / "zarr.json").stat().st_mtime_ns
    table = estimate(run, overwrite=True, burnin=0.5)
    assert set(table["num_burnin_steps"]) == {30}
    assert (run / "llc_trace.zarr" / "zarr.json").stat().st_mtime_ns == stamp


def test_an_interruption_in_an_overwrite_loses_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate(run)
    kept = (run / "llc.csv").read_bytes()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(llc_sampling, "sample", interrupted)
        with pytest.raises(KeyboardInterrupt):
            estimate(run, overwrite=True, num_steps=80)
    assert (run / "llc.csv").read_bytes() == kept
    assert set(estimate(run, overwrite=True, num_steps=80)["num_steps"]) == {80}


def test_restrictions_and_scalings_change_what_is_sampled(run: Path) -> None:
    plain = estimate(run)
    for changes in (
        {"parameters": ("embedding*",)},
        {"orthogonal_to_gradient": True},
        {"logit_scale": 2.0},
        {"weight_decay": 0.5},
        {"n_multiplier": 2.0},
        {"temp_multiplier": 3.0},
        {"nbeta": 5.0},
        {"seed": 1},
    ):
        changed = estimate(run, overwrite=True, **changes)
        assert not np.allclose(changed["mean_loss"], plain["mean_loss"], rtol=1e-6), changes
        np.testing.assert_array_equal(changed["train_loss"], plain["train_loss"])


def test_restrictions_and_scalings_are_said(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, str] = {}

    def draw(table: pd.DataFrame, training: pd.DataFrame, *, title: str, caption: str) -> Figure:
        drawn.update(title=title, caption=caption)
        return llc_figure(table, training, title=title, caption=caption)

    monkeypatch.setattr(llc_command, "llc_figure", draw)
    config = SMALL.model_copy(
        update={
            "parameters": ("embedding*",),
            "orthogonal_to_gradient": True,
            "logit_scale": 2.0,
            "temp_multiplier": 3.0,
        }
    )
    print_result(llc(run, config, progress=False))
    printed = capsys.readouterr().out
    for words in (
        "only embedding* may move, the rest stays at w*",
        "chains held to the hyperplane across the gradient at w*",
        "logits × 2",
        "at the temperature × 3",
    ):
        assert words in printed
        assert words in drawn["caption"]
    assert "coefficient of embedding* alone" in printed
    assert "λ̂ of embedding*" in drawn["title"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"checkpoints": (0, 9)}, r"checkpoints=0,9: 9 does not exist; .* checkpoints 0 to 2"),
        ({"parameters": ("emb",)}, r"'emb' matches nothing; .*embedding\.weight"),
        ({"nbeta": 3.0, "n_multiplier": 2.0}, r"nbeta=3\.0 together with n_multiplier=2\.0"),
    ],
)
def test_settings_that_do_not_fit_the_run_are_refused(
    run: Path, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(LambdascopeError, match=sentence):
        estimate(run, **changes)
    assert not (run / "llc_trace.zarr").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LambdascopeError, match="no run directory"):
        llc(tmp_path, SMALL)


def test_a_full_disk_is_a_sentence_and_what_stood_still_stands(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource")
    flags = ["--chains", "2", "--steps", "3000", "--step-size", "1e-4", "--quiet"]
    stood = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        code = cli.main(["llc", str(run), *flags])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("lambdascope: ")
    assert str(run) in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in stood} == stood
    assert cli.main(["llc", str(run), *flags]) == 0
    assert len(read_table(run / "llc.csv")) == 3


def test_diverged_chains_are_told_in_table_and_figure(run: Path) -> None:
    table = estimate(run, step_size=1e6)
    assert set(table["status"]) == {"all chains diverged"}
    assert table["llc"].isna().all()
    assert (run / "figures" / "llc_vs_checkpoint.png").exists()


def test_strict_ends_with_1_where_something_has_not_converged_and_writes_all_the_same(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--chains", "2", "--steps", "60", "--step-size", "1e-4"]
    assert cli.main(["llc", str(run), *flags]) == 0
    assert cli.main(["llc", str(run), *flags, "--strict"]) == 1
    table = read_table(run / "llc.csv")
    count = int((table["status"] != "converged").sum())
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"lambdascope: {count} of 3 checkpoints have not converged"
    )
    table = table.assign(status="converged")
    result = llc(run, SMALL, overwrite=True, progress=False)
    assert llc_command.unconverged(replace(result, table=table)) == ""
    two = table.assign(status=["converged", "escaped", "not converged"])
    assert llc_command.unconverged(replace(result, table=two)).startswith("2 of 3 checkpoints")


def test_a_transformer_is_sampled_as_any_network(tmp_path: Path) -> None:
    config = TrainConfig(
        network="transformer", p=5, embed_dim=4, num_heads=2, num_steps=6, num_checkpoints=2
    )
    train(config, tmp_path / "run", None, progress=False)
    table = estimate(tmp_path / "run", num_steps=40)
    assert np.isfinite(table["llc"]).all()
    assert table["llc_stderr"].gt(0).all()


@pytest.mark.parametrize("budget", [{"target_error": 0.05}, {"max_steps": 900}])
def test_a_budget_beside_settings_of_the_sampler_is_refused(budget: dict[str, float]) -> None:
    (name,) = budget
    with pytest.raises(ValueError, match=f"{name}=.* beside num_chains, step_size: it belongs to"):
        LLCConfig(**budget, num_chains=2, step_size=1e-3)
    assert LLCConfig(**budget).is_automatic


def test_a_budget_given_by_name_is_refused_even_at_its_default() -> None:
    config = LLCConfig(num_chains=2)
    config.check_given(["num_chains"])
    with pytest.raises(ValueError, match=r"target_error=0\.02 beside num_chains"):
        config.check_given(["num_chains", "target_error"])


def test_the_shortest_budget_is_the_automatic_estimates() -> None:
    LLCConfig(max_steps=FEWEST_STEPS)
    with pytest.raises(ValueError, match="max_steps"):
        LLCConfig(max_steps=FEWEST_STEPS - 1)


def test_the_step_is_checked_on_request(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = llc(run, LLCConfig(**{**SMALL.model_dump(), "check_step": True}), progress=False)
    table = read_table(run / "llc.csv")
    assert ((table["mala_acceptance"] > 0) & (table["mala_acceptance"] <= 1)).all()
    assert (table["noise_ratio"] > 0).all()
    print_result(result)
    assert "a Metropolis test on all data would accept" in capsys.readouterr().out
    with pytest.raises(ValueError, match="check_step=True without a setting of the sampler"):
        LLCConfig(check_step=True)
