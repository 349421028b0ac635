"""What is sampled where a test does not care, by the columns of llc.csv; nβ is for it to say."""

from typing import Any

PLAIN_TARGET: dict[str, Any] = {
    "localization": 5.0,
    "n_multiplier": 1.0,
    "temp_multiplier": 1.0,
    "logit_scale": 1.0,
    "weight_decay": 0.0,
    "parameters": "all",
    "orthogonal_to_gradient": False,
}
