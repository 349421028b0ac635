"""`lambdascope demo`, with settings that take a moment."""

import functools
import json
from pathlib import Path

import pytest

from lambdascope import cli
from lambdascope.commands import demo_config, llc_sampling
from lambdascope.commands.demo import QUICK_NOTE
from lambdascope.runs.tables import read_table
from lambdascope.sampling import sample


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llc_sampling, "sample", functools.partial(sample, compile=False))
    train = {"p": 7, "embed_dim": 4, "hidden_size": 8, "num_steps": 40, "num_checkpoints": 3}
    llc = {"num_chains": 2, "num_steps": 40, "step_size": 1e-4, "batch_size": 16}
    for name, changes in (("TRAIN", train), ("LLC", llc)):
        for form in (name, f"QUICK_{name}"):
            config = getattr(demo_config, form).model_copy(update=changes)
            monkeypatch.setattr(demo_config, form, config)


def test_it_trains_estimates_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    assert len(read_table(tmp_path / "demo" / "llc.csv")) == 3
    assert str(tmp_path / "demo" / "figures" / "llc_vs_checkpoint.png") in printed
    assert " s in all (import " in printed
    assert "report.html" in printed.splitlines()[-1]
    assert QUICK_NOTE not in printed
    assert "stood already" not in printed
    assert cli.main(["demo", "--out", str(tmp_path / "demo")]) == 0
    again = capsys.readouterr().out
    assert "This run stood already: nothing was trained or sampled again." in again


def test_the_quick_form_says_that_its_numbers_are_not_to_be_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", "--quick", "--out", str(tmp_path / "demo")]) == 0
    assert "too short for numbers to be trusted" in capsys.readouterr().out


def test_as_json_and_quietly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "demo")]
    assert cli.main(["demo", "--quick", *out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["quick"]
    assert [row["step"] for row in found["llc"]["table"]] == [0, 20, 40]
    assert cli.main(["demo", "--quick", *out, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
