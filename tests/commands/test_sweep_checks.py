"""What a sweep is refused for before anything runs: axes without effect, contradictions."""

from pathlib import Path

import pandas as pd
import pytest

from lambdascope.commands import sweep as sweep_command
from lambdascope.commands.llc_config import LLCConfig, PlainSettings
from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_standing import result_of
from lambdascope.errors import LambdascopeError
from lambdascope.runs.tables import read_table
from lambdascope.sweeps import Outcome


def opened(folder: Path, text: str) -> Sweep:
    file = folder / "small.toml"
    file.write_text(text)
    return Sweep(file, folder / "results")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[llc]\nnum_chains = 2\n[grid]\nllc.target_error = [0.01, 0.1]",
            r"cell 0 \(llc\.target_error=0\.01\): .*=0\.01 beside num_chains: it belongs",
        ),
        (
            "[llc]\nburnin = 0.5\nmax_steps = 900",
            r"cell 0: .*max_steps=900 beside burnin: it belongs to the automatic estimate",
        ),
        (
            "[measure]\nllc = 'none'\n[grid]\nllc.localization = [1.0, 2.0]",
            r"llc\.localization has no effect: measure\.llc='none'",
        ),
        (
            "[measure]\nllc = 'none'\nhessian = 'final'\n[grid]\nllc.logit_scale = [1.0, 2.0]",
            r"llc\.logit_scale has no effect",
        ),
        (
            "[llc]\nstep_size = 1e-3\n[grid]\nllc.check_step = [true]",
            r"llc\.check_step has no effect: a sweep does not ask",
        ),
        (
            "[grid]\ntrain.attention_rate = [1.0]",
            r"train\.attention_rate has no effect: train\.network='mlp' has none",
        ),
        (
            "[train]\nnetwork = 'transformer'\n[grid]\ntrain.tie_linear = [false]",
            r"train\.tie_linear has no effect: train\.network='transformer' has none",
        ),
        (
            "[llc]\nnbeta = 100.0\n[grid]\nllc.n_multiplier = [1.0]",
            r"llc\.n_multiplier has no effect: llc\.nbeta is given",
        ),
        (
            "[llc]\nnum_chains = 2\n[grid]\nllc.target_error = [0.02]",
            r"llc\.target_error has no effect: a setting of the sampler switches",
        ),
        ("[grid]\nhessian.top = [3, 4]", r"hessian\.top has no effect: measure\.hessian='none'"),
        ("[grid]\ncircuits.error_rate = [0.1]", r"circuits\.error_rate has no effect"),
        (
            "[measure]\nhessian = 'final'\n[hessian]\nlocalization = 2.0",
            r"hessian\.localization has no effect: .* takes llc\.localization; give that",
        ),
        (
            "[train]\nfull_batch = true\n[grid]\ntrain.batch_size = [64, 128]",
            r"train\.batch_size has no effect: train\.full_batch=True",
        ),
        (
            "[train]\nweight_decay = 0\n[grid]\ntrain.num_final_steps_without_weight_decay=[0, 5]",
            r"num_final_steps_without_weight_decay has no effect: train\.weight_decay=0",
        ),
        (
            "[llc]\nn_multiplier = 2.0\n[grid]\nllc.nbeta = [10.0]",
            r"cell 0 \(llc\.nbeta=10\.0\): llc: nbeta=10\.0 together with n_multiplier=2\.0",
        ),
        ("[train]\np = 2\ntrain_fraction = 0.3\n", r"llc: nbeta=None with n · n_multiplier = 1"),
        (
            "[measure]\ncircuits = 'final'\n[grid]\ntrain.p = [7, 3]",
            r"cell 1 \(train\.p=3\): measure\.circuits='final' with train\.p=3: .* from p=5",
        ),
        (
            "[measure]\nhessian = 'final'\n[hessian]\nweight_decay = true\n"
            "[train]\noptimizer = 'adamw'",
            r"hessian\.weight_decay with train\.optimizer='adamw'",
        ),
        (
            "[measure]\nhessian = 'all'\n[hessian]\ncheckpoints = '0,30'",
            r"hessian\.checkpoints=\(0, 30\): 30 does not exist",
        ),
        (
            "[measure]\nhessian = 'final'\n[hessian]\nparameters = 'embeding*'",
            r"hessian\.parameters: .*'embeding\*'",
        ),
        (
            "[measure]\nhessian = 'final'\n[hessian]\ntop = 50000",
            r"hessian\.top=50000: the matrix has [\d,]+ eigenv",
        ),
        (
            "[measure]\nhessian = 'final'\n[llc]\nlocalization = 0",
            r"llc\.localization=0 with measure\.hessian",
        ),
        (
            "[[figures]]\nx = 'num_circuits'",
            r"figures: num_circuits with measure\.circuits='none': give it 'final' or 'all'",
        ),
        (
            "[measure]\nhessian = 'final'\n[[figures]]\nx = 'step'\ny = 'eigenvalue'",
            "eigenvalues are drawn by rank",
        ),
        (
            "[measure]\nhessian = 'final'\n[grid]\ntrain.p = [5, 7]\n[[figures]]\nx = 'rank'\n"
            "y = 'eigenvalue'\nslope_over = 'train.p'",
            "eigenvalues with map_over or slope_over",
        ),
        (
            "[grid]\ntrain.task = ['addition', 'random']\n[[figures]]\nx = 'train.task'\n"
            "line = true",
            r"small\.toml: figures: line=true over train\.task, which has the value 'addition'",
        ),
    ],
)
def test_what_has_no_effect_or_no_sense_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LambdascopeError, match=said):
        opened(tmp_path, text)


BESIDE = """
[train]
optimizer = "adam"
weight_decay = 1e-4
[measure]
hessian = "final"
[[figures]]
x = "step"
y = ["llc", "effective_dimension"]
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[llc]\nlogit_scale = 2.0", r"llc\.logit_scale=2\.0 with a figure .* is 1\.0"),
        ("[llc]\nparameters = 'embedding*'", r"llc\.parameters=\('embedding\*',\) .* is None"),
        ("[hessian]\nparameters = 'embedding*'", r"llc\.parameters=None .* is \('embedding\*',\)"),
        ("[llc]\nweight_decay = 1e-4", r"llc\.weight_decay=0\.0001 .* is 0\.0, and"),
        ("[hessian]\nweight_decay = true", r"llc\.weight_decay=0\.0 .* is 0\.0001, and"),
    ],
)
def test_an_estimate_beside_the_effective_dimension_is_of_the_same_posterior(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(LambdascopeError, match=said):
        opened(tmp_path, BESIDE + text + "\n")
    opened(tmp_path, BESIDE.replace('"llc", ', "") + text + "\n")  # nothing stands beside it


def test_of_another_posterior_the_effective_dimension_is_not_in_the_summary(
    tmp_path: Path,
) -> None:
    row = {"checkpoint": 1, "step": 9, "llc": 7.0, "effective_dimension": 5.25}
    start = {"checkpoint": 0, "step": 0, "test_loss": 1.0}
    file = BESIDE.replace('"llc", ', "")
    for text, why in (("[llc]\nlogit_scale = 2.0\n", "llc.logit_scale=2.0"), ("", "")):
        (tmp_path / "results" / "sweep.toml").unlink(missing_ok=True)
        found = opened(tmp_path, file + text)
        found.records.put(found.plan.cells[0], Outcome(rows=[start, row]))
        result = result_of(found, found.table())
        written = read_table(tmp_path / "results" / "sweep.csv")
        assert written["effective_dimension"].tolist()[-1] == 5.25
        if why:
            said = f"of another posterior than λ̂ (cell 0: {why}, and the Hessian's is 1.0)"
            assert said in result.summary
            assert "5.25" not in result.summary
            notes = written["effective_dimension_note"].tolist()
            assert notes[-1] == f"of another posterior than llc: {why}, and the Hessian's is 1.0"
            assert pd.isna(notes[0])
        else:
            assert "5.25" in result.summary
            assert "posterior" not in result.summary
            assert "effective_dimension_note" not in written


def test_an_estimate_across_the_gradient_stands_beside_it_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = []

    def said(table, spectra, wish, axes, note, cells):
        notes.append((wish.y, note))
        return "nothing"

    monkeypatch.setattr(sweep_command, "draw", said)
    both = BESIDE + "[[figures]]\nx = 'step'\n"
    for across in ("[llc]\northogonal_to_gradient = true\n", ""):
        (tmp_path / "results" / "sweep.toml").unlink(missing_ok=True)
        found = opened(tmp_path, both + across)
        found.records.put(found.plan.cells[0], Outcome(rows=[{"step": 1, "llc": 1.0}]))
        found.draw()
    words = ["across the gradient: one direction fewer" in note for _, note in notes]
    assert words == [True, False, False, False]
    assert notes[0][0] == ("llc", "effective_dimension")


def test_the_same_posterior_may_be_given_in_other_words(tmp_path: Path) -> None:
    same = "[llc]\nweight_decay = 1e-4\nparameters = '*'\n[hessian]\nweight_decay = true\n"
    opened(tmp_path, BESIDE + same)


def test_what_has_an_effect_is_not(tmp_path: Path) -> None:
    text = """
    [measure]
    llc = "none"
    hessian = "all"
    circuits = "final"
    [hessian]
    checkpoints = "0,24"
    top = 3
    [grid]
    llc.localization = [1.0, 2.0]
    circuits.error_rate = [0.01, 0.02]
    """
    assert len(opened(tmp_path, text).plan.cells) == 4
    assert len(opened(tmp_path, "[grid]\nllc.target_error = [0.1, 0.2]\n").plan.cells) == 2


def test_every_setting_of_the_estimate_is_acted_on_or_refused() -> None:
    # A new setting belongs into `sweep_measures` or into `sweep_checks`, and then here.
    acted_on = {
        *PlainSettings._fields,
        "target_error",
        "max_steps",
        "checkpoints",
        "seed",
        "device",
    }
    target = {"localization", "nbeta", "n_multiplier", "temp_multiplier", "weight_decay"}
    place = {"orthogonal_to_gradient", "parameters", "logit_scale"}
    assert set(LLCConfig.model_fields) == acted_on | target | place | {"check_step"}


def test_every_example_is_accepted_and_says_what_it_takes() -> None:
    folder = Path(__file__).parents[2] / "examples" / "sweeps"
    files = sorted(folder.glob("*.toml"))
    assert len(files) > 10
    for file in files:
        sweep = Sweep(file)
        assert sweep.plan.figures
        assert "of one core" in str(sweep.estimate())
