"""`lambdascope sweep` on small networks that are really trained and sampled."""

import dataclasses
import functools
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lambdascope import cli
from lambdascope.commands import sweep_cells, sweep_measures, sweep_systems
from lambdascope.commands.llc import llc
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_cells import batches_of, work_on
from lambdascope.commands.sweep_curves import means_of, runs_of
from lambdascope.commands.sweep_lines import straight_line
from lambdascope.commands.sweep_standing import (
    SweepStatus,
    preview_of,
    print_preview,
    print_result,
    print_status,
    result_of,
)
from lambdascope.commands.sweep_table import doubts, finals, summary_text
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.runs.tables import read_table
from lambdascope.sampling import sample
from lambdascope.sweeps import FigureWish, Outcome

FILE = """
[train]
embed_dim = 3
hidden_size = 6
num_steps = 40
num_checkpoints = 3
train_fraction = 0.8
[llc]
num_chains = 2
num_steps = 40
step_size = 1e-4
batch_size = 8
[grid]
train.p = [5, 7]
train.seed = "0..1"
[[figures]]
x = "train.p"
line = true
[[figures]]
x = "step"
y = "test_loss"
family = "train.p"
"""
# Eager sampling cannot be asked for in a worker process, and compiling takes long.
NO_LLC = FILE.replace('x = "train.p"\nline', 'x = "train.p"\ny = "train_loss"\nline') + (
    '[measure]\nllc = "none"\n'
)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes longer than these chains; the compiled step has tests of its own."""
    monkeypatch.setattr(sweep_measures, "sample", functools.partial(sample, compile=False))


def sweep(folder: Path, text: str = FILE) -> Sweep:
    file = folder / "small.toml"
    file.write_text(text)
    return Sweep(file, folder / "results")


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the cells that are worked on from here."""
    numbers: list[int] = []

    def count(batch):
        numbers.extend(cell.number for cell in batch)
        return work_on(batch)

    work_with(monkeypatch, count)
    return numbers


def work_with(monkeypatch: pytest.MonkeyPatch, work) -> None:
    """Another `work_on` for sweeps that are opened from here."""
    system = dataclasses.replace(sweep_systems.SYSTEMS["modular_addition"], work_on=work)
    monkeypatch.setitem(sweep_systems.SYSTEMS, "modular_addition", system)


def test_a_table_figures_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = sweep(tmp_path)
    table = small.run(progress=False)
    written = read_table(tmp_path / "results" / "sweep.csv")
    assert list(written.columns) == list(table.columns)
    for name in ("cell", "train.p", "step", "llc", "train_loss"):
        np.testing.assert_array_equal(written[name], table[name])
    assert len(table) == 4 * 3
    assert table["llc"].notna().sum() == 4
    assert table.groupby("cell")["step"].apply(list).tolist() == [[0, 20, 40]] * 4
    for name in ("llc_vs_train_p", "test_loss_vs_step_by_train_p"):
        assert (tmp_path / "results" / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    print_result(result_of(small, table))
    printed = capsys.readouterr().out
    assert "4 of 4 cells finished, 0 failed, 0 missing" in printed
    last = table[table["step"] == 40].groupby("train.p")["test_loss"]
    assert f"{last.mean()[5]:.2f}"[:3] in printed.splitlines()[1]
    assert printed.splitlines()[0].split()[:2] == ["train.p", "runs"]


def test_a_cell_measures_what_the_commands_by_themselves_measure(tmp_path: Path) -> None:
    table = sweep(tmp_path).run(progress=False)
    config = TrainConfig(
        p=7, seed=1, embed_dim=3, hidden_size=6, num_steps=40, num_checkpoints=3, train_fraction=0.8
    )
    (run,) = train(config, tmp_path / "run", None, progress=False).directories
    own = table[(table["train.p"] == 7) & (table["train.seed"] == 1)]
    alone = read_table(run.path / "training.csv")
    for name in ("train_loss", "test_loss", "weight_norm"):
        np.testing.assert_allclose(own[name], alone[name], rtol=1e-5)
    settings = LLCConfig(
        num_chains=64, num_steps=40, step_size=1e-4, batch_size=8, checkpoints=(2,)
    )
    many = llc(run.path, settings, progress=False).table.iloc[0]
    # Streams differ, so the numbers agree as draws do: the two chains' spread from the many's.
    per_chain = many["llc_stderr"] * math.sqrt(64)
    assert own["nbeta"].iloc[-1] == pytest.approx(many["nbeta"])
    assert abs(own["llc"].iloc[-1] - many["llc"]) < 4 * per_chain / math.sqrt(2)


def test_nothing_that_stands_is_worked_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sweep(tmp_path).run(progress=False)
    numbers = counted(monkeypatch)
    again = sweep(tmp_path).run(progress=False)
    assert numbers == []
    pd.testing.assert_frame_equal(again, first, check_dtype=False)
    wider = sweep(tmp_path, FILE.replace('"0..1"', '"0..2"')).run(progress=False)
    assert sorted(numbers) == [2, 5]
    assert len(wider) == 6 * 3
    numbers.clear()
    changed = FILE.replace("step_size = 1e-4", "step_size = 2e-4")
    sweep(tmp_path, changed).run(progress=False)
    assert sorted(numbers) == [0, 1, 2, 3]


def test_interrupted_it_goes_on_with_the_rest_to_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    whole = sweep(tmp_path / "whole").run(progress=False)

    def interrupted(batch):
        if batch[0].number:
            raise KeyboardInterrupt
        return work_on(batch)

    work_with(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path).run(progress=False)
    assert len(sweep(tmp_path).missing()) == 2
    numbers = counted(monkeypatch)
    resumed = sweep(tmp_path).run(progress=False)
    assert numbers == [2, 3]
    pd.testing.assert_frame_equal(resumed, whole, check_dtype=False)


def test_an_axis_that_a_cell_does_not_name_has_its_value_there(tmp_path: Path) -> None:
    grid = FILE.index("[grid]")
    listed = '[[list]]\ntrain.task = "random"\n[[list]]\ntrain.embed_dim = 4\n'
    settings = (
        FILE[:grid].replace("[llc]", "p = 5\n[llc]").replace("[train]\nembed_dim = 3", "[train]")
    )
    table = sweep(tmp_path, settings + listed).run(progress=False)
    last = finals(table)
    assert last["train.task"].tolist() == ["random", "addition"]
    assert last["train.embed_dim"].tolist() == [TrainConfig().embed_dim, 4]


def test_of_many_doubtful_cells_the_first_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful = {f"cell {number}": "escaped" for number in range(23)}
    print_status(SweepStatus(tmp_path, 30, 30, 0, {}, doubtful))
    *_, before, last = capsys.readouterr().out.splitlines()
    assert before == "  cell 19: escaped"
    assert last == "  … and 3 more; --json lists them all"


def test_the_summary_says_what_its_errors_are_and_who_has_not_converged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = sweep(tmp_path)
    table = small.run(progress=False)
    lines = summary_text(small.plan, table).splitlines()
    assert lines[-2] == "±: standard deviation over runs"
    doubtful = finals(table).query("status != 'converged'")
    assert len(doubtful) > 0
    assert lines[-1].startswith(f"{len(doubtful)} of 4 estimates are not 'converged' (")
    assert "): column status of sweep.csv; `lambdascope sweep status`" in lines[-1]
    capsys.readouterr()
    run = ["sweep", "status", str(small.plan.path), "--out", str(tmp_path / "results")]
    assert cli.main(run) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == f"  λ̂ is not 'converged' in {len(doubtful)} cells:"
    for line, row in zip(printed[2:], doubtful.itertuples(), strict=True):
        assert line.startswith(f"  cell {row.cell} (")
        assert line.endswith(f": {row.status}: {row.advice}")


def test_a_cell_without_an_estimate_is_not_one_that_did_not_converge(tmp_path: Path) -> None:
    mixed = FILE.replace('train.seed = "0..1"', 'measure.llc = ["none", "final"]')
    small = sweep(tmp_path, mixed)
    found = [
        Outcome(rows=[{"step": 40, "train_loss": 1.0}]),
        Outcome(rows=[{"step": 40, "train_loss": 1.0, "llc": 2.0, "status": "escaped"}]),
    ]
    for cell in small.plan.cells:
        small.records.put(cell, found[cell.number % 2])
    table = small.table()
    assert "2 of 2 estimates are not 'converged' (2 escaped)" in summary_text(small.plan, table)
    assert list(doubts(small.plan, table).values()) == ["escaped", "escaped"]


def test_of_several_checkpoints_the_last_doubt_is_told(tmp_path: Path) -> None:
    one = FILE.replace("[5, 7]", "[5]").replace("0..1", "0..0").replace("line = true", "")
    small = sweep(tmp_path, one)
    stati = ["not converged", "escaped", "converged"]
    rows = [
        {"step": 20 * index, "llc": 1.0, "status": status, "advice": f"try {index}"}
        for index, status in enumerate(stati)
    ]
    small.records.put(small.plan.cells[0], Outcome(rows=rows))
    assert list(doubts(small.plan, small.table()).values()) == [
        "2 of 3 checkpoints, at step 20 escaped: try 1"
    ]


def test_an_axis_that_a_cell_leaves_to_its_default_says_so(tmp_path: Path) -> None:
    listed = "[[list]]\nllc.nbeta = 10.0\n[[list]]\nllc.localization = 2.0\n"
    text = FILE[: FILE.index("[grid]")].replace("[llc]", "p = 5\n[llc]") + listed
    small = sweep(tmp_path, text)
    for cell in small.plan.cells:
        row = {"step": 0, "llc": 1.0 + cell.number, "status": "converged"}
        small.records.put(cell, Outcome(rows=[row]))
    table = small.table()
    assert table["llc.nbeta"].tolist() == [10.0, "default"]
    assert "default" in summary_text(small.plan, table)
    families = runs_of(table, "llc", FigureWish(x="llc.localization", family="llc.nbeta"), ())
    assert set(means_of(families)["family"]) == {10.0, "default"}


def test_what_an_edited_file_no_longer_asks_for_does_not_stand_beside_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"step": 40, "llc": 1.0, "status": "converged", "test_loss": 1.0}]
    first = sweep(tmp_path)
    for cell in first.plan.cells:
        first.records.put(cell, Outcome(rows=rows))
    first.draw()
    out = tmp_path / "results"
    assert len(list((out / "figures").iterdir())) == 2
    renamed = FILE.replace('train.seed = "0..1"', "llc.localization = [1.0, 5.0]")
    cut = renamed[: renamed.rindex("[[figures]]")]

    def interrupted(batch):
        raise KeyboardInterrupt

    work_with(monkeypatch, interrupted)
    second = sweep(tmp_path, cut)
    with pytest.raises(KeyboardInterrupt):
        second.run(progress=False)
    # The cells of γ = 5, which is the default, and seed 0 stand already.
    assert read_table(out / "sweep.csv")["llc.localization"].tolist() == [5.0, 5.0]
    assert "train.seed" not in read_table(out / "sweep.csv")
    assert list((out / "figures").iterdir()) == []
    second.draw()
    assert [one.name for one in (out / "figures").iterdir()] == ["llc_vs_train_p.png"]
    named = sweep(tmp_path, cut + 'name = "other"\n')
    named.draw()
    assert [one.name for one in (out / "figures").iterdir()] == ["other.png"]
    assert len(list((out / "cells").iterdir())) == 4
    nothing = sweep(tmp_path, cut.replace("embed_dim = 3", "embed_dim = 5"))
    nothing.table()
    assert not (out / "sweep.csv").exists()
    assert list((out / "figures").iterdir()) == []


def test_the_directory_of_another_sweep_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = sweep(tmp_path)
    first.records.put(first.plan.cells[0], Outcome(rows=[{"step": 40, "llc": 1.0}]))
    first.draw()
    other = tmp_path / "other.toml"
    other.write_text(FILE.replace("[5, 7]", "[11, 13]"))
    before = {one: one.read_bytes() for one in (tmp_path / "results").rglob("*") if one.is_file()}
    for arguments in (["run"], ["run", "--dry-run"], ["status"], ["table"], ["plot"]):
        rest = [str(other), "--out", str(tmp_path / "results")]
        assert cli.main(["sweep", *arguments, *rest]) == 2
        said = capsys.readouterr().err
        assert "results holds the results of " in said
        assert f"small.toml: give {other} another --out" in said
    after = {one: one.read_bytes() for one in (tmp_path / "results").rglob("*") if one.is_file()}
    assert after == before


def test_what_can_not_be_drawn_yet_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = sweep(tmp_path, FILE + "[[figures]]\nx = 'train.seed'\nslope_over = 'train.p'\n")
    rows = [{"step": 40, "llc": 1.0, "status": "converged", "test_loss": 1.0}]
    for cell in small.plan.cells[:2]:  # of one p
        small.records.put(cell, Outcome(rows=rows))
    found = result_of(small, small.draw())
    print_result(found)
    said = "slope_of_llc_vs_train_seed.png is not drawn: a slope needs finished cells at two values"
    assert said in capsys.readouterr().out
    assert [path.name for path in found.paths] == [
        "sweep.csv",
        "llc_vs_train_p.png",
        "test_loss_vs_step_by_train_p.png",
    ]


def test_a_failed_cell_is_named_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILE.replace('train.seed = "0..1"', "train.learning_rate = [0.005, 1e30]")
    broken = sweep(tmp_path, text)
    table = broken.run(progress=False)
    assert set(table["train.learning_rate"]) == {0.005}
    failed = broken.failed()
    assert [cell.number for cell, _ in failed] == [1, 3]
    assert "diverged" in failed[0][1]
    capsys.readouterr()
    assert (
        cli.main(["sweep", "status", str(broken.plan.path), "--out", str(tmp_path / "results")])
        == 0
    )
    printed = capsys.readouterr().out
    assert "2 of 4 cells finished, 2 failed, 0 missing" in printed
    assert "cell 1 (train.p=5, train.learning_rate=1e+30) failed: " in printed
    numbers = counted(monkeypatch)
    run = ["sweep", "run", str(broken.plan.path), "--out", str(tmp_path / "results")]
    assert cli.main(run) == 1
    assert "2 of 4 cells failed; --retry-failed works on them again" in capsys.readouterr().err
    assert numbers == []
    sweep(tmp_path, text).run(retry_failed=True, progress=False)
    assert set(numbers) == {1, 3}


def test_a_diverging_cell_is_trained_beside_the_others_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FILE.replace('train.seed = "0..1"', "train.learning_rate = [1e30, 0.005]")
    numbers = counted(monkeypatch)
    table = sweep(tmp_path, text).run(progress=False)
    assert numbers == [0, 1, 2, 3]
    assert table["cell"].unique().tolist() == [1, 3]
    assert table["llc"].notna().any()


def test_a_cell_without_an_estimate_costs_its_neighbours_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An enormous nβ makes the chains of its cell diverge."""
    text = FILE.replace('train.seed = "0..1"', "llc.nbeta = [10.0, 1e30]")
    numbers = counted(monkeypatch)
    found = sweep(tmp_path, text)
    table = found.run(progress=False)
    assert numbers == [0, 1, 2, 3]  # once, side by side
    assert [cell.number for cell, _ in found.failed()] == [1, 3]
    assert "no chain gave an estimate at step" in found.failed()[0][1]
    # What was measured besides stands.
    lost = table["cell"].isin([1, 3])
    assert table["test_loss"].notna().all()
    assert (
        table["llc"].notna().tolist()
        == (table.groupby("cell").cumcount(ascending=False).eq(0) & ~lost).tolist()
    )
    assert table["error"].notna().tolist() == lost.tolist()


def test_what_is_kept_is_the_file_as_its_cells_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = FILE.replace('train.seed = "0..1"', 'train.seed = "5..6"')

    def edit_and_work(batch):
        (tmp_path / "small.toml").write_text(edited)
        return work_on(batch)

    work_with(monkeypatch, edit_and_work)
    sweep(tmp_path).run(progress=False)
    assert (tmp_path / "results" / "sweep.toml").read_text() == FILE
    assert "small.toml was edited meanwhile" in capsys.readouterr().err


def test_cells_that_are_measured_one_by_one_make_small_batches(tmp_path: Path) -> None:
    many = FILE.replace('train.seed = "0..1"', 'train.seed = "0..8"')
    assert [len(batch) for batch in batches_of(sweep(tmp_path, many).plan.cells)] == [9, 9]
    plain = re.search(r"\[llc\].*?(?=\n\[)", many, re.DOTALL)[0]
    automatic = many.replace(plain, "[llc]\nmax_steps = 400\n")
    assert [len(batch) for batch in batches_of(sweep(tmp_path, automatic).plan.cells)] == [3] * 6


def test_seeds_share_a_batch_and_shapes_do_not(tmp_path: Path) -> None:
    batches = batches_of(sweep(tmp_path).plan.cells)
    assert [[cell.number for cell in batch] for batch in batches] == [[0, 1], [2, 3]]
    temperatures = FILE.replace('train.seed = "0..1"', "llc.temp_multiplier = [1.0, 2.0]")
    assert [len(batch) for batch in batches_of(sweep(tmp_path, temperatures).plan.cells)] == [2, 2]
    steps = FILE.replace('train.seed = "0..1"', "llc.num_steps = [40, 50]")
    assert [len(batch) for batch in batches_of(sweep(tmp_path, steps).plan.cells)] == [1] * 4


def test_cells_beside_each_other_are_as_cells_alone(tmp_path: Path) -> None:
    cells = sweep(tmp_path).plan.cells[:2]
    together = work_on(cells)
    alone = [work_on([cell])[0] for cell in cells]
    for one, other in zip(together, alone, strict=True):
        assert one.rows[-1]["llc"] == pytest.approx(other.rows[-1]["llc"], rel=1e-3)
        assert one.rows[-1]["train_loss"] == pytest.approx(other.rows[-1]["train_loss"], rel=1e-5)


def test_a_hessian_that_fails_costs_the_cells_beside_it_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FILE + '[measure]\nllc = "none"\nhessian = "final"\n'
    text = text.replace('x = "train.p"\nline = true', 'x = "step"\ny = "train_loss"')
    cells = sweep(tmp_path, text).plan.cells[:2]
    measured = sweep_cells.add_hessians

    def fails_at_seed_0(settings, run, rows):
        if settings.train.seed == 0:
            raise LambdascopeError("not resolved")
        measured(settings, run, rows)

    monkeypatch.setattr(sweep_cells, "add_hessians", fails_at_seed_0)
    failed, sound = work_on(cells)
    assert failed.error == "not resolved"
    assert failed.rows[-1]["train_loss"] > 0
    assert "effective_dimension" not in failed.rows[-1]
    assert sound.error is None
    assert sound.rows[-1]["effective_dimension"] > 0


def test_all_checkpoints_or_none(tmp_path: Path) -> None:
    everything = sweep(tmp_path, FILE + '[measure]\nllc = "all"\n').run(progress=False)
    assert everything["llc"].notna().all()
    nothing = sweep(tmp_path, NO_LLC).run(progress=False)
    assert nothing["llc"].isna().all()
    with pytest.raises(LambdascopeError, match=r"llc with measure\.llc='none'"):
        sweep(tmp_path, FILE + '[measure]\nllc = "none"\n')


def test_a_dry_run_lists_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = counted(monkeypatch)
    print_preview(preview_of(sweep(tmp_path)))
    printed = capsys.readouterr().out
    assert "cell 3 (train.p=7, train.seed=1)\n" in printed
    assert "4 of 4 cells to work out: about " in printed
    assert numbers == []
    assert not (tmp_path / "results").exists()


def test_a_dry_run_tells_of_failures_and_of_trying_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = sweep(tmp_path)
    small.records.put(small.plan.cells[0], Outcome(rows=[{"step": 40, "llc": 1.0}]))
    small.records.put(small.plan.cells[1], Outcome(error="the run diverged"))
    run = ["sweep", "run", str(small.plan.path), "--out", str(tmp_path / "results"), "--dry-run"]
    assert cli.main(run) == 0
    printed = capsys.readouterr().out
    assert "cell 0 (train.p=5, train.seed=0): stands\n" in printed
    assert "cell 1 (train.p=5, train.seed=1): failed: the run diverged\n" in printed
    assert "cell 2 (train.p=7, train.seed=0)\n" in printed
    assert "2 of 4 cells to work out: about " in printed
    again = "1 failed and stay as they are; --retry-failed works on them again, 3 of 4 cells in all"
    assert again in printed
    assert cli.main([*run, "--retry-failed"]) == 0
    printed = capsys.readouterr().out
    assert "3 of 4 cells to work out: about " in printed
    assert "1 of them failed before and are tried again" in printed
    assert small.records.get(small.plan.cells[1]).error == "the run diverged"


def test_worker_processes_give_the_same_numbers(tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    local = sweep(tmp_path / "local", NO_LLC).run(progress=False)
    shared = sweep(tmp_path, NO_LLC).run("processes", 2, progress=False)
    pd.testing.assert_frame_equal(shared, local, check_dtype=False, rtol=1e-6)


def test_the_slope_is_that_of_least_squares_with_its_error() -> None:
    random = np.random.default_rng(0)
    x = np.repeat([23.0, 29, 37, 41, 47, 53], 5)
    found = [straight_line(x, 8.0 * x - 90 + random.normal(0, 10, len(x))) for _ in range(400)]
    gradients, errors, starts = np.array(found).T
    assert gradients.mean() == pytest.approx(8.0, abs=4 * gradients.std() / 20)
    assert starts.mean() == pytest.approx(-90, abs=4 * starts.std() / 20)
    # The spread of 400 draws is known to 3.5 %.
    assert np.sqrt((errors**2).mean()) == pytest.approx(gradients.std(ddof=1), rel=0.15)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train.hiden_size = [3]", r"train\.hiden_size .* nearest is train\.hidden_size"),
        ("train.p = [5, 1]", r"cell 1 \(train\.p=1\): TrainConfig: p=1"),
        ("llc.burnin = [0.1, 2.0]", r"cell 1 \(llc\.burnin=2\.0\): LLCConfig: burnin=2\.0"),
        ("llc.parameters = ['embeding*']", r"cell 0 .*llc\.parameters: .*'embeding\*'"),
        ("llc.checkpoints = ['0,2']", r"llc\.checkpoints=\(0, 2\) needs measure\.llc='all'"),
        (
            "llc.checkpoints = ['0,99']\n[measure]\nllc = 'all'",
            r"99 does not exist; train\.num_checkpoints=25",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(LambdascopeError, match=said):
        sweep(tmp_path, f"[grid]\n{text}\n")


def test_a_held_directory_is_refused(tmp_path: Path) -> None:
    small = sweep(tmp_path)
    with (
        small.records.held("local"),
        pytest.raises(LambdascopeError, match="is being worked on by process"),
    ):
        sweep(tmp_path).run(progress=False)


def test_workers_without_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LambdascopeError, match="workers=2: the local engine has none"):
        sweep(tmp_path).run("local", 2, progress=False)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, out = sweep(tmp_path), ["--out", str(tmp_path / "results")]
    for action in ("run", "table", "plot"):
        assert cli.main(["sweep", action, str(small.plan.path), *out]) == 0
        assert "4 of 4 cells finished" in capsys.readouterr().out
    record = next((tmp_path / "results" / "cells").iterdir())
    assert json.loads(record.read_text())["configs"]["train"]["embed_dim"] == 3
