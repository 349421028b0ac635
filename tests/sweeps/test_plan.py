"""From a sweep's file to its cells; everything wrong is said before anything runs."""

from pathlib import Path

import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import SweepPlan, read_plan
from tests.sweeps.cells import SYSTEMS


def plan(folder: Path, text: str) -> SweepPlan:
    file = folder / "sweep.toml"
    file.write_text(text)
    return read_plan(file, SYSTEMS)


def points(found: SweepPlan) -> list[tuple]:
    return [tuple(cell.point.values()) for cell in found.cells]


def test_a_grid_is_every_combination_with_the_base_beneath(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        """
        [shape]
        kind = "round"
        [grid]
        shape.width = [3, 4]
        shape.seed = "0..2"
        """,
    )
    assert found.axes == ("shape.width", "shape.seed")
    assert points(found) == [(3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2)]
    assert {cell.configs["shape"].kind for cell in found.cells} == {"round"}
    assert [cell.number for cell in found.cells] == [0, 1, 2, 3, 4, 5]
    assert str(found.cells[4]) == "cell 4 (shape.width=4, shape.seed=1)"


def test_zipped_axes_go_side_by_side_and_listed_points_one_by_one(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        """
        [zip]
        shape.width = [3, 4]
        "shape.kind" = ["a", "b"]
        [grid]
        measure.seed = [7, 8]
        """,
    )
    assert points(found) == [(3, "a", 7), (3, "a", 8), (4, "b", 7), (4, "b", 8)]
    found = plan(
        tmp_path,
        """
        [[list]]
        shape.width = 3
        [[list]]
        shape.width = 5
        shape.kind = "odd"
        [grid]
        shape.seed = [0, 1]
        """,
    )
    widths = [(c.configs["shape"].width, c.configs["shape"].kind) for c in found.cells]
    assert widths == [(3, "plain"), (3, "plain"), (5, "odd"), (5, "odd")]
    assert found.axes == ("shape.width", "shape.seed", "shape.kind")


def test_a_file_without_axes_is_one_cell(tmp_path: Path) -> None:
    assert points(plan(tmp_path, "[shape]\nwidth = 9\n")) == [()]


def test_a_cell_is_known_by_all_its_settings_and_by_nothing_else(tmp_path: Path) -> None:
    narrow = plan(tmp_path, "[grid]\nshape.width = [3, 4]\n").cells
    reordered = plan(tmp_path, "[grid]\nshape.width = [4, 5, 3]\n").cells
    assert [cell.key for cell in narrow] == [reordered[2].key, reordered[0].key]
    moved = plan(tmp_path, "[shape]\nseed = 1\n[grid]\nshape.width = [3, 4]\n").cells
    assert not {cell.key for cell in moved} & {cell.key for cell in narrow}


def test_the_system_says_which_sections_there_are(tmp_path: Path) -> None:
    assert plan(tmp_path, "[shape]\nwidth = 9\n").system == "shapes"
    found = plan(tmp_path, 'system = "others"\n[grid]\nmeasure.seed = [1, 2]\n')
    assert found.system == "others"
    assert [set(cell.configs) for cell in found.cells] == [{"measure"}] * 2


def test_figures_name_axes(tmp_path: Path) -> None:
    text = '[grid]\nshape.width = [3]\n[[figures]]\nx = "shape.width"\ny = "train_loss"\n'
    (wish,) = plan(tmp_path, text).figures
    assert wish.file_name == "train_loss_vs_shape_width.png"
    assert plan(tmp_path, text + 'name = "mine"').figures[0].file_name == "mine.png"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[shap]\nwidth = 1", "shap is no section that exists; the nearest is shape"),
        ("[shape]\nwidht = 1", r"shape\.widht is no setting .* nearest is shape\.width"),
        ("[grid]\nshape.widht = [1]", r"shape\.widht is no axis .* nearest is shape\.width"),
        ("[grid]\nwidth = [1]", r"width is no axis of grid .* nearest is shape\.width"),
        ("[grid]\nseed = [1]", r"nearest is shape\.seed or measure\.seed"),
        ("[grid]\nshape.width = []", r"grid\.shape\.width=\[\]: a list of values"),
        ("[grid]\nshape.width = 3", r"grid\.shape\.width=3: a list of values"),
        ("[grid]\nshape.seed = '4..1'", r"shape\.seed='4\.\.1': a list"),
        (
            "[grid]\nshape.width = [3, 0]",
            r"cell 1 \(shape\.width=0\): Shape: width=0: input should be greater",
        ),
        (
            "[zip]\nshape.width = [3, 4]\nshape.seed = [1]",
            r"the zipped axes have shape\.width 2, shape\.seed 1",
        ),
        (
            """
            [grid]
            shape.width = [3, 4]
            "shape.width" = [5]
            """,
            r"grid\.shape\.width is given twice: give it once",
        ),
        (
            "[grid]\nshape.width = [3]\n[zip]\nshape.width = [3]",
            r"shape\.width stands in two of grid, zip and list",
        ),
        ("[grid]\nshape.width = [3, 3]", r"cell 1 .* has the settings of cell 0"),
        ("[grid]\nshape.seed = '0..9999999'", "up to 1,000,000 are accepted"),
        ("[grid]\nshape.seed = [1]\n[[figures]]\nx = 'shape.sed'", r"nearest is shape\.seed"),
        ("[[figures]]\nx = 'step'\ny = 'lcl'", "y='lcl' is no quantity .* nearest is llc"),
        ("system = 'shape'", "system='shape': shapes, idling, others are accepted"),
        ("system = []", r"system=\[\]: shapes, idling, others"),
        ("system = 'others'\n[shape]\nwidth = 1", "shape is no section"),
        (
            "[grid]\nshape.seed = [1]\n[[figures]]\nx = 'step'\nfamily = 'kind'",
            "family='kind' is no axis",
        ),
        ("[grid]\nshape.seed = '0..999999999'", "holds 1,000,000,000 numbers: up to 1,000,000"),
        ("shape = 3", "shape=3: a table of settings"),
        (
            2 * "[[figures]]\nx = 'step'\ny = 'train_loss'\n",
            r"two figures would be train_loss_vs_step\.png: give one",
        ),
        ("list = 3", r"list=3: tables headed \[\[list\]\]"),
        ("figures = 3", r"^[^ ]*: figures=3: tables headed \[\[figures\]\]"),
        ("[shape", "is no TOML file"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(LambdascopeError, match=said):
        plan(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LambdascopeError, match="can't be read"):
        read_plan(tmp_path / "none.toml", SYSTEMS)


def test_a_number_is_what_its_setting_takes_it_for(tmp_path: Path) -> None:
    found = plan(tmp_path, """[grid]\nshape.width = [3.0, "4"]\nshape.kind = ["5"]""")
    assert points(found) == [(3, "5"), (4, "5")]
    assert [type(cell.value("shape.width")) for cell in found.cells] == [int, int]
    assert str(found.cells[1]) == "cell 1 (shape.width=4, shape.kind='5')"
    assert found.cells[0].key == plan(tmp_path, "[shape]\nkind = '5'\nwidth = 3").cells[0].key
    with pytest.raises(LambdascopeError, match=r"width=3\) has the settings of cell 0"):
        plan(tmp_path, "[grid]\nshape.width = [3, 3.0]")


def test_what_changes_nothing_is_no_axis_and_no_part_of_the_cell(tmp_path: Path) -> None:
    thin = 'system = "idling"\n[shape]\nkind = "thin"\n'
    with pytest.raises(
        LambdascopeError,
        match=r"cell 0 \(shape\.width=2\): shape\.width has no effect: shape\.kind=",
    ):
        plan(tmp_path, thin + "[grid]\nshape.width = [2, 3]")
    default, other = (plan(tmp_path, thin + more).cells[0] for more in ("", "width = 9"))
    assert default.key == other.key == default.former_key != other.former_key
    wide = plan(tmp_path, 'system = "idling"\n[shape]\nwidth = 9').cells[0]
    assert wide.key == wide.former_key != default.key


def test_a_cell_has_no_value_on_an_axis_that_changes_nothing_in_it(tmp_path: Path) -> None:
    listed = '[[list]]\nshape.kind = "thin"\n[[list]]\nshape.width = 9'
    found = plan(tmp_path, f'system = "idling"\n{listed}')
    assert [cell.value("shape.width") for cell in found.cells] == [None, 9]
    assert [cell.value("shape.kind") for cell in found.cells] == ["thin", "plain"]
