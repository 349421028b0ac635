"""The figures of Fourier modes show what the tables hold."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from lambdascope.reporting import style
from lambdascope.reporting.mode_colours import colours_of, label_ends, rounds_of
from lambdascope.reporting.mode_picture import ModePicture, picture_limit
from lambdascope.reporting.modes_figure import ablation_figure, magnitudes_figure
from lambdascope.reporting.progress_figure import progress_figure

STEPS, MODES, P = [0, 10, 40], range(1, 6), 11


def table() -> pd.DataFrame:
    rows = [(step, mode) for step in STEPS for mode in MODES]
    values = np.arange(len(rows), dtype=float)
    return pd.DataFrame(rows, columns=["step", "mode"]).assign(
        magnitude_embedding=values, kept_test_loss=values / 5, removed_test_loss=values / 9
    )


def whole() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": STEPS,
            "train_loss": [2.0, 1, 0.1],
            "test_loss": [2.5, 2, 0.2],
            "restricted_test_loss": [2.4, 1.9, 0.1],
            "excluded_train_loss": [2.5, 3, 9.0],
            "gini_embedding": [0.1, 0.2, 0.5],
            "gini_unembedding": [0.1, 0.3, 0.4],
        }
    )


def lines_of(axes, colour):
    return [line.get_xydata() for line in axes.lines if line.get_color() == colour]


def test_magnitudes_are_those_of_the_table() -> None:
    figure = magnitudes_figure(table(), [4, 2], title="T", caption="C")
    left, right = figure.axes[:2]
    np.testing.assert_array_equal(
        left.collections[0].get_array(),
        table().pivot(index="mode", columns="step", values="magnitude_embedding"),
    )
    for mode, colour in colours_of([4, 2]).items():
        expected = table()[table()["mode"] == mode][["step", "magnitude_embedding"]]
        np.testing.assert_array_equal(lines_of(right, colour), [expected])
        assert f"k = {mode}" in [text.get_text() for text in right.texts]


def test_losses_are_those_of_the_table() -> None:
    figure = ablation_figure(table(), whole(), [5], chance=2.4, title="T", caption="C")
    for axes, column in zip(figure.axes, ("kept_test_loss", "removed_test_loss"), strict=True):
        expected = table()[table()["mode"] == 5][["step", column]]
        np.testing.assert_array_equal(lines_of(axes, style.BLUE), [expected])
        assert "nats" in axes.get_ylabel()
        assert axes.get_xlabel() == "Training step"


def test_losses_on_the_training_set_are_drawn_where_they_are_asked_for() -> None:
    names = {"kept_test_loss": "kept_train_loss", "removed_test_loss": "removed_train_loss"}
    rows, all_of_it = table().rename(columns=names), whole().drop(columns="test_loss")
    figure = ablation_figure(rows, all_of_it, [5], chance=2.4, data="train", title="T", caption="C")
    for axes, column in zip(figure.axes, names.values(), strict=True):
        expected = rows[rows["mode"] == 5][["step", column]]
        np.testing.assert_array_equal(lines_of(axes, style.BLUE), [expected])
        assert axes.get_ylabel() == "Train loss (nats)"


def test_names_of_lines_do_not_cover_each_other_or_the_data() -> None:
    figure = magnitudes_figure(
        table().assign(magnitude_embedding=1.0), list(MODES), title="T", caption="C"
    )
    figure.draw_without_rendering()
    axes = figure.axes[1]
    names = [text for text in axes.texts if text.get_text() != "k = 00"]
    # Of the words, without the lines that lead to them.
    boxes = sorted((Text.get_window_extent(text) for text in names), key=lambda box: box.y0)
    assert len(boxes) == 5
    assert all(upper.y0 >= lower.y1 - 3 for lower, upper in itertools.pairwise(boxes))
    assert all(box.x0 >= axes.get_window_extent().x1 for box in boxes)
    assert all(0 <= box.x1 <= figure.bbox.width for box in boxes)


@pytest.mark.parametrize("modes", [[], list(range(1, 12))])
def test_no_key_modes_or_many_still_make_a_picture(modes) -> None:
    assert style.png_bytes(magnitudes_figure(table(), modes, title="T", caption="C"), dpi=40)


def test_no_key_mode_looks_like_another_or_like_none() -> None:
    modes = list(range(1, 29))
    looks = {(colours_of(modes)[k], rounds_of(modes)[k]) for k in modes}
    assert len(looks) == 28
    assert style.GREY not in colours_of(modes).values()
    assert set(rounds_of(modes[:7]).values()) == {0}
    # Nor does its line: the eighth has the first one's colour, and is dashed.
    wide = pd.DataFrame(
        [(step, mode, mode) for step in STEPS for mode in range(1, 11)],
        columns=["step", "mode", "magnitude_embedding"],
    )
    lines = magnitudes_figure(wide, range(1, 9), title="T", caption="C").axes[1].lines
    first, eighth, ninth = (lines[place] for place in (0, 7, 8))
    assert first.get_color() == eighth.get_color() != ninth.get_color()
    assert first.get_linestyle() == "-" != eighth.get_linestyle()


def test_a_name_with_room_stands_beside_its_line() -> None:
    axes = style.new_figure().add_subplot()
    axes.set_ylim(0, 10)
    label_ends(axes, [(2.0, "low", "k"), (9.0, "high", "k"), (8.9, "near", "k")])
    low, near, high = axes.texts
    assert low.xyann[1] == pytest.approx(0)
    # Those that are close share the way: one goes up, the other down by as much.
    assert high.xyann[1] == pytest.approx(-near.xyann[1])
    assert high.xyann[1] > 0


def test_names_at_the_bottom_go_up_and_move_no_others() -> None:
    axes = style.new_figure().add_subplot()
    axes.set_ylim(0, 10)
    label_ends(axes, [(0.0, "one", "k"), (0.0, "two", "k"), (5.0, "far", "k")])
    one, two, far = axes.texts
    assert one.xyann[1] == pytest.approx(0)
    assert two.xyann[1] == pytest.approx(0.18 * 72)
    assert far.xyann[1] == pytest.approx(0)


def test_labels_on_no_lines() -> None:
    axes = style.new_figure().add_subplot()
    label_ends(axes, [])
    assert not axes.texts


def test_points_stand_where_the_table_says_in_the_colour_of_their_place() -> None:
    rows = [(mode, token) for mode in MODES for token in range(P)]
    positions = pd.DataFrame(rows, columns=["mode", "token"])
    positions["cosine"] = np.cos(2 * np.pi * positions["mode"] * positions["token"] / P)
    positions["sine"] = np.sin(2 * np.pi * positions["mode"] * positions["token"] / P)
    assert picture_limit(positions) == pytest.approx(1.08)
    picture = ModePicture([2, 5], [5], p=P, limit=1.1, caption="C")
    magnitudes = pd.Series({mode: 10.0 * mode for mode in MODES})
    figure = picture.show(positions.sample(frac=1, random_state=0), magnitudes, "First")
    for axes, mode in zip(figure.axes, (2, 5), strict=False):
        points = axes.collections[0]
        own = positions[positions["mode"] == mode]
        np.testing.assert_allclose(points.get_offsets(), own[["cosine", "sine"]])
        np.testing.assert_array_equal(points.get_array(), (mode * np.arange(P)) % P)
        assert axes.get_title() == f"k = {mode}, magnitude {10 * mode}"
    # The same figure, moved.
    moved = picture.show(positions.assign(cosine=0.0), magnitudes, "Second")
    assert moved is figure
    assert figure.get_suptitle() == "Second"
    assert figure.axes[0].collections[0].get_offsets()[:, 0].max() == 0
    # Its title has not moved over the panels'.
    figure.draw_without_rendering()
    (title,) = [text for text in figure.findobj(Text) if text.get_text() == "Second"]
    assert title.get_window_extent().y0 >= figure.axes[0].title.get_window_extent().y1


def test_progress_is_that_of_the_table() -> None:
    losses, ginis = progress_figure(whole(), title="T", caption="C").axes
    np.testing.assert_array_equal(
        lines_of(losses, style.GREEN), [whole()[["step", "excluded_train_loss"]]]
    )
    np.testing.assert_array_equal(
        lines_of(ginis, style.PURPLE), [whole()[["step", "gini_embedding"]]]
    )
    assert losses.get_yscale() == "log"
    without_test = whole().assign(test_loss=np.nan, restricted_test_loss=np.nan)
    losses, _ = progress_figure(without_test, title="T", caption="C").axes
    assert len(losses.lines) == 2
