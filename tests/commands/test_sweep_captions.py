"""What a sweep's figures say of how their numbers were made."""

from pathlib import Path

import pandas as pd

from lambdascope.commands.sweep import Sweep
from lambdascope.commands.sweep_captions import caption_of

FILE = """
[train]
p = 11
num_steps = 20
num_checkpoints = 2
[llc]
num_chains = 2
num_steps = 40
batch_size = 16
{parameters}
[measure]
{measure}
[grid]
llc.step_size = [1e-4, 1e-3]
train.seed = "0..1"
[[figures]]
x = "llc.step_size"
y = "{y}"
"""


def caption(
    folder: Path,
    *,
    y: str = "llc",
    states: str = "finished finished finished finished",
    parameters: str = "",
    measure: str = "",
) -> str:
    """The caption of a figure of `y` where the four cells are in these states."""
    file = folder / "sweep.toml"
    file.write_text(FILE.format(y=y, parameters=parameters, measure=measure))
    plan = Sweep(file, folder / "out").plan
    return caption_of(plan, pd.DataFrame({"state": states.split()}), plan.figures[0])


def test_settings_that_all_cells_share_are_named_and_axes_are_not(tmp_path: Path) -> None:
    said = caption(tmp_path, parameters='parameters = "embedding*"')
    assert said == ("λ̂: 2 chains, 40 steps, minibatch 16, no correction, γ = 5, embedding* only")


def test_cells_that_are_missing_or_failed_are_counted(tmp_path: Path) -> None:
    for states, said in (
        ("finished finished finished missing", "3 of 4 cells finished · λ̂: "),
        ("finished finished failed finished", "1 of 4 cells failed · λ̂: "),
        ("failed missing failed failed", "0 of 4 cells finished · 3 of 4 cells failed · λ̂: "),
    ):
        assert caption(tmp_path, states=states).startswith(said)


def test_a_figure_without_llc_says_nothing_of_it(tmp_path: Path) -> None:
    assert caption(tmp_path, y="test_loss") == ""
