"""Sweeps over systems with known answers."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lambdascope.commands import sweep_measures, sweep_toys
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_figures import panels_of
from lambdascope.commands.sweep_table import summary_text
from lambdascope.errors import LambdascopeError
from lambdascope.estimates.automatic import automatic_llc
from lambdascope.sampling import sample
from lambdascope.theory import LearningCoefficient


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes longer than these chains; the compiled step has tests of its own."""
    monkeypatch.setattr(sweep_measures, "sample", functools.partial(sample, compile=False))
    automatic = functools.partial(automatic_llc, compile=False)
    monkeypatch.setattr(sweep_measures, "automatic_llc", automatic)


def sweep(folder: Path, text: str) -> Sweep:
    file = folder / "small.toml"
    file.write_text(text)
    return Sweep(file, folder / "results")


@pytest.mark.slow
def test_potentials_stand_beside_their_exact_values_at_each_temperature(tmp_path: Path) -> None:
    text = """
    system = "potentials"
    [[list]]
    potential.kind = "quadratic"
    potential.curvatures = [1.0, 0.5]
    [[list]]
    potential.kind = "powers"
    potential.powers = [4]
    [llc]
    target_error = 0.1
    max_steps = 1500
    [grid]
    llc.nbeta = [10.0, 1000.0]
    [[figures]]
    x = "llc.nbeta"
    family = "system"
    theory = true
    log_x = true
    """
    found = sweep(tmp_path, text)
    table = found.run(progress=False)
    assert table["system"].nunique() == 2
    quadratic = table[table["potential.kind"] == "quadratic"]
    exact = [sum(0.5 * b * c / (b * c + 5) for c in (1.0, 0.5)) for b in (10.0, 1000.0)]
    np.testing.assert_allclose(quadratic["exact"], exact, rtol=1e-6)
    assert set(table["exact_holds"]) == {"at this nβ and γ"}
    assert (abs(table["llc"] - table["exact"]) < 4 * table["llc_stderr"] + 0.05).all()
    assert (tmp_path / "results" / "figures" / "llc_vs_llc_nbeta_by_system.png").exists()
    # A power has no curvatures, nor a quadratic any powers.
    assert table["potential.powers"].isna().tolist() == [True, True, False, False]
    assert table["potential.curvatures"].isna().tolist() == [False, False, True, True]
    summary = summary_text(found.plan, table)
    assert "–" in summary
    assert "nan" not in summary


MULTIPLICATION = """
system = "complex_multiplication"
[network]
num_samples = 60
num_steps = 20
hidden_size = 4
[llc]
num_chains = 2
num_steps = 40
step_size = 1e-6
batch_size = 16
"""


def test_a_network_that_multiplies_is_trained_and_measured(tmp_path: Path) -> None:
    text = MULTIPLICATION + "[grid]\nllc.temp_multiplier = [1.0, 2.0]\n"
    found = sweep(tmp_path, text)
    table = found.run(progress=False)
    n = 60
    np.testing.assert_allclose(table["nbeta"], [n / np.log(n), n / np.log(n) / 2], rtol=1e-6)
    assert table["llc"].notna().all()
    assert table["exact"].isna().all()  # so short a training reaches no zero of the loss
    assert table["exact_holds"].isna().all()


def test_an_exact_value_that_is_the_limit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MULTIPLICATION + '[[figures]]\nx = "nbeta"\ntheory = true\n'
    made = sweep_toys._toy
    known = LearningCoefficient(15.0, 1, "a source")
    monkeypatch.setattr(sweep_toys, "_toy", lambda one: replace(made(one), exact=known))
    found = sweep(tmp_path, text)
    table = found.run(progress=False)
    assert table["exact"].tolist() == [15.0]
    assert table["exact_holds"].tolist() == ["as nβ → ∞"]
    assert "exact as nβ → ∞" in summary_text(found.plan, table).splitlines()[0]
    (panel,) = panels_of(table, pd.DataFrame(), found.plan.figures[0], found.plan.axes)
    assert panel.theory["label"].tolist() == ["exact value as nβ → ∞"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[grid]\npotential.powers = [[2], [1]]", r"cell 1 .*powers"),
        ("[potential]\nepsilon = 0.1\n[llc]\nnbeta = 9", "epsilon is no setting of kind='powers'"),
        ("[potential]\npowers = [4]", r"cell 0: llc\.nbeta is required"),
        (
            "[llc]\nnbeta = 9.0\n[grid]\nllc.checkpoints = ['0']",
            r"llc\.checkpoints has no effect: there is one place",
        ),
        (
            "[llc]\nnbeta = 9.0\nnum_steps = 50\ntarget_error = 0.1",
            r"target_error=0\.1 beside num_steps: it belongs to the automatic estimate",
        ),
        ("[llc]\nnbeta = 9.0\nbatch_size = 5", r"llc\.batch_size has no effect"),
        ("[llc]\nnbeta = 9.0\ntemp_multiplier = 2.0", r"llc\.nbeta=9\.0 together with"),
        ("[train]\np = 5", "train is no section"),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LambdascopeError, match=said):
        sweep(tmp_path, f'system = "potentials"\n{text}\n')


def test_parameters_of_a_network_that_multiplies_are_refused(tmp_path: Path) -> None:
    text = 'system = "complex_multiplication"\n[llc]\nparameters = "no_such*"\n'
    with pytest.raises(LambdascopeError, match=r"llc\.parameters has no effect: all parameters"):
        sweep(tmp_path, text)


# A new setting belongs into `sweep_toys`, as read or as refused, and then here.
ACTED_ON = {
    *("num_chains", "num_steps", "step_size", "burnin", "target_error", "max_steps"),
    *("localization", "nbeta", "n_multiplier", "temp_multiplier", "weight_decay"),
    *("seed", "device"),
}
REFUSED = {
    "checkpoints": "'0'",
    "parameters": "'w'",
    "orthogonal_to_gradient": "true",
    "logit_scale": "2.0",
    "check_step": "true\nnum_chains = 2",
}


@pytest.mark.parametrize(
    ("system", "acted_on", "refused"),
    [
        ("potentials", ACTED_ON, {**REFUSED, "batch_size": "5"}),
        ("complex_multiplication", ACTED_ON | {"batch_size"}, REFUSED),
    ],
)
def test_every_setting_of_the_estimate_is_acted_on_or_refused(
    system: str, acted_on: set[str], refused: dict[str, str], tmp_path: Path
) -> None:
    assert set(LLCConfig.model_fields) == acted_on | set(refused)
    for name, value in refused.items():
        with pytest.raises(LambdascopeError, match=rf"llc\.{name} has no effect"):
            sweep(tmp_path, f'system = "{system}"\n[llc]\n{name} = {value}\n')
