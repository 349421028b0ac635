"""Of a cell of which one part fails, the others stand, and are not measured again."""

import dataclasses
import functools
from pathlib import Path

import pytest

from lambdascope.commands import sweep_cells, sweep_measures
from lambdascope.commands.sweep import Sweep
from lambdascope.errors import LambdascopeError
from lambdascope.runs.versions import versions_here
from lambdascope.sampling import sample
from lambdascope.sweeps import records

FILE = """
[train]
p = 5
embed_dim = 3
hidden_size = 6
num_steps = 40
num_checkpoints = 3
[llc]
num_chains = 2
num_steps = 40
step_size = 1e-4
batch_size = 8
[measure]
llc = "all"
circuits = "final"
hessian = "final"
[hessian]
top = 4
[grid]
train.seed = "0..1"
"""


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many cells each part was measured of; a part named in "broken" fails."""
    counts: dict[str, object] = {"llc": 0, "circuits": 0, "hessian": 0, "broken": None}
    monkeypatch.setattr(sweep_measures, "sample", functools.partial(sample, compile=False))

    def watch(part: str, name: str) -> None:
        measured = getattr(sweep_cells, name)

        def counted(*given):
            counts[part] += len(given[0]) if part == "llc" else 1
            if counts["broken"] == part:
                raise counts["error"]
            return measured(*given)

        monkeypatch.setattr(sweep_cells, name, counted)

    watch("llc", "add_estimates")
    watch("circuits", "add_circuits")
    watch("hessian", "add_hessians")
    return counts


def sweep(folder: Path) -> Sweep:
    file = folder / "small.toml"
    file.write_text(FILE)
    return Sweep(file, folder / "results")


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("circuits", LambdascopeError("no circuits today")),
        ("hessian", MemoryError("no room")),
        ("llc", RuntimeError("no draws")),
    ],
)
def test_a_part_that_failed_is_measured_again_alone(
    part: str, error: Exception, tmp_path: Path, counts: dict
) -> None:
    counts |= {"broken": part, "error": error}
    first = sweep(tmp_path).run(progress=False)
    assert str(error) in first["error"].iloc[0]
    marks = {"llc": "llc", "circuits": "num_circuits", "hessian": "effective_dimension"}
    lost = marks.pop(part)
    final = first[first["step"] == 40]
    assert lost not in final or final[lost].isna().all()
    assert final[[*marks.values()]].notna().all(axis=None)
    counts |= {"llc": 0, "circuits": 0, "hessian": 0, "broken": None}
    again = sweep(tmp_path)
    second = again.run(retry_failed=True, progress=False)
    assert again.failed() == []
    assert "error" not in second
    assert {name: counts[name] for name in ("llc", "circuits", "hessian")} == {
        **dict.fromkeys(("llc", "circuits", "hessian"), 0),
        part: 2,
    }
    final = second[second["step"] == 40]
    assert final[lost].notna().all()
    kept = ["test_loss", *marks.values()]
    assert second[kept].equals(first[kept])
    # And nothing of it differs from what it is in one go.
    whole = Sweep(tmp_path / "small.toml", tmp_path / "whole").run(progress=False)
    assert second[whole.columns].equals(whole)


def test_of_another_network_nothing_stands(tmp_path: Path, counts: dict) -> None:
    counts |= {"broken": "circuits", "error": LambdascopeError("no circuits today")}
    first = sweep(tmp_path)
    first.run(progress=False)
    cells = first.plan.cells
    earlier = {cell.key: first.records.get(cell).rows for cell in cells}
    # As training in other company may leave a transformer.
    earlier[cells[1].key] = [
        {**row, "train_loss": 0.9 * row["train_loss"]} for row in earlier[cells[1].key]
    ]
    counts |= {"llc": 0, "circuits": 0, "hessian": 0, "broken": None}
    outcomes = sweep_cells.work_on(cells, earlier)
    assert [one.error for one in outcomes] == [None, None]
    assert (counts["llc"], counts["circuits"], counts["hessian"]) == (1, 2, 1)
    assert outcomes[1].rows[-1]["train_loss"] != earlier[cells[1].key][-1]["train_loss"]


def test_parts_stand_where_the_retry_fails_before_them(
    tmp_path: Path, counts: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts |= {"broken": "hessian", "error": MemoryError("no room")}
    first = sweep(tmp_path).run(progress=False)
    with monkeypatch.context() as broken:
        broken.setattr(sweep_cells, "train", lambda *_, **__: 1 / 0)
        second = sweep(tmp_path).run(retry_failed=True, progress=False)
    assert second["llc"].tolist() == first["llc"].tolist()
    assert "division by zero" in second["error"].iloc[0]
    counts["broken"] = None
    third = sweep(tmp_path).run(retry_failed=True, progress=False)
    assert third["llc"].tolist() == first["llc"].tolist()
    assert "error" not in third


def test_parts_of_other_versions_are_measured_again(
    tmp_path: Path, counts: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record tells of one set of versions."""
    counts |= {"broken": "hessian", "error": MemoryError("no room")}
    older = dataclasses.replace(versions_here(), torch="2.9.0")
    with monkeypatch.context() as before:
        before.setattr(records, "versions_here", lambda: older)
        sweep(tmp_path).run(progress=False)
    counts |= {"broken": None, "llc": 0}
    again = sweep(tmp_path)
    again.run(retry_failed=True, progress=False)
    assert counts["llc"] == 2
    assert again.records.get(again.plan.cells[0]).versions == versions_here()
