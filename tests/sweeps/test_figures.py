"""What a figure of a sweep may be asked for."""

import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps.figures import FigureWish, check_values, read_wish

AXES, QUANTITIES, LABELS = ("train.p", "train.task", "llc.step_size"), ("llc", "step"), ("status",)


def wish(**settings: object):
    return read_wish(settings, AXES, QUANTITIES, LABELS)


def test_one_quantity_or_several() -> None:
    assert wish(x="train.p").y == ("llc",)
    assert wish(x="train.p", y="step").y == ("step",)
    several = wish(x="train.p", y=["llc", "step"], family="train.task")
    assert several.file_name == "llc_step_vs_train_p_by_train_task.png"
    slope = wish(x="llc.step_size", slope_over="train.p")
    assert slope.file_name == "slope_of_llc_vs_llc_step_size.png"


def test_what_is_measured_can_run_along_an_axis_and_names_can_be_families() -> None:
    assert wish(x="step", family="status").family == "status"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"x": "train.q"}, r"x='train\.q' is no axis of this sweep; the nearest is train\.p"),
        ({"x": "step", "y": "lcl"}, "y='lcl' is no quantity that is measured; the nearest is llc"),
        ({"x": "step", "y": []}, "at least one quantity"),
        ({"x": "step", "family": "llc"}, "family='llc' is no axis"),
        ({"x": "step", "map_over": "status"}, "map_over='status' is no axis"),
        ({"x": "step", "colour": "red"}, "colour is not a setting of FigureWish"),
        ({"x": "train.p", "family": "train.p"}, r"train\.p has two places in one figure"),
        (
            {"x": "train.p", "map_over": "llc.step_size", "line": True},
            r"map_over='llc\.step_size' with line=true: one of the two",
        ),
        (
            {"x": "train.p", "y": ["llc", "step"], "panel": "train.task"},
            r"y=llc, step with panel='train\.task'",
        ),
        (
            {"x": "train.p", "map_over": "llc.step_size", "log_x": True},
            r"map_over='llc\.step_size' with log_x=true: one of the two",
        ),
        (
            {"x": "train.p", "map_over": "llc.step_size", "log_y": True},
            r"map_over='llc\.step_size' with log_y=true: one of the two",
        ),
        ({"x": "train.p", "theory": True}, "theory=true, and there are no exact values in this"),
        (
            {"x": "train.p", "slope_over": "llc.step_size", "theory": True},
            "slope_over='llc.step_size' with theory=true",
        ),
    ],
)
def test_what_does_not_go_is_said(settings: dict, said: str) -> None:
    with pytest.raises(LambdascopeError, match=said):
        wish(**settings)


def test_exact_values_are_those_of_estimates() -> None:
    known = ("llc", "loss", "exact")
    assert read_wish({"x": "train.p", "theory": True}, AXES, known, LABELS).theory
    with pytest.raises(LambdascopeError, match="theory=true with y=loss: exact values are of λ̂"):
        read_wish({"x": "train.p", "y": "loss", "theory": True}, AXES, known, LABELS)


VALUES = {
    "train.p": [5, 7],
    "train.task": ["addition", "random"],
    "llc.step_size": [0.0, 1e-3],
    "train.full_batch": [False, True],
    "llc.nbeta": [10.0, "default"],
    "train.seed": [3],
}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"x": "train.task", "line": True}, r"line=true over train\.task.* value 'addition': an"),
        ({"x": "train.task", "log_x": True}, r"log_x=true over train\.task.* value 'addition': an"),
        ({"x": "train.p", "slope_over": "train.task"}, r"slope_over over train\.task, which has"),
        ({"x": "train.full_batch", "line": True}, r"over train\.full_batch.* value False: an axis"),
        ({"x": "llc.nbeta", "log_x": True}, r"over llc\.nbeta, which has the value 'default': an"),
        ({"x": "status", "log_x": True}, "log_x=true over status, whose values are names"),
        ({"x": "llc.step_size", "log_x": True}, r"has the value 0\.0: values > 0 are accepted"),
        ({"x": "train.seed", "line": True}, r"over train\.seed, which has the one value 3: two or"),
    ],
)
def test_lines_and_logarithms_over_what_are_no_numbers_are_refused(
    settings: dict, said: str
) -> None:
    with pytest.raises(LambdascopeError, match=said):
        check_values(FigureWish(**settings), VALUES, LABELS)


def test_lines_and_logarithms_over_numbers_are_not() -> None:
    for settings in (
        {"x": "train.p", "line": True, "log_x": True},
        {"x": "train.task", "slope_over": "train.p"},
        {"x": "llc.step_size", "line": True},
        {"x": "num_circuits", "line": True, "log_x": True},
        {"x": "train.task"},
    ):
        check_values(FigureWish(**settings), VALUES, LABELS)


def test_no_table_is_no_figure() -> None:
    with pytest.raises(LambdascopeError, match="figures='llc': a table of settings"):
        read_wish("llc", AXES, QUANTITIES, LABELS)
