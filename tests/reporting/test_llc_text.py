"""The table on a terminal."""

import math

import pandas as pd
import pytest

from lambdascope.reporting.llc_text import (
    bias_in_brief,
    cautions_in_brief,
    llc_advice,
    llc_table_text,
    llc_target,
    seconds_text,
)
from tests.targets import PLAIN_TARGET

TABLE = pd.DataFrame(
    {
        "checkpoint": [0, 5, 24],
        "step": [0, 312, 1500],
        "llc": [88.04, 268.2, math.nan],
        "llc_stderr": [2.1, 3.0, math.nan],
        "rhat": [1.001, 1.2, math.nan],
        "ess": [812.3, 96.0, math.nan],
        "train_loss": [3.9, 1.2, 0.026],
        "test_loss": [3.97, 2.2, math.nan],
        "mean_loss": [4.19, 1.9, math.nan],
        "status": ["converged", "not converged", "all chains diverged"],
        "advice": ["the chains agree.", "run longer.", "use less."],
    }
)


def test_columns_are_aligned_and_hold_the_numbers() -> None:
    lines = llc_table_text(TABLE).splitlines()
    assert lines[0].split("  ")[0] == "checkpoint"
    assert lines[1].split()[:5] == ["0", "0", "88.0", "±", "4.1"]
    assert lines[2].endswith("not converged")
    assert lines[3].split()[2:5] == ["–", "–", "–"]
    starts = {
        line.index(word) for line, word in zip(lines[1:], ["converged", "not", "all"], strict=True)
    }
    # The header's hat is a combining character: one code point, no column of its own.
    assert starts == {lines[0].index("status") - 1}


def test_other_localizations_have_a_column_where_they_were_asked_for() -> None:
    none = {name: [math.nan] * 3 for name in ("llc_half_localization", "llc_double_localization")}
    without = TABLE.assign(**none, localization_slope=math.nan)
    assert llc_table_text(without) == llc_table_text(TABLE)
    table = TABLE.assign(
        llc_half_localization=[90.0, math.nan, math.nan],
        llc_double_localization=[84.0, math.nan, math.nan],
        localization_slope=[0.05, math.nan, math.nan],
    )
    lines = llc_table_text(table).splitlines()
    assert "λ̂ at γ/2 … 2γ" in lines[0]
    assert "90.0 … 84.0" in lines[1]
    assert "– … –" in lines[2]


def test_each_kind_of_trouble_gets_one_line() -> None:
    assert llc_advice(TABLE) == [
        "checkpoint 5: not converged; run longer.",
        "checkpoint 24: all chains diverged; use less.",
    ]
    advice = ["the chains agree.", "they disagree (R-hat 1.2).", "they disagree (R-hat 12.25)."]
    same = TABLE.assign(status=["converged", "not converged", "not converged"], advice=advice)
    assert llc_advice(same) == [
        "checkpoints 5, 24: not converged; at 5, they disagree (R-hat 1.2)."
    ]
    alike = same.assign(advice="run longer.")
    assert llc_advice(alike) == ["checkpoints 5, 24: not converged; run longer."]
    assert llc_advice(TABLE.head(1)) == []


def test_one_status_for_several_reasons_gets_a_line_each() -> None:
    several = TABLE.assign(
        status="not converged",
        advice=[
            "they disagree (R-hat 1.2).",
            "still moving away (15 %).",
            "they disagree (R-hat 2).",
        ],
    )
    assert llc_advice(several) == [
        "checkpoints 0, 24: not converged; at 0, they disagree (R-hat 1.2).",
        "checkpoint 5: not converged; still moving away (15 %).",
    ]


def test_cautions_are_said_once_for_all_their_checkpoints() -> None:
    table = TABLE.assign(cautions=["a slope", "a slope | the localisation", ""])
    lines = llc_advice(table)
    assert lines[-2:] == ["checkpoints 0, 5: a slope", "checkpoint 5: the localisation"]
    assert llc_advice(TABLE.assign(cautions=float("nan"))) == llc_advice(TABLE)


def test_a_caption_has_cautions_in_a_few_words() -> None:
    slope = "the potential has a slope at w* (one that matters), so chains slide down it: say so"
    table = TABLE.assign(cautions=[slope, f"{slope} | λ̂ goes as γ to −0.5, so compare", slope])
    assert cautions_in_brief(table) == [
        "the potential has a slope at w* at all 3 checkpoints",
        "λ̂ goes as γ to −0.5 at step 312",
    ]
    assert cautions_in_brief(table.iloc[:2].assign(cautions=[slope, ""])) == [
        "the potential has a slope at w* at step 0"
    ]
    assert cautions_in_brief(TABLE) == []


PLAIN = {"nbeta": 338.2, **PLAIN_TARGET}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["localisation γ = 5", "nβ = 338"]),
        (
            {"parameters": "embedding*,unembedding*"},
            ["only embedding*, unembedding* may move, the rest stays at w*"],
        ),
        (
            {"orthogonal_to_gradient": True},
            ["chains held to the hyperplane across the gradient at w*"],
        ),
        ({"logit_scale": 2.0}, ["logits × 2"]),
        ({"n_multiplier": 0.5, "temp_multiplier": 3.0}, ["with n × 0.5", "at the temperature × 3"]),
        ({"weight_decay": 0.01}, ["weight decay 0.01 in the potential"]),
    ],
)
def test_what_differs_from_the_plain_potential_is_named(changes, words) -> None:
    said = llc_target({**PLAIN, **changes})
    assert set(words) <= set(said)
    assert len(said) == len({*words, "localisation γ = 5", "nβ = 338"})


def test_seconds_are_those_of_the_parts() -> None:
    parts = {"prepare": 1.25, "compile": 10.0, "sample": 20.5, "figure": 0.3}
    assert seconds_text(parts) == "32.0 s: prepare 1.2, compile 10.0, sample 20.5, figure 0.3"


def test_the_bias_is_said_to_be_subtracted_where_it_was() -> None:
    none = TABLE.assign(llc_uncorrected=TABLE["llc"])
    assert "(0 of 3), part of ± elsewhere" in bias_in_brief(none)
    # The third has no estimate: nothing was subtracted there.
    one = TABLE.assign(llc_uncorrected=[90.0, 268.2, math.nan])
    assert "(1 of 3)" in bias_in_brief(one)
