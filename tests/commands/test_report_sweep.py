"""The page of many runs: a sweep whose cells' outcomes are put there, and a folder of runs."""

import html
import json
import math
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import lambdascope
from lambdascope.cli import main
from lambdascope.cli.parsing import parse
from lambdascope.commands import report_sweep
from lambdascope.commands.report import report
from lambdascope.commands.report_tables import COLUMNS
from lambdascope.commands.sweep import Sweep
from lambdascope.commands.systems import load_run
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.runs.tables import read_table
from lambdascope.sweeps import Outcome
from tests.browsers import chromium, opened, serious_findings
from tests.targets import PLAIN_TARGET

FILE = """
[train]
embed_dim = 3
hidden_size = 6
num_steps = 40
num_checkpoints = 3
[llc]
num_chains = 2
num_steps = 40
[grid]
train.p = [11, 13, 17]
train.activation = ["gelu", "relu"]
train.seed = "0..2"
[[figures]]
x = "train.p"
family = "train.activation"
line = true
"""
FAILED, MISSING = 4, 17


def rows(p: int, seed: int, factor: float) -> list[dict[str, Any]]:
    """λ̂ = factor · p + seed at the last of three checkpoints."""
    common = {"train_accuracy": 1.0, "test_accuracy": 0.5, "weight_norm": 3.0}
    made = [
        {
            "checkpoint": index,
            "step": 20 * index,
            "train_loss": 2.0 - 0.5 * index,
            "test_loss": 3.0 + index,
            **common,
        }
        for index in range(3)
    ]
    estimate = {"llc": factor * p + seed, "llc_stderr": 0.5, "rhat": 1.0, "ess": 90.0}
    made[2] |= estimate | {"nbeta": 10.0, "status": "converged" if seed else "not converged"}
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A sweep's directory with one cell failed and one missing."""
    file, out = tmp_path / "vs_p.toml", tmp_path / "vs <p>"
    file.write_text(FILE)
    sweep = Sweep(file, out)
    for cell in sweep.plan.cells:
        p, seed = cell.point["train.p"], cell.point["train.seed"]
        factor = {"gelu": 2.0, "relu": 3.0}[cell.point["train.activation"]]
        outcome = Outcome(rows=rows(p, seed, factor))
        if cell.number == FAILED:
            outcome = Outcome(error="the run diverged <here>")
        if cell.number != MISSING:
            sweep.records.put(cell, outcome)
    sweep.table()
    file.unlink()  # the directory alone
    return out


def payload_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="payload">(.*?)</script>', text)[1])


class Reader(HTMLParser):
    """The rows of one table, as a reader sees its cells."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.inside, self.rows = f"table-{name}", False, []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.inside = dict(attributes).get("id") == self.name
        elif self.inside and tag == "tr":
            self.rows.append([])
        elif self.inside and tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "table"

    def handle_data(self, data: str) -> None:
        if self.inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()


def table_of(path: Path, name: str) -> pd.DataFrame:
    reader = Reader(name)
    reader.feed(path.read_text(encoding="utf-8"))
    return pd.DataFrame(reader.rows[1:], columns=reader.rows[0])


def test_the_finding_counts_and_names_the_ends(results: Path) -> None:
    assert report(results).finding == (
        "16 of 18 cells are finished, 1 failed, 1 still to come; mean learning coefficient λ̂ is "
        "largest, 51.50 ± 0.71, at modulus p 17, relu, and smallest, 23.0 ± 1.0, at modulus p 11, "
        "gelu (± standard deviation over runs); 10 of 16 estimates converged."
    )


@pytest.mark.parametrize("setting", ['family = "train.activation"', 'slope_over = "train.seed"'])
def test_the_finding_says_where_hardly_an_estimate_converged(results: Path, setting: str) -> None:
    for file in (results / "cells").iterdir():
        document = json.loads(file.read_text())
        for row in document["outcome"]["rows"][-1:]:
            row["status"] = "escaped"
        file.write_text(json.dumps(document))
    file = results / "sweep.toml"
    text = file.read_text().replace('family = "train.activation"\nline = true', setting)
    file.write_text(text)
    assert setting in text
    made = report(results)
    assert made.finding.endswith("; none of 16 estimates converged.")
    assert "0 of 16 final estimates of λ̂ converged" in made.path.read_text()


def test_a_figure_for_each_axis_and_those_asked_for_first(results: Path) -> None:
    figures = payload_of(report(results).path)["figures"]
    assert [figure["xLabel"] for figure in figures] == ["Modulus p", "Activation"]
    assert [figure["numeric"] for figure in figures] == [True, False]
    shown = figures[0]["quantities"][0]
    assert shown["name"] == "llc"
    gelu, relu = shown["families"]
    assert (gelu["name"], gelu["x"]) == ("gelu", [11, 13, 17])
    assert gelu["mean"] == [23, 27, 35]
    assert gelu["spread"] == [1, 1, 1]
    assert gelu["lines"][0]["label"] == "slope 2.00 ± 0.12 (standard error)"
    assert relu["mean"][0] == pytest.approx((33 + 35) / 2)  # its middle seed failed
    (run,) = [run for run in gelu["runs"] if run["name"] == "1"]
    assert (run["y"], run["doubtful"]) == ([23, 27, 35], [False] * 3)
    names = [one["name"] for one in figures[0]["quantities"]]
    assert names == ["llc", "test_loss", "train_loss", "test_accuracy", "train_accuracy"]
    assert figures[0]["quantities"][1]["families"][0]["mean"] == [5, 5, 5]


def test_figure_and_headline_say_what_other_axis_they_average_over(results: Path) -> None:
    made = report(results)
    assert not any(one["pooled"] for one in payload_of(made.path)["figures"][0]["quantities"])
    file = results / "sweep.toml"
    file.write_text(file.read_text().replace('family = "train.activation"', ""))
    made = report(results)
    over = "train.activation (2) × train.seed (3)"
    assert payload_of(made.path)["figures"][0]["quantities"][0]["pooled"] == over
    assert f"mean learning coefficient λ̂, over {over}, goes from" in made.finding


def test_maps_are_drawn_from_the_records(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(report_sweep, "png_bytes", lambda figure: shown.append(figure) or b"new")
    figures = '[[figures]]\nx = "train.p"\nmap_over = "train.activation"\npanel = "train.seed"\n'
    other = figures + 'y = "test_loss"\n'
    file = results / "sweep.toml"
    file.write_text(file.read_text() + figures + other)
    (results / "figures").mkdir()
    stale = "llc_vs_train_p.png"  # of before the cells stood
    (results / "figures" / stale).write_bytes(b"old")
    page = html.unescape(report(results).path.read_text())
    pictures = re.findall(r'<img src="data:image/png;base64,(.*?)" alt="(.*?)">', page)
    assert pictures == [
        ("bmV3", "Learning coefficient λ̂ over modulus p and activation"),
        ("bmV3", "Test loss over modulus p and activation"),
    ]
    written = [text.get_text() for axes in shown[0].axes[:3] for text in axes.texts]
    assert (len(written), written.count("×"), written.count("–")) == (18, 1, 1)
    assert "1 of 18 cells failed" in shown[0]._supxlabel.get_text().replace("\n", " ")


def test_every_cell_is_listed_and_failures_say_why(results: Path) -> None:
    path = report(results).path
    cells = table_of(path, "cells")
    assert cells["Cell"].tolist() == [str(number) for number in range(18)]
    states = {state.split()[-1] for state in cells["State"]}
    assert states == {"finished", "failed", "missing"}
    assert cells.loc[2, "λ̂ ± 95 %"] == "24.00 ± 0.98"
    assert cells.loc[MISSING, "λ̂ ± 95 %"] == "–"
    failed = table_of(path, "failed")
    assert failed.loc[0, "Cell"] == str(FAILED)
    assert failed.loc[0, "Why"] == "the run diverged <here>"
    assert "<here>" not in path.read_text()


def test_a_cell_can_be_made_a_run_that_the_page_then_leads_to(results: Path) -> None:
    text = report(results).path.read_text()
    commands = [html.unescape(one) for one in re.findall(r"<code>(.*?)</code>", text)]
    assert commands[-1].endswith("sweep.toml' --out '" + str(results) + "'")
    made = [
        parse(line.replace("'", "").replace("vs <p>", "x").split()[1:]) for line in commands[:3]
    ]
    assert [type(one).__module__.split(".")[-1] for one in made] == ["train", "llc", "report"]
    assert made[1].settings.checkpoints == "2"
    place = re.search(r"runs/[0-9a-f]{16}", commands[0])[0]
    (results / place).mkdir(parents=True)
    (results / place / "report.html").write_text("")
    assert f'<a href="{place}/report.html">open</a>' in report(results).path.read_text()


@pytest.mark.parametrize(
    ("llc", "nbeta"),
    # 114 pairs to train on.
    [("", None), ("n_multiplier = 2.0", 228 / math.log(228)), ("nbeta = 7.0", 7.0)],
)
def test_a_cells_commands_measure_what_the_sweep_measured(
    tmp_path: Path, llc: str, nbeta: float | None
) -> None:
    file = tmp_path / "all.toml"
    asked = '[measure]\ncircuits = "final"\nhessian = "all"\n[hessian]\ntop = 20\n[grid]'
    text = FILE.replace("[grid]", asked).replace("[llc]", f"[llc]\nlocalization = 3.0\n{llc}")
    file.write_text(text)
    sweep = Sweep(file, tmp_path / "all")
    # No row says at which nβ: it may be that λ̂ was not measured.
    unsaid = [{**row, "nbeta": None} for row in rows(11, 0, 2.0)]
    sweep.records.put(sweep.plan.cells[0], Outcome(rows=unsaid))
    sweep.table()
    text = report(tmp_path / "all").path.read_text()
    commands = [html.unescape(one) for one in re.findall(r"<code>(.*?)</code>", text)][:5]
    assert [line.split()[1] for line in commands] == [
        "train",
        "llc",
        "circuits",
        "hessian",
        "report",
    ]
    hessian = parse(commands[3].split()[1:]).settings
    assert (hessian.checkpoints, hessian.top, hessian.localization) == ("0,1,2", "20", "3.0")
    assert (None if hessian.nbeta is None else float(hessian.nbeta)) == nbeta


def test_the_page_says_which_versions_made_the_cells(results: Path) -> None:
    page = report(results).path
    here = f"lambdascope {lambdascope.__version__} · PyTorch {torch.__version__}"
    assert f"All cells were recorded under {here}" in html.unescape(page.read_text())
    first = min((results / "cells").iterdir())
    document = json.loads(first.read_text())
    document["made_under"]["torch"] = "2.9.1"
    first.write_text(json.dumps(document))
    said = html.unescape(report(results).path.read_text())
    assert "recorded under different versions" in said
    assert re.search(r"1 under lambdascope \S+ · PyTorch 2\.9\.1", said)


def test_without_its_file_a_sweep_is_refused(results: Path, tmp_path: Path) -> None:
    (results / "sweep.toml").unlink()
    with pytest.raises(
        LambdascopeError, match=r"without their file sweep.toml: `lambdascope sweep"
    ):
        report(results)
    with pytest.raises(LambdascopeError, match="is no directory: accepted are a run directory"):
        report(tmp_path / "nowhere")
    with pytest.raises(LambdascopeError, match="holds neither a run nor a sweep"):
        report(tmp_path)


def test_a_sweep_of_which_nothing_stands_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(FILE)
    made = report(tmp_path)
    assert made.finding == "0 of 18 cells are finished, 18 still to come."
    assert "Nothing has been measured yet." in made.path.read_text()


def test_an_axis_that_only_some_cells_name_has_the_value_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(
        "[train]\np = 7\n[[list]]\ntrain.embed_dim = 4\n"
        "[[list]]\ntrain.embed_dim = 5\ntrain.hidden_size = 9\n"
    )
    table = table_of(report(tmp_path).path, "cells")
    assert table["train.embed_dim"].tolist() == ["4", "5"]
    default = TrainConfig.model_fields["hidden_size"].default
    assert table["train.hidden_size"].tolist() == [str(default), "9"]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folder") / "seeds"
    config = TrainConfig(p=7, embed_dim=3, hidden_size=6, num_steps=30, num_checkpoints=3)
    train(config, out, [2, 10], progress=False)
    report(out / "seed_10")
    return out


def test_a_folder_of_runs(seeds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(seeds)]) == 0
    assert capsys.readouterr().out.startswith("All 2 runs are finished; test loss is ")
    path = seeds / "report.html"
    runs = table_of(path, "cells")
    assert runs["Run"].tolist() == ["seed_2", "seed_10"]
    assert runs["train.seed"].tolist() == ["2", "10"]
    text = path.read_text()
    assert '<a href="seed_10/report.html">open</a>' in text
    assert f"<code>lambdascope report {seeds / 'seed_2'}</code>" in text
    figure = payload_of(path)["figures"][0]["quantities"][0]
    last = [read_table(seeds / f"seed_{n}" / "training.csv").iloc[-1] for n in (2, 10)]
    assert figure["name"] == "test_loss"
    assert figure["families"][0]["mean"] == pytest.approx(
        [row["test_loss"] for row in last], rel=1e-3
    )


SETTINGS = {
    "sampler": "SGLD",
    "step_size": 1e-3,
    "batch_size": 64,
    **PLAIN_TARGET,
}


def with_estimates(folder: Path, to: Path, *changes: dict[str, Any]) -> Path:
    """A copy of a folder of runs whose runs have λ̂ = 300, 320, … with these settings."""
    shutil.copytree(folder, to)
    runs = sorted((one for one in to.iterdir() if one.is_dir()), key=lambda one: len(one.name))
    for number, (run, changed) in enumerate(zip(runs, changes, strict=True)):
        n = len(load_run(run).data.train_index)
        table = pd.DataFrame({name: [0.0] for name in COLUMNS["llc.csv"].split()})
        table = table.assign(
            checkpoint=2, step=30, llc=300.0 + 20 * number, llc_stderr=1.0, status="converged",
            num_diverged_chains=0, **{"nbeta": n / math.log(n), **SETTINGS, **changed},
        )  # fmt: skip
        table.to_csv(run / "llc.csv", index=False)
    return to


def test_estimates_of_one_posterior_are_averaged(seeds: Path, tmp_path: Path) -> None:
    made = report(with_estimates(seeds, tmp_path / "same", {}, {}))
    assert "learning coefficient λ̂ is 310 ± 14 over 2 runs (± standard deviation)." in made.finding
    table = table_of(made.path, "cells")
    assert not [name for name in table if name.startswith("llc.")]


def test_estimates_of_some_runs_or_of_a_part_are_called_so(seeds: Path, tmp_path: Path) -> None:
    whole = with_estimates(seeds, tmp_path / "part", *[{"parameters": "embedding*"}] * 2)
    said = report(whole).finding
    assert "λ̂ is of the parameters embedding* alone." in said
    sorted(whole.glob("*/llc.csv"))[-1].unlink()
    made = report(whole)
    assert "in the one run that has it (± one standard error)" in made.finding
    assert "λ̂ is of 1 of 2 runs, and of the parameters embedding* alone." in made.finding
    assert "the one final estimate of λ̂ converged" in made.path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "said", "columns"),
    [
        (
            {"localization": 500.0, "parameters": "embedding*"},
            "localisation γ (500, 5) and parameters that move (embedding*, all)",
            {"llc.localization": ["500", "5"], "llc.parameters": ["embedding*", "all"]},
        ),
        ({"nbeta": 3.0}, "inverse temperature nβ (3, ", {}),
        (
            {"step_size": 1e-4},
            "step size ε (0.0001, 0.001)",
            {"llc.step_size": ["0.0001", "0.001"]},
        ),
        ({"sampler": "automatic", "step_size": 2e-4}, "differ in sampler (automatic, SGLD).", {}),
    ],
)
def test_estimates_of_different_posteriors_are_not(
    seeds: Path, tmp_path: Path, changed: dict[str, Any], said: str, columns: dict[str, list[str]]
) -> None:
    made = report(with_estimates(seeds, tmp_path / "other", changed, {}))
    assert "test loss is" in made.finding
    assert "λ̂ is in no figure and no mean, since the runs' estimates differ in" in made.finding
    assert said in made.finding
    table = table_of(made.path, "cells")
    assert table["λ̂ ± 95 %"].tolist() == ["300.0 ± 2.0", "320.0 ± 2.0"]
    for name, values in columns.items():
        assert table[name].tolist() == values
    for figure in payload_of(made.path)["figures"]:
        assert "llc" not in [one["name"] for one in figure["quantities"]]


def test_another_number_of_training_pairs_makes_no_other_posterior(tmp_path: Path) -> None:
    for name, fraction in (("few", 0.5), ("many", 0.9)):
        config = TrainConfig(
            p=7, embed_dim=3, hidden_size=6, num_steps=30, num_checkpoints=3,
            train_fraction=fraction,
        )  # fmt: skip
        train(config, tmp_path / "runs" / name, None, progress=False)
    made = report(with_estimates(tmp_path / "runs", tmp_path / "own", {}, {}))
    assert "λ̂ goes from" in made.finding
    made = report(
        with_estimates(tmp_path / "runs", tmp_path / "other", {"temp_multiplier": 2.0}, {})
    )
    assert "estimates differ in inverse temperature nβ" in made.finding


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(browser: Any, results: Path, width: int) -> None:
    found = opened(browser, report(results).path, width)
    page = found.page
    assert found.asked == [(results / "report.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert serious_findings(page) == []
    header = page.locator("#table-cells th", has_text="λ̂ ±")
    header.locator("button").click()
    column = page.locator("#table-cells tbody tr td:nth-child(6)")
    texts = column.all_inner_texts()
    values = [float(text.split()[0]) for text in texts if text != "–"]
    assert values == sorted(values)
    assert texts[-2:] == ["–", "–"]  # unknown stands last, whichever way
    header.locator("button").click()
    assert column.all_inner_texts()[-2:] == ["–", "–"]
    assert page.locator("#what-0").inner_text() == "Learning coefficient λ̂"
    page.locator("#quantity-0").select_option(label="Test loss (nats)")
    assert page.locator("#what-0").inner_text() == "Test loss (nats)"
    assert page.locator("#chart-0").get_attribute("aria-label") == (
        "Test loss (nats) against Modulus p"
    )
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save sweep.csv").click()
    assert Path(saved.value.path()).read_bytes() == (results / "sweep.csv").read_bytes()
    assert found.said == []
    page.close()


@pytest.mark.slow
def test_in_a_browser_one_place_has_a_bar_instead_of_a_band(browser: Any, results: Path) -> None:
    file = results / "sweep.toml"
    text = file.read_text().replace("[11, 13, 17]", "[13]")
    file.write_text(text.replace("line = true", ""))
    page = opened(browser, report(results).path, 1280).page
    drawn = page.evaluate(
        "document.getElementById('chart-0').data.map(t => [t.fill ?? '', t.error_y?.array ?? []])"
    )
    assert [bars for _, bars in drawn if bars] == [[1], [1]]  # λ̂ of three seeds is 1 apart
    assert not [fill for fill, _ in drawn if fill == "tonexty"]
    page.close()
