"""`--json`, over the results of the commands as they are."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from lambdascope.cli import main
from lambdascope.commands import llc_sampling
from lambdascope.sampling import sample

LEGACY = Path(__file__).parents[1] / "data" / "legacy"
TRAIN = [
    "--p",
    "7",
    "--embed-dim",
    "4",
    "--hidden-size",
    "8",
    "--num-steps",
    "40",
    "--num-checkpoints",
    "3",
]
SWEEP = """
[train]
p = 5
embed_dim = 3
hidden_size = 4
num_steps = 20
num_checkpoints = 3
[measure]
llc = "none"
[grid]
train.seed = "0..1"
"""


def printed(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The object that a command prints, and nothing beside it on either stream."""
    assert main([*map(str, arguments), "--json"]) == 0
    streams = capsys.readouterr()
    assert streams.err == ""
    assert streams.out.count("\n") == 1
    return json.loads(streams.out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "p7"
    assert main(["train", "--out", str(path), *TRAIN, "--quiet"]) == 0
    return path


def test_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command: list[object] = ["train", "--out", tmp_path / "runs", *TRAIN, "--seeds", "0..1"]
    found = printed(command, capsys)
    assert found["num_trained"] == 2
    assert [one["config"]["seed"] for one in found["directories"]] == [0, 1]
    assert found["directories"][1]["path"] == str(tmp_path / "runs" / "seed_1")
    assert printed(command, capsys)["num_trained"] == 0


def test_llc(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llc_sampling, "sample", functools.partial(sample, compile=False))
    flags = [
        "--chains",
        "2",
        "--steps",
        "40",
        "--step-size",
        "1e-4",
        "--batch-size",
        "16",
        "--checkpoints",
        "0,2",
    ]
    found = printed(["llc", run, *flags], capsys)
    assert [row["step"] for row in found["table"]] == [0, 40]
    assert found["table"][0]["num_chains"] == 2
    assert found["table_path"] == str(run / "llc.csv")


def test_fourier_and_circuits(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(["fourier", run], capsys)
    assert len(found["modes"]) == 3 * 3
    assert all(Path(path).is_file() for path in found["paths"])
    found = printed(["circuits", run], capsys)
    assert {row["measure"] for row in found["measures"]} >= {"num_circuits", "accuracy"}


def test_hessian(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(["hessian", run, "--top", 3, "--bottom", 0, "--num-probes", 2], capsys)
    assert [row["rank"] for row in found["eigenvalues"]] == [1, 2, 3]
    assert found["summary"][0]["smallest"] is None


def test_import_legacy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["import-legacy", LEGACY / "53_0.json", "--checkpoints", LEGACY]
    found = printed([*command, "--out", tmp_path / "old"], capsys)
    assert found["steps"] == [0, 1000, 1950, 2000]
    assert found["directory"]["made_by"] == "import-legacy"


def test_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.toml"
    file.write_text(SWEEP)
    rest = [file, "--out", tmp_path / "results"]
    counts = {"total": 2, "finished": 0, "missing": 2}
    assert counts.items() <= printed(["sweep", "status", *rest], capsys).items()
    assert printed(["sweep", "run", *rest, "--dry-run"], capsys)["missing"] == 2
    assert len(printed(["sweep", "run", *rest], capsys)["table"]) == 2 * 3
    found = printed(["sweep", "table", *rest], capsys)
    assert [row["train.seed"] for row in found["table"]] == [0] * 3 + [1] * 3
    assert found["status"]["finished"] == 2
    assert printed(["sweep", "status", *rest], capsys)["failed"] == {}
