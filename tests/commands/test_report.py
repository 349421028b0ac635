"""`lambdascope report` on a small run that was really made: what the page holds is what stands."""

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lambdascope.cli import main
from lambdascope.commands.command_lines import command_line
from lambdascope.commands.report import report
from lambdascope.commands.report_tables import COLUMNS
from lambdascope.commands.systems import load_run
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import mode_magnitudes
from lambdascope.runs.tables import read_table, write_table
from lambdascope.sampling import open_trace
from tests.report_runs import CHAINS, LLC, TRAIN, copied, whole_run

pytestmark = pytest.mark.slow

COMMANDS = ("llc", "fourier", "circuits", "chains", "hessian")


def page_of(run: Path) -> str:
    return report(run).path.read_text(encoding="utf-8")


def payload_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="payload">(.*?)</script>', page)
    assert found is not None
    return json.loads(found.group(1))


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(whole_run())


@pytest.fixture(scope="module")
def payload(page: str) -> dict[str, Any]:
    return payload_of(page)


def test_the_finding_and_the_place_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = whole_run()
    assert main(["report", str(run)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == report(run).finding
    assert said[1].startswith(f"{run / 'report.html'} (1.")
    assert f"<h1>{html.escape(said[0])}</h1>" in page_of(run)


def test_curves_are_the_tables(payload: dict[str, Any]) -> None:
    llc, training = (read_table(whole_run() / name) for name in ("llc.csv", "training.csv"))
    curve = payload["curve"]
    assert payload["steps"] == curve["step"] == training["step"].tolist()
    np.testing.assert_allclose(curve["llc"], llc["llc"], rtol=1e-4)
    np.testing.assert_allclose(curve["half"], 1.96 * llc["llc_stderr"], rtol=1e-3)
    assert curve["status"] == llc["status"].tolist()
    assert curve["uncorrected"] is None  # the plain estimator measures no bias
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        np.testing.assert_allclose(payload["training"][name], training[name], rtol=1e-3)


def test_modes_are_those_of_the_weights(payload: dict[str, Any]) -> None:
    loaded, modes = load_run(whole_run()), payload["modes"]
    weights = loaded.stacked_weights()["embedding.weight"]
    magnitudes = mode_magnitudes(weights)[:, 1:].numpy()
    np.testing.assert_allclose(modes["magnitudes"], magnitudes, rtol=1e-3)
    circuits = read_table(whole_run() / "circuits.csv")
    assert modes["keys"] == circuits["frequency"].tolist()
    assert set(modes["keys"]) <= set(modes["shown"])
    assert [one["k"] for one in payload["circuits"]] == modes["keys"]
    positions = np.array(modes["positions"], dtype=float)
    assert positions.shape == (6, len(modes["shown"]), 2, TRAIN.p)
    # The plane of a mode holds all of its two vectors: the tokens' parts have its magnitude.
    angles = 2 * np.pi * modes["shown"][0] * np.arange(TRAIN.p) / TRAIN.p
    part = positions[-1, 0] @ np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert np.linalg.norm(part) == pytest.approx(magnitudes[-1, modes["shown"][0] - 1], rel=0.02)


def test_losses_chains_and_spectra_are_the_tables(payload: dict[str, Any]) -> None:
    run = whole_run()
    modes = read_table(run / "modes.csv")
    at = modes[(modes["checkpoint"] == 3) & (modes["mode"] == 2)].iloc[0]
    assert payload["losses"]["what"] == "test"
    assert payload["losses"]["kept"][3][1] == pytest.approx(at["kept_test_loss"], rel=1e-3)
    assert payload["losses"]["removed"][3][1] == pytest.approx(at["removed_test_loss"], rel=1e-3)
    trace = payload["traces"]["4"]
    whole = open_trace(run / "llc_trace.zarr")["loss"].values[4]
    assert np.shape(trace["loss"]) == (LLC.num_chains, 120)
    assert trace["loss"][1][5] == pytest.approx(whole[1, 10:12].mean(), rel=1e-3)
    assert trace["burnin"] == 60
    assert list(payload["pca"]) == ["2", "5"]
    points = read_table(run / "chains.csv")
    first = points[(points["checkpoint"] == 5) & (points["chain"] == 1)]
    np.testing.assert_allclose(payload["pca"]["5"]["pc1"][1], first["pc1"], rtol=1e-3, atol=1e-6)
    assert list(payload["hessian"]) == ["0", "5"]
    largest = read_table(run / "hessian.csv").query("end == 'largest' and checkpoint == 5")
    np.testing.assert_allclose(payload["hessian"]["5"]["largest"], largest["eigenvalue"], rtol=1e-3)


def test_it_names_the_commands_that_made_it(page: str) -> None:
    steps = re.findall(r"<li><span class=\"command\"><code>(.*?)</code>", page)
    run = whole_run()
    chains = "--checkpoints 2,5 --num-chains 2 --num-steps 120 --step-size 0.0001"
    assert CHAINS.step_size == 1e-4
    assert [html.unescape(step) for step in steps] == [
        f"lambdascope train --out {run} --p 13 --train-fraction 0.9 --embed-dim 8 --hidden-size 32 "
        "--num-checkpoints 6 --seed 2",
        f"lambdascope llc {run} --num-chains 3 --num-steps 240 --step-size 0.0002 --batch-size 16 "
        "--localization 20.0",
        f"lambdascope fourier {run}",
        f"lambdascope circuits {run}",
        f"lambdascope chains {run} {chains}",
        f"lambdascope hessian {run} --checkpoints 0,5 --top 30 --bottom 2 --localization 20.0",
    ]
    assert page.count("lambdascope 0.") >= 6
    assert "PyTorch 2." in page


def test_the_hint_for_chains_is_of_the_potential_of_the_estimate(tmp_path: Path) -> None:
    run = copied(tmp_path / "held", "chains.csv")
    assert payload_of(page_of(run))["suggestions"]["chains"] == f"lambdascope chains {run}"
    table = read_table(run / "llc.csv")
    write_table(run / "llc.csv", table.assign(orthogonal_to_gradient=True))
    suggestions = payload_of(page_of(run))["suggestions"]
    assert suggestions["chains"] == f"lambdascope chains {run} --orthogonal-to-gradient"
    assert suggestions["hessian"] == f"lambdascope hessian {run}"


def test_a_run_that_was_only_trained_names_what_is_missing(tmp_path: Path) -> None:
    results = [
        entry.name
        for entry in whole_run().iterdir()
        if entry.name.startswith(
            ("llc", "modes", "progress", "circuits", "clock", "chains", "hess")
        )
    ]
    run = copied(tmp_path / "sparse", *results)
    page = page_of(run)
    for command in COMMANDS:
        assert f"<code>{command_line(command, run)}</code>" in page
    payload = payload_of(page)
    assert payload["curve"] is None
    assert (payload["traces"], payload["pca"], payload["hessian"]) == ({}, {}, {})
    assert len(payload["modes"]["keys"]) == 3  # the largest, for want of circuits
    assert "Test loss is" in page


def test_a_run_whose_training_was_stopped_says_so(tmp_path: Path) -> None:
    run = copied(tmp_path / "stopped", "training.csv", "llc.csv", "circuits.csv", "commands.json")
    for name in ("modes.csv", "progress.csv", "clock_or_pizza.csv"):
        (run / name).unlink()
    for path in sorted((run / "checkpoints").iterdir())[2:]:
        path.unlink()
    page = page_of(run)
    assert "<h1>Training has not come to its end.</h1>" in page
    assert f"<code>lambdascope train --out {run} --p 13" in page
    assert payload_of(page)["steps"] == [0, 300]
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    assert "There are no checkpoints yet." in page_of(run)


def test_a_run_that_diverged_says_so(tmp_path: Path) -> None:
    run = copied(tmp_path / "diverged", "llc.csv", "circuits.csv")
    (run / "diverged.json").write_text('{"before_step": 600}')
    page = page_of(run)
    assert "<h1>Training diverged before step 600; test loss is" in page
    assert "doubtful: </span>training diverged before step 600" in page


def test_names_and_settings_are_text(tmp_path: Path) -> None:
    hostile = """<img src=x onerror=alert(1)>"&'"""
    run = copied(tmp_path / hostile)
    config = json.loads((run / "config.json").read_text())
    config["lambdascope_version"] = "</script><script>alert(2)</script>"
    (run / "config.json").write_text(json.dumps(config))
    (run / "commands.json").unlink()
    page = page_of(run)
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "<strong>&lt;img src=x onerror=alert(1)&gt;&#34;&amp;&#39;</strong>" in page


def test_the_page_asks_nothing_of_the_network(page: str) -> None:
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    outside = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', markup)
    assert outside == []
    assert "default-src 'none'" in html.unescape(page)


def test_what_the_page_reads_is_all_that_its_tables_must_have(tmp_path: Path) -> None:
    run = copied(tmp_path / "trimmed")
    for name, columns in COLUMNS.items():
        if (run / name).exists():
            read_table(run / name)[columns.split()].to_csv(run / name, index=False)
    report(run)
    circuits = read_table(run / "circuits.csv")
    circuits.drop(columns="formation_step").to_csv(run / "circuits.csv", index=False)
    with pytest.raises(LambdascopeError, match=r"circuits.csv lacks the column formation_step: "):
        report(run)
    (run / "circuits.csv").write_text("frequency,kind\n")  # as `circuits` writes it of none
    assert "No circuit was found at the last checkpoint." in report(run).path.read_text()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    said = r"holds neither a run nor a sweep: accepted are .* config.json .* sweep.toml and cells/"
    (tmp_path / "figures").mkdir()
    with pytest.raises(LambdascopeError, match=said):
        report(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "gpt2"}')
    for folder in (other, tmp_path):  # by itself, and as one of a folder of runs
        with pytest.raises(LambdascopeError, match=r"config.json is no run's config .* accepted"):
            report(folder)
        assert not (folder / "report.html").exists()
    (other / "config.json").unlink()
    run = copied(tmp_path / "broken")
    (run / "llc.csv").write_text("step,llc\n0,1.5\n")
    with pytest.raises(LambdascopeError, match=r"llc.csv lacks the columns checkpoint, llc_stderr"):
        report(run)
    run = copied(tmp_path / "gaps")
    parts = (run / "llc_trace.zarr" / "loss" / "c").rglob("*")
    next(part for part in parts if part.is_file()).unlink()
    with pytest.raises(LambdascopeError, match=r"lacks 1 of .* parts of 'loss'"):
        report(run)
