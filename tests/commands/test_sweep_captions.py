"""What a sweep's figures say of how their numbers were made."""

from pathlib import Path

import pandas as pd
import pytest

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
[hessian]
{hessian}
[grid]
{axis}
llc.step_size = [1e-4, 1e-3]
train.seed = "0..1"
[[figures]]
x = "{x}"
y = "{y}"
"""


def caption(
    folder: Path,
    *,
    y: str = "llc",
    states: str = "finished finished finished finished",
    parameters: str = "",
    measure: str = "",
    x: str = "llc.step_size",
    hessian: str = "",
    axis: str = "",
) -> str:
    """The caption of a figure of `y` where the four cells are in these states."""
    file = folder / "sweep.toml"
    file.write_text(
        FILE.format(y=y, parameters=parameters, measure=measure, x=x, hessian=hessian, axis=axis)
    )
    plan = Sweep(file, folder / "out").plan
    return caption_of(plan, pd.DataFrame({"state": states.split()}), plan.figures[0])


def test_settings_that_all_cells_share_are_named_and_axes_are_not(tmp_path: Path) -> None:
    said = caption(tmp_path, parameters='parameters = "embedding*"')
    assert said == (
        "λ̂: 2 chains, 40 steps, minibatch 16, no correction, γ = 5, nβ = n/ln n, embedding* only"
    )
    held = caption(tmp_path, parameters="orthogonal_to_gradient = true\nn_multiplier = 2.0")
    assert held.endswith("γ = 5, nβ = n/ln n, with n × 2, held across the gradient")
    hot = caption(tmp_path, parameters="temp_multiplier = 3.0\nweight_decay = 0.01")
    assert hot.endswith("nβ = n/ln n, at the temperature × 3, weight decay 0.01 in the potential")


def test_cells_that_are_missing_or_failed_are_counted(tmp_path: Path) -> None:
    for states, said in (
        ("finished finished finished missing", "3 of 4 cells finished · λ̂: "),
        ("finished finished failed finished", "1 of 4 cells failed · λ̂: "),
        ("failed missing failed failed", "0 of 4 cells finished · 3 of 4 cells failed · λ̂: "),
    ):
        assert caption(tmp_path, states=states).startswith(said)


def test_a_figure_without_llc_says_nothing_of_it(tmp_path: Path) -> None:
    assert caption(tmp_path, y="test_loss") == ""


HESSIAN = "Hessian of the full train loss"
FINAL, ALL = 'hessian = "final"', 'hessian = "all"'


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"x": "rank", "y": "eigenvalue", "measure": FINAL},
            f"{HESSIAN}, no weight decay, all trained parameters, last checkpoint (step 20)",
        ),
        (
            {
                "y": "hessian_trace",
                "measure": FINAL,
                "hessian": 'weight_decay = true\nparameters = "embedding*"',
            },
            f"{HESSIAN}, with weight decay, embedding* only, last checkpoint (step 20)",
        ),
        (
            {"x": "rank", "y": "eigenvalue", "measure": ALL, "hessian": "checkpoints = [0]"},
            f"{HESSIAN}, no weight decay, all trained parameters, checkpoint 0 (step 0)",
        ),
        (
            {"y": "hessian_largest", "measure": FINAL, "axis": "train.num_steps = [20, 30]"},
            f"{HESSIAN}, no weight decay, all trained parameters, last checkpoint",
        ),
        (
            {
                "x": "rank",
                "y": "eigenvalue",
                "measure": ALL,
                "hessian": "checkpoints = [1]",
                "axis": "train.num_checkpoints = [2, 3]",
            },
            f"{HESSIAN}, no weight decay, all trained parameters, each cell's last checkpoint "
            "that was measured",
        ),
        (
            {"x": "step", "y": "effective_dimension", "measure": ALL},
            f"{HESSIAN}, no weight decay, all trained parameters · effective dimension: γ = 5",
        ),
        (
            {
                "y": "hessian_trace",
                "measure": FINAL,
                "axis": "hessian.weight_decay = [true, false]",
            },
            f"{HESSIAN}, all trained parameters, last checkpoint (step 20)",
        ),
    ],
)
def test_a_figure_of_the_hessian_says_of_what_it_is(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    assert caption(tmp_path, **settings) == said


def test_beside_llc_the_hessian_is_told_of_as_well(tmp_path: Path) -> None:
    said = caption(tmp_path, x="llc", y="effective_dimension", measure=FINAL)
    assert said == (
        "λ̂: 2 chains, 40 steps, minibatch 16, no correction, γ = 5, nβ = n/ln n · "
        f"{HESSIAN}, no weight decay, all trained parameters, last checkpoint (step 20)"
    )
