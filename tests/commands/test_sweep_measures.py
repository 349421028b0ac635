"""What a sweep measures beside the plain λ̂: the automatic one, circuits, the Hessian."""

import functools
import math
from pathlib import Path

import numpy as np
import pytest

from lambdascope.commands import sweep_measures
from lambdascope.commands.circuits import circuits
from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.hessian import hessian
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_cells import work_on
from lambdascope.commands.sweep_figures import panels_of
from lambdascope.commands.sweep_table import spectra
from lambdascope.commands.train import train
from lambdascope.estimates.automatic import automatic_llc
from lambdascope.estimates.curve import LLCEstimate
from lambdascope.estimates.verdict import Status
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.runs.tables import read_table
from lambdascope.sampling import sample
from lambdascope.sweeps import Outcome

BASE = """
[train]
p = 7
embed_dim = 3
hidden_size = 6
num_steps = 40
num_checkpoints = 3
train_fraction = 0.8
"""
CONFIG = TrainConfig(
    p=7, embed_dim=3, hidden_size=6, num_steps=40, num_checkpoints=3, train_fraction=0.8
)


def sweep(folder: Path, text: str) -> Sweep:
    file = folder / "small.toml"
    file.write_text(BASE + text)
    return Sweep(file, folder / "results")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes longer than these chains; the compiled step has tests of its own."""
    monkeypatch.setattr(sweep_measures, "sample", functools.partial(sample, compile=False))
    automatic = functools.partial(automatic_llc, compile=False)
    monkeypatch.setattr(sweep_measures, "automatic_llc", automatic)


@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_without_settings_of_the_plain_estimator_everything_is_chosen(tmp_path: Path) -> None:
    text = "[llc]\nmax_steps = 400\n[grid]\nllc.target_error = [0.05, 10.0]\n"
    found = sweep(tmp_path, text)
    table = found.run(progress=False)
    last = table[table["llc"].notna()]
    assert last["step"].tolist() == [40, 40]
    assert (last["llc_stderr"] > 0).all()
    # A goal that can't be missed is reached; one that 400 steps can't reach is said to be.
    assert last["status"].tolist()[1] == "converged"
    assert last["llc"].iloc[0] == pytest.approx(last["llc"].iloc[1], rel=0.3)
    alone = work_on([found.plan.cells[1]])[0].rows[-1]["llc"]
    assert alone == pytest.approx(last["llc"].iloc[1], rel=1e-3)


def test_the_hessian_is_that_of_the_command(tmp_path: Path) -> None:
    text = """
    [measure]
    llc = "none"
    hessian = "all"
    [hessian]
    top = 8
    bottom = 2
    checkpoints = "0,2"
    [[figures]]
    x = "rank"
    y = "eigenvalue"
    log_y = true
    [[figures]]
    x = "step"
    y = ["effective_dimension", "hessian_trace"]
    """
    found = sweep(tmp_path, text)
    table = found.run(progress=False)
    (run,) = train(CONFIG, tmp_path / "run", None, progress=False).directories
    config = HessianConfig(top=8, bottom=2, checkpoints=(0, 2))
    own = hessian(run.path, config, progress=False)
    rows = table[table["effective_dimension"].notna()]
    assert rows["step"].tolist() == [0, 40]
    for ours, theirs in (
        ("effective_dimension", "effective_dimension"),
        ("hessian_trace", "trace"),
        ("hessian_largest", "largest"),
        ("hessian_smallest", "smallest"),
    ):
        np.testing.assert_allclose(rows[ours], own.summary[theirs], rtol=1e-5, atol=1e-9)
    held = read_table(tmp_path / "results" / "sweep_hessian.csv")
    theirs = own.eigenvalues
    places = ["step", "end", "rank"]
    assert held[places].to_numpy().tolist() == theirs[places].to_numpy().tolist()
    assert held.groupby("end", sort=False).size().to_dict() == {"largest": 16, "smallest": 4}
    np.testing.assert_allclose(held["eigenvalue"], theirs["eigenvalue"], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(held["residual"], theirs["residual"], atol=1e-6)
    assert not [name for name in table if "eigenvalues" in name]
    (panel,) = panels_of(table, held, found.plan.figures[0], found.plan.axes)
    assert panel.runs["x"].max() == 8  # the leading end alone
    assert [path.name for path in found.paths()] == [
        "sweep.csv",
        "sweep_hessian.csv",
        "eigenvalue_vs_rank.png",
        "effective_dimension_hessian_trace_vs_step.png",
    ]


def test_records_of_before_both_ends_were_kept_have_the_leading_one(tmp_path: Path) -> None:
    found = sweep(tmp_path, "[measure]\nhessian = 'final'\n")
    row = {"checkpoint": 2, "step": 40, "hessian_largest": 3.0, "eigenvalues": [3.0, 1.0]}
    found.records.put(found.plan.cells[0], Outcome(rows=[row]))
    rows = spectra(found.plan, found.records)
    assert rows[["end", "rank", "eigenvalue"]].to_numpy().tolist() == [
        ["largest", 1, 3.0],
        ["largest", 2, 1.0],
    ]
    assert rows["residual"].isna().all()


def test_circuits_are_those_of_the_command(tmp_path: Path) -> None:
    text = "[measure]\nllc = 'none'\ncircuits = 'all'\n[circuits]\nerror_rate = 0.5\n"
    table = sweep(tmp_path, text).run(progress=False)
    (run,) = train(CONFIG, tmp_path / "run", None, progress=False).directories
    own = circuits(run.path, CircuitsConfig(error_rate=0.5), progress=False)
    assert table["num_circuits"].iloc[-1] == len(own.circuits)
    assert table["num_circuits"].notna().all()


@pytest.mark.usefixtures("eager")
def test_the_hessian_takes_temperature_and_localisation_of_the_estimate(tmp_path: Path) -> None:
    text = """
    [measure]
    llc = "none"
    hessian = "final"
    [hessian]
    top = 8
    bottom = 0
    [grid]
    llc.localization = [5.0, 50.0]
    """
    table = sweep(tmp_path, text).run(progress=False)
    weak, strong = table.loc[table["effective_dimension"].notna(), "effective_dimension"]
    assert weak > 1.5 * strong > 0


def test_batches_of_unlike_size_share_a_compiled_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def watched(*arguments, chunk_size, **settings):
        sizes.append(chunk_size)
        return sample(*arguments, chunk_size=chunk_size, compile=False, **settings)

    monkeypatch.setattr(sweep_measures, "sample", watched)
    text = "[llc]\nnum_chains = 2\nnum_steps = 8\n[grid]\ntrain.seed = '0..18'\n"
    table = sweep(tmp_path, text).run(progress=False)
    assert table["llc"].notna().sum() == 19
    assert len(sizes) == 2
    assert len(set(sizes)) == 1


def test_cells_that_differ_in_what_is_measured_share_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lambdascope.commands import sweep_cells

    trained = []
    real = sweep_cells.train

    def counted(configs, **settings):
        trained.extend(configs)
        return real(configs, **settings)

    monkeypatch.setattr(sweep_cells, "train", counted)
    text = "[measure]\nllc = 'none'\ncircuits = 'final'\n[grid]\n"
    many = sweep(tmp_path, text + "train.seed = [0, 1]\ncircuits.error_rate = [0.01, 0.02]\n")
    # Cells of other search settings are batches of their own, so share them by hand.
    outcomes = work_on(many.plan.cells[:2])
    assert len(trained) == 1
    assert outcomes[0].rows[-1]["train_loss"] == outcomes[1].rows[-1]["train_loss"]


def test_a_checkpoint_whose_chains_diverge_costs_no_other_its_estimate() -> None:
    numbers = dict.fromkeys(("stderr", "rhat", "ess", "drift", "initial_loss"), math.nan)
    numbers |= {"mean_loss": 1.0, "nbeta": 1.0}
    lost, known = (
        LLCEstimate(
            checkpoint=0,
            llc=llc,
            per_chain=np.array([llc, llc]),
            num_steps=10,
            num_chains=2,
            num_diverged_chains=2,
            num_burnin_steps=0,
            status=Status.ALL_DIVERGED,
            advice="a smaller step_size",
            **numbers,
        )
        for llc in (math.nan, 5.0)
    )
    rows = [{"step": step} for step in (0, 10, 20)]
    said = sweep_measures._write(rows, [lost, known, lost])
    assert rows[1]["llc"] == 5.0
    assert "at step 0: " in said
    assert said.endswith("(and at 1 more of its checkpoints)")
