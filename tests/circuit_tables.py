"""Tables as `lambdascope circuits` writes them, made up."""

import math

import numpy as np
import pandas as pd

STEPS = [0, 100, 200, 400]


def table(count: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frequency": range(2, 2 + count),
            "kind": ["clock", "neither", "accompanying", *["pizza"] * count][:count],
            "formation_step": [200.0, 100.0, 200.0, *[math.nan] * count][:count],
            "step_before_formation": [100.0, 0.0, 100.0, *[math.nan] * count][:count],
            "first_found_step": 100.0,
            "rise_begins_step": 50.0,
            "rise_ends_step": 150.0,
            "logit_share": np.linspace(0.9, 0.0, count),
            "magnitude_embedding": 10.0,
            "loss": 0.1,
            "loss_removed": np.linspace(3, 0.2, count),
            "loss_alone": 2.0,
            "phase_error_degrees": -1.4,
            "num_neurons": 7,
        }
    )


def over_training(count: int = 3) -> pd.DataFrame:
    rows = [(step, k) for k in range(2, 2 + count) for step in STEPS]
    values = np.arange(1.0, 1 + len(rows))
    return pd.DataFrame(rows, columns=["step", "frequency"]).assign(embedding_share=values)


def training() -> pd.DataFrame:
    return pd.DataFrame(
        {"step": STEPS, "train_loss": [3, 2, 1, 0.1], "test_loss": [3, 3.5, 2, math.nan]}
    )


def llc() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "checkpoint": range(4),
            "step": STEPS,
            "llc": [5.0, 90, 60, 50],
            "llc_stderr": 1.0,
            "status": ["converged"] * 3 + ["escaped"],
        }
    )


def measures(verdict: str = "clock", score: float = -0.62) -> pd.DataFrame:
    values = {
        "symmetricity": 0.3,
        "distance_irrelevance": 0.83,
        "circularity": 0.998,
        "score": score,
        "logit_share_judged": 0.987,
        "effective_number": 1.1,
        "accuracy": 0.999,
        "accuracy_kept": 0.98,
        "accuracy_removed": 0.021,
    }
    return pd.DataFrame({"measure": values.keys(), "value": values.values()}).assign(
        weighed=[name != "symmetricity" for name in values], verdict=verdict
    )
