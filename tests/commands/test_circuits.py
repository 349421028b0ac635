"""`lambdascope circuits` on runs that were really trained."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from safetensors.torch import save_file

from lambdascope import cli
from lambdascope.commands import circuits as circuits_command
from lambdascope.commands import circuits_tables
from lambdascope.commands.circuits import circuits
from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.systems import load_run
from lambdascope.commands.train import train
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.circuits import find_circuits
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.modes import mode_magnitudes
from lambdascope.reporting.formation_figure import formation_figure
from lambdascope.reporting.page.run_tables import _MEASURES
from lambdascope.runs.tables import read_table, write_table
from tests.networks import kept
from tests.targets import PLAIN_TARGET

ESTIMATES = {
    "llc_stderr": 0.1,
    "status": "converged",
    "sampler": "SGLD",
    "nbeta": 80.0,
    **PLAIN_TARGET,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "p23"
    config = TrainConfig(p=23, num_steps=1500, num_checkpoints=6, seed=1)
    train(config, path, None, progress=False)
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "p23"))


def test_it_writes_tables_and_figures(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["circuits", str(run)]) == 0
    said = capsys.readouterr().out
    table = read_table(run / "circuits.csv")
    assert not table.empty
    over = read_table(run / "circuits_over_training.csv")
    assert over.groupby("frequency").size().eq(6).all()
    assert set(table["frequency"]) <= set(over["frequency"])
    last = over[(over["checkpoint"] == 5) & over["is_circuit"]]
    assert set(last["frequency"]) == set(table["frequency"])
    assert last["num_circuits"].eq(len(table)).all()
    for name in ("embedding", "linear_left", "linear_right", "unembedding"):
        assert table[f"magnitude_{name}"].gt(0).all()
    formed = table.dropna(subset="formation_step")
    assert formed["formation_step"].isin([300, 600, 900, 1200, 1500]).all()
    assert formed["formation_step"].gt(formed["step_before_formation"]).all()
    # What carries the logits has formed; what is faint need not stand out from chance.
    assert set(table.loc[table["logit_share"] > 0.1, "frequency"]) <= set(formed["frequency"])
    assert table["loss_removed"].gt(table["loss"]).all()
    assert table["rise_begins_step"].dropna().lt(table["rise_ends_step"].dropna()).all()
    measures = read_table(run / "clock_or_pizza.csv").set_index("measure")
    # The network's own, from training; the circuits alone and without them are never better.
    own = read_table(run / "training.csv")["test_accuracy"].iloc[-1]
    held_out = measures.loc["held_out_accuracy", "value"]
    assert held_out == pytest.approx(own)
    assert measures.loc["held_out_accuracy_removed", "value"] < held_out
    assert f"Of those held out of training: {held_out:.1%}".replace("%", " %") in said
    assert measures.loc["num_circuits", "value"] == len(table)
    assert measures.loc["symmetricity_weight", "value"] == 0  # of an MLP it says nothing
    assert not measures.loc["symmetricity", "weighed"]
    assert set(measures.index) == set(_MEASURES)  # each has its words on the page
    assert "circuits_formation.png" in said
    assert f"{len(table)} circuit" in said
    for name in ("circuits_formation.png", "circuits_contributions.png"):
        assert (run / "figures" / name).stat().st_size > 10_000


def test_a_second_call_writes_the_same(run: Path) -> None:
    first = circuits(run, CircuitsConfig(), progress=False)
    again = circuits(run, CircuitsConfig(), progress=False)
    assert first.rewritten == ""
    assert again.rewritten.endswith("to the same numbers.")
    for one, other in zip(first.paths, again.paths, strict=True):
        assert one == other
    pd.testing.assert_frame_equal(first.circuits, again.circuits)
    held = read_table(run / "circuits.csv")
    pd.testing.assert_frame_equal(held, first.circuits, check_dtype=False)


def test_the_learning_coefficient_is_drawn_where_it_stands(run: Path) -> None:
    without = circuits(run, CircuitsConfig(), progress=False)
    plain = (run / "figures" / "circuits_formation.png").read_bytes()
    steps = [0, 300, 600, 900, 1200, 1500]
    llc = pd.DataFrame({"checkpoint": range(6), "step": steps, "llc": np.arange(6.0), **ESTIMATES})
    write_table(run / "llc.csv", llc)
    circuits(run, CircuitsConfig(), progress=False)
    assert (run / "figures" / "circuits_formation.png").read_bytes() != plain
    held = read_table(run / "circuits.csv")
    pd.testing.assert_frame_equal(held, without.circuits, check_dtype=False)


def test_how_the_learning_coefficient_was_made_is_said(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = []

    def draw(*tables: pd.DataFrame | None, caption: str) -> Figure:
        captions.append(caption)
        return formation_figure(*tables, caption=caption)

    monkeypatch.setattr(circuits_command, "formation_figure", draw)
    circuits(run, CircuitsConfig(), progress=False)
    llc = pd.DataFrame({"checkpoint": [0, 24], "step": [0, 1500], "llc": [5.0, 9.0], **ESTIMATES})
    write_table(run / "llc.csv", llc.assign(parameters="embedding*"))
    circuits(run, CircuitsConfig(), progress=False)
    assert "λ̂" not in captions[0]
    assert "λ̂: only embedding* may move, the rest stays at w*" in captions[1]
    assert "band: sampling error only" in captions[1]
    write_table(run / "llc.csv", llc.drop(columns="logit_scale"))
    with pytest.raises(LambdascopeError, match=r"llc\.csv lacks logit_scale: one that"):
        circuits(run, CircuitsConfig(), progress=False)


def test_without_circuits_no_figure_of_them_is_left(run: Path) -> None:
    circuits(run, CircuitsConfig(), progress=False)
    untrained = run.parent / "untrained"
    config = TrainConfig(p=23, num_steps=2, num_checkpoints=2)
    train(config, untrained, None, progress=False)
    shutil.copytree(run / "figures", untrained / "figures")
    result = circuits(untrained, CircuitsConfig(), progress=False)
    assert "No circuit was found at the last checkpoint. Of all 529 pairs" in result.text
    assert (
        "circuits_formation.png and circuits_contributions.png show circuits, and are not written."
        in result.text
    )
    assert not list((untrained / "figures").iterdir())
    assert {path.suffix for path in result.paths} == {".csv"}
    empty, full = (pd.read_csv(of / "circuits_over_training.csv") for of in (untrained, run))
    assert empty.empty
    assert list(empty) == list(full)
    none, some = (pd.read_csv(of / "circuits.csv") for of in (untrained, run))
    assert none.empty
    assert list(none) == list(some)


def test_formation_leaves_out_the_row_of_equals(tmp_path: Path) -> None:
    config = TrainConfig(
        p=11, network="transformer", equals_token=True, embed_dim=8, num_steps=2, num_checkpoints=2
    )
    train(config, tmp_path, None, progress=False)
    loaded = load_run(tmp_path)
    searches = [find_circuits(loaded.network_at(index)) for index in range(2)]
    over = circuits_tables.over_training_table(loaded, searches, [2, 5])
    embedding = loaded.network_at(1).embedding.weight.detach().double()
    assert embedding.shape == (12, 8)
    sizes = mode_magnitudes(embedding[:11])[1:]
    expected = (sizes / sizes.median())[[1, 4]].tolist()
    last = over.loc[over["checkpoint"] == 1, "relative_magnitude"]
    assert last.tolist() == pytest.approx(expected)
    power = sizes.square()
    shares = over.loc[over["checkpoint"] == 1, "embedding_share"]
    assert shares.tolist() == pytest.approx((power / power.sum())[[1, 4]].tolist())


@pytest.mark.slow
def test_a_transformer_at_its_end(tmp_path: Path) -> None:
    """The network A as a run of two checkpoints, its initial weights and its final ones."""
    config = TrainConfig(network="transformer", attention_rate=0, num_steps=1, num_checkpoints=2)
    train(config, tmp_path / "a", None, progress=False)
    weights = kept("A").state_dict()
    save_file(weights, tmp_path / "a" / "checkpoints" / "step_000001.safetensors")
    result = circuits(tmp_path / "a", CircuitsConfig(), progress=False)
    kinds = dict(zip(result.circuits["frequency"], result.circuits["kind"], strict=True))
    assert {k for k, kind in kinds.items() if kind == "pizza"} == {14, 23, 10, 16}
    assert {k for k, kind in kinds.items() if kind == "accompanying"} == {28, 13, 20, 27}
    assert result.measures["verdict"].eq("pizza").all()
    assert "the architecture decides it: not weighed" in result.text
    assert result.circuits["formation_step"].eq(1).any()


@pytest.mark.parametrize(
    ("p", "task", "notes"),
    [
        (12, "addition", ["p = 12 is even: mode 6", "p = 12 is composite"]),
        (9, "random", ["p = 9 is composite", "labels of this run are random"]),
        (7, "addition", ["p = 7 has 3 modes, and a circuit must exceed their median: at most 1 "]),
        (17, "addition", []),
        (5, "addition", ["p = 5 is too small for this error rate: even a perfect circle", "3.7 %"]),
    ],
)
def test_what_changes_is_said(tmp_path: Path, p: int, task: str, notes: list[str]) -> None:
    config = TrainConfig(p=p, task=task, num_steps=2, num_checkpoints=2, embed_dim=4, hidden_size=8)
    train(config, tmp_path / "run", None, progress=False)
    result = circuits(tmp_path / "run", CircuitsConfig(), progress=False)
    for note in notes:
        assert note in result.text
    if not notes:
        assert "p = " not in result.text
    assert result.circuits.empty
    assert "No circuit was found" in result.text
    assert read_table(tmp_path / "run" / "circuits.csv").empty


def test_a_small_modulus_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(p=3, num_steps=2, num_checkpoints=2)
    train(config, tmp_path / "run", None, progress=False)
    with pytest.raises(LambdascopeError, match=r"p=3 has too few Fourier modes \(1\) .*at least 5"):
        circuits(tmp_path / "run", CircuitsConfig(), progress=False)


def test_a_run_without_checkpoints_is_refused(run: Path) -> None:
    (run / "training.csv").unlink()
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(LambdascopeError, match="not finished: give its `lambdascope train`"):
        circuits(run, CircuitsConfig(), progress=False)


def test_an_unknown_architecture_is_refused(run: Path) -> None:
    path = run / "config.json"
    path.write_text(path.read_text().replace('"network": "mlp"', '"network": "lstm"'))
    with pytest.raises(LambdascopeError, match=r"network = 'lstm': .*'mlp' or 'transformer'"):
        circuits(run, CircuitsConfig(), progress=False)


def test_an_impossible_error_rate_is_refused() -> None:
    with pytest.raises(LambdascopeError, match=r"error_rate=1.5: .*less than 1"):
        CircuitsConfig(error_rate=1.5)


def test_another_error_rate_is_refused_unless_told_and_the_same_writes_the_same(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    circuits(run, CircuitsConfig(), progress=False)
    before = files()
    assert cli.main(["circuits", str(run), "--error-rate", "0.02", "--quiet"]) == 2
    assert "error_rate 0.01 there, 0.02 now" in capsys.readouterr().err
    circuits(run, CircuitsConfig(), progress=False)
    assert files() == before
    assert cli.main(["circuits", str(run), "--error-rate", "0.02", "--overwrite", "--quiet"]) == 0
    assert set(read_table(run / "clock_or_pizza.csv")["error_rate"]) == {0.02}
