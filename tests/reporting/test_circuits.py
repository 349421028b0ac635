"""Circuits in words and pictures: what the tables hold, and nothing else."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from lambdascope.reporting import style
from lambdascope.reporting.circuits_figure import contributions_figure
from lambdascope.reporting.circuits_text import (
    circuits_count,
    circuits_finding,
    circuits_table_text,
    logit_share,
)
from lambdascope.reporting.formation_figure import formation_figure
from lambdascope.reporting.mode_colours import colours_of
from lambdascope.reporting.run_finding import circuits_clause
from tests.circuit_tables import llc, measures, over_training, table, training


def test_the_finding_says_of_which_pairs_and_on_which_scale() -> None:
    worth, verdict = circuits_finding(table(), measures(), p=53)
    assert worth == (
        "3 circuits, 1 of them faint (< 1 % of the logits); by their shares they weigh as many "
        "as 1.1 equal ones, (Σ share)² / Σ share². Of all 2,809 pairs, training and test alike, "
        "2,806 are added rightly (99.9 %; with the circuits alone 98.0 %, without them 2.1 %, by "
        "guessing 1.9 %)."
    )
    assert verdict == (
        "The network is a clock (score -0.62 from -1, clock, to +1, pizza; a third is a verdict; "
        "it rests on circles with 98.7 % of the logits): distance irrelevance 0.83, gradient "
        "symmetricity 0.30 (the architecture decides it: not weighed), circularity 0.998."
    )

    weighed = measures().assign(weighed=True)
    assert "symmetricity 0.30, circularity" in circuits_finding(table(), weighed, p=53)[1]
    weighed.loc[len(weighed)] = ["symmetricity_weight", 0.01, False, "clock"]
    said = circuits_finding(table(), weighed, p=53)[1]
    assert "symmetricity 0.30 (weighed by the attention rate, 0.01), circularity" in said


def with_values(**values: float) -> pd.DataFrame:
    table = measures().set_index("measure")
    for name, value in values.items():
        table.loc[name, "value"] = value
    return table.reset_index()


def test_what_the_circuits_leave_open_is_said() -> None:
    _, kept, _ = circuits_finding(table(), with_values(accuracy_kept=0.862), p=53)
    assert kept == (
        "The circuits found are not all it adds with: alone they keep 86.3 % of the accuracy, less "
        "than 95 %."
    )
    both = with_values(accuracy_kept=0.02, accuracy_removed=0.999)
    _, nothing, _ = circuits_finding(table(), both, p=53)
    assert "alone they keep 2.0 % of the accuracy" in nothing
    assert "; without them the network is right 98.0 points more often than by guessing" in nothing
    just = with_values(accuracy_kept=0.95, accuracy_removed=1 / 53 + 0.03 - 1e-9)
    assert len(circuits_finding(table(), just, p=53)) == 2


def test_one_circuit_needs_no_count_of_equal_ones() -> None:
    worth, verdict = circuits_finding(table(1), measures("neither", math.nan), p=53)
    assert worth.startswith("1 circuit. Of all 2,809 pairs")
    assert "with the circuit alone 98.0 %, without it 2.1 %" in worth
    assert verdict.startswith("The network is neither a clock nor a pizza (no circle is a clock's")


def test_no_circuit_is_said_and_nothing_more() -> None:
    assert circuits_table_text(table(0)) == ""
    assert circuits_finding(table(0), measures("neither", math.nan), p=53) == [
        "No circuit was found at the last checkpoint. Of all 2,809 pairs, training and test alike, "
        "2,806 are added rightly (99.9 %; by guessing 1.9 %)."
    ]


def test_the_table_has_a_line_a_circuit() -> None:
    lines = circuits_table_text(table(4)).splitlines()
    assert len(lines) == 5
    assert lines[1].split()[:6] == ["2", "100", "50–150", "200", "10.0", "90.0"]
    assert lines[4].split()[:5] == ["5", "100", "50–150", "no", "date"]
    # Rounded away, an error has no sign.
    flat = circuits_table_text(table(1).assign(phase_error_degrees=-0.2))
    assert flat.splitlines()[1].split()[9] == "+0°"


def test_ridges_are_the_magnitudes_in_the_order_of_formation() -> None:
    top, rows, losses = formation_figure(
        table(), over_training(), llc(), training(), caption="C"
    ).axes
    colours = colours_of([2, 3, 4])
    # Mode 3 formed first and stands on top; the largest magnitude, 12, fills a row.
    for base, k in ((2, 3), (1, 2), (0, 4)):
        own = over_training()[over_training()["frequency"] == k]
        own_lines = [line for line in rows.lines if line.get_color() == colours[k]]
        whole, formed = (
            next(line for line in own_lines if line.get_linewidth() == width)
            for width in (1.0, 2.2)
        )
        np.testing.assert_allclose(whole.get_ydata(), base + 0.9 * own["embedding_share"] / 12)
        assert formed.get_xdata()[0] == {3: 100, 2: 200, 4: 200}[k]
    np.testing.assert_array_equal(top.lines[0].get_xydata(), llc()[["step", "llc"]])
    marks = sorted(line.get_xdata()[0] for line in top.lines[1:])
    assert marks == [100, 200, 200]
    assert losses.get_xlabel() == "Training step"


def test_a_bar_below_each_ridge_is_as_long_as_its_rise() -> None:
    some = table().assign(
        rise_begins_step=[0.0, 50, math.nan], rise_ends_step=[400.0, 150, math.nan]
    )
    _, rows, _ = formation_figure(some, over_training(), llc(), training(), caption="C").axes
    bars = [line for line in rows.lines if line.get_linewidth() == 3.5]
    spans = {bar.get_color(): bar.get_xdata() for bar in bars}
    for k, span in ((2, [0, 400]), (3, [50, 150]), (4, [math.nan] * 2)):
        np.testing.assert_array_equal(spans[colours_of([2, 3, 4])[k]], span)
    assert all(-0.14 < bar.get_ydata()[0] % 1 - 1 < 0 for bar in bars)


def test_estimates_of_some_checkpoints_alone_are_not_joined() -> None:
    some = llc().iloc[[0, 2]]
    top = formation_figure(table(), over_training(), some, training(), caption="C").axes[0]
    assert [points.get_xydata().tolist() for points, _, _ in top.containers] == [
        [[0, 5]],
        [[200, 60]],
    ]
    assert all(points.get_linestyle() == "None" for points, _, _ in top.containers)


def test_a_circle_in_doubt_and_a_circuit_found_have_marks_of_their_own() -> None:
    top, rows, _ = formation_figure(table(), over_training(), llc(), training(), caption="C").axes
    marks = [line for line in rows.lines if line.get_marker() != "None"]
    assert [line.get_xdata()[0] for line in marks] == [100, 100, 100]
    assert {line.get_marker() for line in marks} == {"D"}
    assert {str(line.get_markerfacecolor()) for line in marks} == set(
        colours_of([2, 3, 4]).values()
    )
    assert [text.get_text() for text in rows.get_legend().get_texts()] == [
        "first found",
        "rises",
        "formed",
    ]
    assert "escaped" in [text.get_text() for text in top.get_legend().get_texts()]


def test_headline_figure_and_terminal_count_circuits_alike() -> None:
    close = table(4).assign(logit_share=[0.97, 0.0101, 0.00977, 0.0004], formation_step=100.0)
    counted = "4 circuits, 2 of them faint (< 1 % of the logits)"
    worth, _ = circuits_finding(close, measures(), p=53)
    assert worth.startswith(f"{counted};")
    figure = formation_figure(close, over_training(4), None, training(), caption="C")
    title = figure.get_suptitle().replace("\n", " ")
    assert title == f"{counted}; the others first found at step 100"
    assert circuits_clause(close).startswith(f"{counted}: 1 clock, ")
    # What is written of a share shows on which side of 1 % it is.
    shown = [line.split()[5] for line in circuits_table_text(close).splitlines()[1:]]
    assert shown == ["97.0", "1.0", "0.98", "<"]
    shares = [text.get_text() for text in figure.axes[0].texts]
    assert {"97.0 %", "1.0 %", "0.98 %", "< 0.1 %"} <= set(shares)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.4867, "48.7 %"),
        (0.01, "1.0 %"),
        (0.009999, "< 1 %"),
        (0.00994, "0.99 %"),
        (0.001, "0.10 %"),
        (0.00099, "< 0.1 %"),
        (0.0, "< 0.1 %"),
    ],
)
def test_no_share_below_one_percent_reads_as_one(share: float, said: str) -> None:
    assert logit_share(share) == said


def test_one_circuit_or_all_may_be_faint() -> None:
    assert circuits_count(table(1)) == "1 circuit"
    assert circuits_count(table(1).assign(logit_share=0.005)) == (
        "1 circuit, faint (< 1 % of the logits)"
    )
    faint = table(2).assign(logit_share=0.005)
    assert circuits_count(faint) == "2 circuits, all of them faint (< 1 % of the logits)"
    title = formation_figure(faint, over_training(2), None, training(), caption="C").get_suptitle()
    assert title.replace("\n", " ").endswith(", first found at step 100")


def test_doubtful_estimates_are_hollow_and_the_title_does_not_use_them() -> None:
    figure = formation_figure(table(), over_training(), llc(), training(), caption="C")
    top = figure.axes[0]
    (_, hollow) = top.collections
    np.testing.assert_array_equal(hollow.get_offsets(), [[400, 50]])
    assert [text.get_text() for text in top.get_legend().get_texts()] == [
        "λ̂, 95 % band",
        "escaped",
    ]
    assert figure.get_suptitle().replace("\n", " ") == (
        "3 circuits, 1 of them faint (< 1 % of the logits); the others first found at step 100; "
        "λ̂ peaks at 90.0 (step 100), then falls to 60.0; not converged after step 200"
    )


@pytest.mark.parametrize("count", [1, 9])
def test_one_circuit_or_many_with_or_without_estimates_make_a_picture(count: int) -> None:
    for estimates in (None, llc()):
        figure = formation_figure(
            table(count), over_training(count), estimates, training(), caption="C"
        )
        assert style.png_bytes(figure, dpi=40)
    assert (
        "1 circuit first found at step 100"
        in formation_figure(
            table(1), over_training(1), None, training(), caption="C"
        ).get_suptitle()
    )


def test_the_title_has_the_first_finds_of_all_that_the_logits_show() -> None:
    some = table().assign(first_found_step=[200.0, 100.0, 400.0], logit_share=0.3)
    title = formation_figure(some, over_training(), None, training(), caption="C").get_suptitle()
    assert title == "3 circuits first found between steps 100 and 400"
    # A date of formation, which may move with the run's end, does not change it.
    later = some.assign(formation_step=[math.nan, 400.0, 400.0])
    again = formation_figure(later, over_training(), None, training(), caption="C").get_suptitle()
    assert again == title
    weak = some.assign(logit_share=[0.5, 0.004, 0.001])
    title = formation_figure(weak, over_training(), None, training(), caption="C").get_suptitle()
    assert title.replace("\n", " ").endswith("logits); the other first found at step 200")


def test_contributions_are_those_of_the_table() -> None:
    shares, losses, alone, neurons = contributions_figure(table(), caption="C").axes
    np.testing.assert_allclose([bar.get_width() for bar in shares.patches], table()["logit_share"])
    assert [text.get_text() for text in shares.texts] == ["90.0 %", "45.0 %", "< 0.1 %"]
    dots = [one for one in losses.collections if isinstance(one, PathCollection)]
    found = [dot.get_offsets()[0, 0] for dot in dots]
    np.testing.assert_allclose(found, table()["loss_removed"] - table()["loss"])
    np.testing.assert_allclose(alone.collections[0].get_offsets()[:, 0], table()["loss_alone"])
    assert [bar.get_width() for bar in neurons.patches] == [7, 7, 7]


@pytest.mark.parametrize("spared", [1, 3])
def test_circuits_that_others_stand_in_for_raise_no_loss(spared: int) -> None:
    redundant = table()
    redundant.loc[: spared - 1, "loss_removed"] = redundant["loss"]
    figure = contributions_figure(redundant, caption="C")
    assert style.png_bytes(figure, dpi=40)
    assert [text.get_text() for text in figure.axes[1].texts] == ["none"] * spared
