import json

import pytest

import lambdascope as ls
from lambdascope.calibration.case import Case, run_case
from lambdascope.cli import main
from lambdascope.commands import calibrate as command
from lambdascope.runs.tables import read_table
from lambdascope.toys import padded_networks, quadratic_potential


@pytest.fixture
def short(monkeypatch):
    """A suite of two small cases, in this process."""

    def run(suite, *, report):
        settings = {"localization": 10.0, "nbeta": 100.0, "compile": False}
        kernel = ls.SGLD(step_size=1e-3)
        cases = [
            Case("potential", [quadratic_potential([1.0])], kernel, 2, 60, **settings),
            Case(
                "linear, class 1K",
                padded_networks([((2, 3), [2]), ((2, 4), [2])], num_samples=20),
                ls.SGLD(step_size=1e-3, batch_size=10),
                2,
                60,
                **settings,
            ),
        ]
        rows = []
        for done, case in enumerate(cases, start=1):
            rows += run_case(case)
            report(done, len(cases))
        return command.pd.DataFrame(rows)

    monkeypatch.setattr(command, "run_suite", run)


def test_writes_a_table_and_a_figure_and_says_where(short, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert main(["calibrate", "--out", str(out)]) == 0
    table = read_table(out / "calibration.csv")
    assert table["exact"].tolist() == [0.5, 3.0, 4.0]
    assert (out / "calibration.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "linear, class 1K, SGLD: median |λ̂/λ − 1|" in said
    assert str(out / "calibration.csv") in said


def test_a_table_that_stands_is_not_replaced_unasked(short, tmp_path, capsys):
    (tmp_path / "calibration.csv").write_text("mine\n")
    assert main(["calibrate", "--out", str(tmp_path)]) == 2
    assert "holds a calibration" in capsys.readouterr().err
    assert (tmp_path / "calibration.csv").read_text() == "mine\n"
    assert main(["calibrate", "--out", str(tmp_path), "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert len(read_table(tmp_path / "calibration.csv")) == 3


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_sampled(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(command, "run_suite", lambda *_, **__: pytest.fail("it was sampled"))
    (tmp_path / "file").write_text("")
    assert main(["calibrate", "--out", str(tmp_path / "file" / "x")]) == 2
    assert "could not be made" in capsys.readouterr().err


def test_as_json(short, tmp_path, capsys):
    assert main(["calibrate", "--out", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["exact"] for row in found["table"]] == [0.5, 3.0, 4.0]
    assert found["paths"] == [str(tmp_path / f"calibration.{kind}") for kind in ("csv", "png")]
