"""`lambdascope hessian` on a small run that was really trained."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lambdascope import cli
from lambdascope.commands import hessian as hessian_command
from lambdascope.commands import hessian_tables
from lambdascope.commands.hessian import hessian, print_result
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.hessian_estimates import matching_estimate
from lambdascope.commands.hessian_tables import summary_row
from lambdascope.commands.systems import load_run
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.hessian import hessian_spectrum
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.reporting import hessian_figures
from lambdascope.reporting.hessian_text import unresolved
from lambdascope.runs.tables import read_table, write_table
from tests.hessian.test_spectrum import planted

SMALL = HessianConfig(top=12, bottom=5, checkpoints=(0, 2))


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


def dense(run: Path, index: int) -> torch.Tensor:
    """The Hessian of torch's own cross-entropy, in float64."""
    loaded = load_run(run)
    network = loaded.network().double()
    state = {name: tensor.double() for name, tensor in loaded.state(index).items()}
    inputs, targets = loaded.data.train
    sizes = [tensor.numel() for tensor in state.values()]

    def loss(w: torch.Tensor) -> torch.Tensor:
        parts = zip(state.items(), w.split(sizes), strict=True)
        values = {name: part.view_as(tensor) for (name, tensor), part in parts}
        logits = torch.func.functional_call(network, values, (inputs,))
        return torch.nn.functional.cross_entropy(logits, targets)

    flat = torch.cat([tensor.reshape(-1) for tensor in state.values()])
    return torch.autograd.functional.hessian(loss, flat)


def test_the_tables_hold_the_dense_hessian_of_each_checkpoint(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = hessian(run, SMALL, progress=False)
    table = read_table(run / "hessian.csv")
    pd.testing.assert_frame_equal(table, result.eigenvalues, check_dtype=False)
    for index, step in ((0, 0), (2, 60)):
        exact = np.linalg.eigvalsh(dense(run, index).numpy())
        rows = table[table["checkpoint"] == index]
        assert set(rows["step"]) == {step}
        found = rows.groupby("end")["eigenvalue"].apply(list)
        np.testing.assert_allclose(found["largest"], exact[::-1][:12], rtol=1e-6)
        np.testing.assert_allclose(found["smallest"], exact[:5], rtol=1e-6, atol=1e-9)
        summary = result.summary.set_index("checkpoint").loc[index]
        assert summary["trace"] == pytest.approx(exact.sum(), rel=1e-9)
        ratio = 5.0 * np.log(39) / 39
        positive = exact[exact > 0]
        dimension = 0.5 * (positive / (positive + ratio)).sum()
        assert summary["effective_dimension"] == pytest.approx(dimension, rel=1e-9)
        density = result.density[result.density["checkpoint"] == index]
        assert density["eigenvalues"].sum() == pytest.approx(len(exact))
    names = ("spectrum", "density", "effective_dimension")
    for name in names:
        figure = run / "figures" / f"hessian_{name}.png"
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert figure in result.paths
    print_result(result)
    printed = capsys.readouterr().out
    assert "checkpoint 2 (step 60): largest eigenvalue" in printed
    assert str(run / "hessian.csv") in printed


def test_weight_decay_is_that_of_training(run: Path) -> None:
    plain = hessian(run, SMALL, progress=False).eigenvalues["eigenvalue"]
    config = SMALL.model_copy(update={"weight_decay": True})
    with pytest.raises(LambdascopeError, match=r"weight_decay 0\.0 there, 0\.0002.*--overwrite"):
        hessian(run, config, progress=False)
    decayed = hessian(run, config, overwrite=True, progress=False).eigenvalues["eigenvalue"]
    np.testing.assert_allclose(decayed - plain, 2e-4, rtol=1e-6)


def test_decoupled_weight_decay_is_no_term_of_the_loss(tmp_path: Path) -> None:
    config = TrainConfig(p=5, num_steps=2, num_checkpoints=2, optimizer="adamw")
    train(config, tmp_path / "run", None, progress=False)
    with pytest.raises(LambdascopeError, match=r"weight_decay.*optimizer='adamw'.*'adam'"):
        hessian(tmp_path / "run", HessianConfig(weight_decay=True), progress=False)


def test_a_part_of_the_parameters(run: Path) -> None:
    config = SMALL.model_copy(update={"parameters": ("embedding*",)})
    result = hessian(run, config, progress=False)
    assert set(result.summary["num_parameters"]) == {28}
    exact = np.linalg.eigvalsh(dense(run, 2)[:28, :28].numpy())
    rows = result.eigenvalues.query("checkpoint == 2 and end == 'largest'")
    np.testing.assert_allclose(rows["eigenvalue"], exact[::-1][:12], rtol=1e-6)


def test_what_stands_is_not_computed_again_and_more_can_be_added(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = hessian(run, SMALL, progress=False)
    computed = []
    real = hessian_command._spectrum

    def counted(loaded, index, *rest):
        computed.append(index)
        return real(loaded, index, *rest)

    monkeypatch.setattr(hessian_command, "_spectrum", counted)
    again = hessian(run, SMALL, progress=False)
    pd.testing.assert_frame_equal(again.eigenvalues, first.eigenvalues, check_dtype=False)
    assert computed == []
    more = SMALL.model_copy(update={"checkpoints": (0, 1, 2)})
    assert hessian(run, more, progress=False).summary["checkpoint"].tolist() == [0, 1, 2]
    assert computed == [1]
    assert (first.stood, again.stood) == ([], [0, 2])
    print_result(again)
    assert "Of checkpoints 0, 2 the spectrum stood already" in capsys.readouterr().out


def test_interrupted_it_goes_on_to_the_same_bits(
    run: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = hessian(Path(shutil.copytree(trained, tmp_path / "whole")), SMALL, progress=False)
    written = []

    def killed(path: Path, table: pd.DataFrame) -> None:
        if len(written) == 4:  # after the second checkpoint's eigenvalues, before the rest
            raise KeyboardInterrupt
        written.append(path)
        write_table(path, table)

    monkeypatch.setattr(hessian_command, "write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        hessian(run, SMALL, progress=False)
    monkeypatch.setattr(hessian_command, "write_table", write_table)
    resumed = hessian(run, SMALL, progress=False)
    pd.testing.assert_frame_equal(resumed.eigenvalues, whole.eigenvalues, check_dtype=False)
    pd.testing.assert_frame_equal(resumed.density, whole.density, check_dtype=False)
    pd.testing.assert_frame_equal(resumed.summary, whole.summary, check_dtype=False)


def test_the_estimate_stands_beside_it_only_where_it_is_of_the_same_posterior(run: Path) -> None:
    nbeta = 39 / np.log(39)
    settings = {
        "localization": 5.0,
        "nbeta": nbeta,
        "parameters": "all",
        "weight_decay": 0.0,
    }
    row = {"checkpoint": 2, "step": 60, "llc": 3.0, "llc_stderr": 0.1}
    row |= {"status": "converged", "sampler": "automatic"}
    table = pd.DataFrame([{**row, **settings}])
    assert matching_estimate(run / "llc.csv", settings, [1, 2])[1].endswith("no llc.csv")
    write_table(run / "llc.csv", table.drop(columns="status"))
    held, note = matching_estimate(run / "llc.csv", settings, [1, 2])
    assert held is None
    assert "lacks the column status" in note
    write_table(run / "llc.csv", table)
    held, note = matching_estimate(run / "llc.csv", settings, [1, 2])
    assert held is not None
    assert "95 %" in note
    assert "sampling error" not in note
    write_table(run / "llc.csv", table.assign(sampler="sgld"))
    note = matching_estimate(run / "llc.csv", settings, [1, 2])[1]
    assert "95 % interval from llc.csv, sampling error only" in note
    held, note = matching_estimate(run / "llc.csv", {**settings, "nbeta": 2 * nbeta}, [2])
    assert held is None
    assert "another nbeta" in note
    write_table(run / "llc.csv", table.assign(logit_scale=3.0))
    held, note = matching_estimate(run / "llc.csv", settings, [1, 2])
    assert held is None
    assert "another logit_scale" in note
    write_table(run / "llc.csv", table.assign(logit_scale=1.0, orthogonal_to_gradient=True))
    held, note = matching_estimate(run / "llc.csv", settings, [1, 2])
    assert held is not None
    assert "across the gradient: one direction fewer" in note
    held, note = matching_estimate(run / "llc.csv", settings, [0, 1])
    assert held is None
    assert note.endswith("llc.csv has other checkpoints")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--checkpoints", "0,9"], "--checkpoints 0,9: 9 does not exist; "),
        (["--top", "0"], "--top 0: input should be greater than or equal to 1"),
        (["--parameters", "embeding*"], "parameter pattern 'embeding*' matches nothing"),
        (["--localization", "0"], "--localization 0: input should be greater than 0"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["hessian", str(run), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("localization", "taken"), [(100.0, 100.0), (0.0, 5.0)])
def test_the_effective_dimension_is_that_of_the_estimates_posterior(
    run: Path, localization: float, taken: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """At γ = 0 there is none, and the default stands."""
    row = {"checkpoint": 2, "step": 60, "llc": 3.0, "llc_stderr": 0.1, "status": "converged"}
    row |= {"sampler": "automatic", "parameters": "all", "weight_decay": 0.0}
    write_table(
        run / "llc.csv", pd.DataFrame([{**row, "localization": localization, "nbeta": 7.5}])
    )
    assert cli.main(["hessian", str(run), "--bottom", "0"]) == 0
    summary = read_table(run / "hessian_summary.csv")
    assert summary["localization"].tolist() == [taken]
    assert summary["nbeta"].tolist() == [7.5 if localization else 39 / np.log(39)]
    said = capsys.readouterr().out
    assert f"at γ = {taken:g} and nβ = " in said
    assert ("λ̂ 3.00 ± 0.20" in said) == (localization > 0)
    assert cli.main(["hessian", str(run), "--bottom", "0", "--localization", "2"]) == 2
    assert f"localization {taken} there, 2.0 now" in capsys.readouterr().err


def test_from_the_command_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hessian", str(run), "--top", "5000", "--bottom", "0"]) == 0
    assert "largest eigenvalue" in capsys.readouterr().out
    assert len(read_table(run / "hessian.csv")) == 7 * 4 + 2 * 8 * 5 + 7 * 8


@pytest.mark.parametrize(("num_lanczos_steps", "is_resolved"), [(40, False), (200, True)])
def test_an_effective_dimension_that_is_hardly_known_is_said_to_be(
    num_lanczos_steps: int, is_resolved: bool
) -> None:
    """Half of the eigenvalues are 0, the others gather there: γ/nβ lies closer than the nodes."""
    curvature = np.concatenate([np.zeros(310), np.geomspace(1e-5, 1e2, 310)])
    spectrum = hessian_spectrum(
        planted(curvature), num_largest=20, num_lanczos_steps=num_lanczos_steps
    )
    settings = {
        "localization": 5.0, "nbeta": 5e6, "num_lanczos_steps": num_lanczos_steps
    }  # fmt: skip
    row = {"checkpoint": 7, **summary_row(spectrum, settings), **settings}
    exact = 0.5 * (curvature / (curvature + 1e-6)).sum()
    half_width = 1.96 * row["effective_dimension_stderr"]
    assert abs(row["effective_dimension"] - exact) < half_width
    said = unresolved(pd.DataFrame([row, {**row, "checkpoint": 8}]))
    if is_resolved:
        assert said == ""
        assert half_width < 0.5 * exact
    else:
        assert said.startswith("The effective dimension is not resolved at checkpoints 7, 8: ")
        assert "40 Lanczos steps tell apart, where γ/nβ = 1e-06 lies" in said


def test_a_table_that_was_cut_or_removed_is_worked_out_again(run: Path) -> None:
    whole = hessian(run, SMALL, progress=False)
    path = run / "hessian.csv"
    kept = read_table(path)
    write_table(path, kept.iloc[:5])
    again = hessian(run, SMALL, progress=False)
    assert again.stood == []
    assert len(read_table(path)) == len(kept)
    path.unlink()
    once_more = hessian(run, SMALL, progress=False)
    assert once_more.stood == []
    pd.testing.assert_frame_equal(read_table(path), kept)
    assert hessian(run, SMALL, progress=False).stood == [0, 2]
    pd.testing.assert_frame_equal(whole.summary, once_more.summary, check_dtype=False)


def test_a_loss_without_a_positive_eigenvalue_has_its_figures(run: Path) -> None:
    loaded = load_run(run)
    flat = {name: torch.zeros_like(tensor) for name, tensor in loaded.state(0).items()}
    network = loaded.network()
    network.load_state_dict(flat)
    found = hessian_command.spectrum_of(
        network, loaded.data.train, SMALL, nbeta=10.0, weight_decay=0.0
    )
    table = pd.DataFrame(hessian_tables.eigenvalue_rows(found)).assign(checkpoint=0, step=0)
    table["eigenvalue"] = -table["eigenvalue"].abs()
    figure = hessian_figures.spectrum_figure(table, ratio=0.1, title="flat", caption="")
    said = [text.get_text() for text in figure.axes[0].texts]
    assert "No eigenvalue is positive" in said
