"""Spectra of several runs in one table and figure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lambdascope import cli
from lambdascope.commands import hessian_comparison
from lambdascope.commands.hessian_comparison import compare_hessians, print_comparison
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.reporting.hessian_comparison import comparison_figure
from lambdascope.runs.tables import read_table, write_table

CONFIG = HessianConfig(top=10, bottom=2, checkpoints=(0, 2))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name, fraction in (("few", 0.5), ("many", 0.9)):
        config = TrainConfig(
            p=7,
            embed_dim=4,
            hidden_size=8,
            num_steps=60,
            num_checkpoints=3,
            train_fraction=fraction,
        )
        train(config, folder / name, None, progress=False)
    return [folder / "few", folder / "many"]


def test_each_run_has_its_own_tables_and_all_share_a_figure(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"localization": 5.0, "parameters": "all", "weight_decay": 0.0}
    columns |= {"status": "drifting", "sampler": "automatic"}
    estimate = pd.DataFrame(
        {"checkpoint": [0, 2], "step": [0, 60], "llc": [3.0, 7.0], "llc_stderr": [0.1, 0.2]}
    )
    n = int(0.9 * 49)
    write_table(runs[1] / "llc.csv", estimate.assign(nbeta=n / np.log(n), **columns))
    found = compare_hessians(runs, CONFIG, tmp_path / "together", progress=False)
    assert [result.paths[0].parent.name for result in found.results] == ["few", "many"]
    table = read_table(tmp_path / "together" / "hessian_comparison.csv")
    assert table["run"].tolist() == ["few", "few", "many", "many"]
    assert table["checkpoint"].tolist() == [0, 2, 0, 2]
    for position, run in enumerate(runs):
        own = read_table(run / "hessian_summary.csv")
        np.testing.assert_allclose(
            table["effective_dimension"][2 * position : 2 * position + 2],
            own["effective_dimension"],
        )
    # Only the run whose λ̂ is of the same posterior has one.
    np.testing.assert_array_equal(table["llc"], [np.nan, np.nan, 3.0, 7.0])
    assert (tmp_path / "together" / "hessian_comparison.png").read_bytes()[:4] == b"\x89PNG"
    print_comparison(found)
    printed = capsys.readouterr().out
    assert "many  step      60  largest" in printed
    assert "λ̂ 7.00 ± 0.39 (drifting)" in printed


def test_an_estimate_across_the_gradient_is_said_to_be_one(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions: list[str] = []

    def noted(*tables: pd.DataFrame, title: str, caption: str) -> Figure:
        captions.append(caption)
        return comparison_figure(*tables, title=title, caption=caption)

    monkeypatch.setattr(hessian_comparison, "comparison_figure", noted)
    n = int(0.9 * 49)
    row = {"checkpoint": 2, "step": 60, "llc": 7.0, "llc_stderr": 0.2, "nbeta": n / np.log(n)}
    row |= {"localization": 5.0, "parameters": "all", "weight_decay": 0.0}
    row |= {"status": "converged", "sampler": "sgld"}
    for across in (False, True):
        table = pd.DataFrame([{**row, "orthogonal_to_gradient": across}])
        write_table(runs[1] / "llc.csv", table)
        compare_hessians(runs, CONFIG, tmp_path / "together", progress=False)
    (runs[1] / "llc.csv").unlink()
    assert ["one direction fewer" in caption for caption in captions] == [False, True]
    assert all("bars: 95 %, of λ̂ in many with the sampling error only" in one for one in captions)


def test_estimates_that_have_not_converged_are_hollow_points() -> None:
    spectra = pd.DataFrame({"run": ["a", "b"], "step": 9, "rank": 1, "eigenvalue": 1.0})
    summary = pd.DataFrame({"run": ["a", "b", "c"], "step": 9, "ratio": 0.1}).assign(
        effective_dimension=5.0,
        effective_dimension_stderr=0.1,
        llc=[4.0, 6.0, np.nan],
        llc_stderr=0.2,
        llc_status=["drifting", "converged", np.nan],
    )
    right = comparison_figure(spectra, summary, title="T", caption="C").axes[1]
    (hollow,) = [one for one in right.collections if one.get_label() == "λ̂ drifting"]
    np.testing.assert_allclose(hollow.get_offsets(), [[4.0, 1.9]])  # the first run is at the top
    sure = summary.assign(llc_status="converged")
    right = comparison_figure(spectra, sure, title="T", caption="C").axes[1]
    assert not [one for one in right.collections if "drifting" in str(one.get_label())]


def test_from_the_command_line(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["hessian", *map(str, runs), "--top", "10", "--bottom", "2", "--checkpoints", "0,2"]
    out = ["--out", str(tmp_path / "together")]
    assert cli.main([*both, *out]) == 0
    assert "hessian_comparison.png" in capsys.readouterr().out
    assert cli.main(["hessian", str(runs[0]), *out]) == 2
    assert "for several runs together" in capsys.readouterr().err
    assert cli.main(["hessian"]) == 2
    assert "one run directory or more is accepted" in capsys.readouterr().err


def test_a_run_given_twice_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(LambdascopeError, match="few is given twice"):
        compare_hessians([runs[0], runs[0]], CONFIG, tmp_path, progress=False)
