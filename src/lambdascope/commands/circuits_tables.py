"""The tables that `lambdascope circuits` writes."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from lambdascope.commands.systems import LoadedRun
from lambdascope.modular_addition.architectures import Network
from lambdascope.modular_addition.circuit_effects import kept_sets
from lambdascope.modular_addition.circuit_measures import measure_modes
from lambdascope.modular_addition.circuits import Circuit, CircuitSearch
from lambdascope.modular_addition.data import ModularData
from lambdascope.modular_addition.formation import (
    Formation,
    first_lasting,
    formation,
    power_shares,
    relative_magnitudes,
)
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.probing import answered, logits_with, token_embedding
from lambdascope.modular_addition.projections import remove_modes
from lambdascope.modular_addition.verdicts import Circle, Classification


def over_training_table(
    loaded: LoadedRun, searches: Sequence[CircuitSearch], modes: Sequence[int]
) -> pd.DataFrame:
    """Every mode that is a circuit at some checkpoint, at every checkpoint; maybe none.

    Args:
        loaded: The run; it is finished.
        searches: One a checkpoint.
        modes: Those modes.
    """
    metrics = loaded.metrics
    assert metrics is not None  # the run is finished
    rows = []
    for index, (step, search) in enumerate(zip(loaded.steps, searches, strict=True)):
        network = loaded.network_at(index)
        embedding = token_embedding(network)
        relative, shares = relative_magnitudes(embedding), power_shares(embedding)
        # Any mode gives a table without rows its columns.
        for each in measure_modes(network, modes or [1]):
            rows.append(
                {
                    "checkpoint": index,
                    "step": step,
                    "frequency": each.frequency,
                    "is_circuit": each.frequency in search.frequencies,
                    "num_circuits": len(search.circuits),
                    "embedding_share": shares[each.frequency - 1],
                    "relative_magnitude": relative[each.frequency - 1],
                    **{f"magnitude_{name}": size for name, size in each.magnitudes.items()},
                    "logit_share": each.logit_share,
                    "loss": search.loss,
                    "loss_alone": each.loss_alone,
                    "loss_removed": each.loss_removed,
                    "train_loss": metrics["train_loss"][index],
                    "test_loss": metrics["test_loss"][index],
                }
            )
    table = pd.DataFrame(rows)
    return table if modes else table.iloc[:0]


def circuits_table(
    searches: Sequence[CircuitSearch],
    classification: Classification,
    over_training: pd.DataFrame,
    steps: Sequence[int],
    least_rise: float,
) -> pd.DataFrame:
    """A row for each circuit of the last checkpoint; without one, no row and every column.

    Args:
        searches: One a checkpoint.
        classification: Of the last one, its circles in the order of the circuits.
        over_training: Of `over_training_table`.
        steps: Of the checkpoints.
        least_rise: From `rise_by_chance`.
    """
    rows = []
    last = searches[-1]
    for circuit, circle in zip(last.circuits, classification.circles, strict=True):
        own = over_training[over_training["frequency"] == circuit.frequency]
        formed = formation(
            own["embedding_share"].tolist(),
            own["relative_magnitude"].tolist(),
            least_rise,
            own["step"].tolist(),
        )
        first = first_lasting(own["is_circuit"].tolist())
        assert first is not None  # it is a circuit at the last checkpoint
        rows.append(_circuit_row(circuit, circle, last.loss) | _dates(formed, first, steps))
        rows[-1] |= own.iloc[-1].filter(like="magnitude_").to_dict()
    columns = [*_CIRCUIT_COLUMNS]
    columns[7:7] = [name for name in over_training if name.startswith("magnitude_")]
    return pd.DataFrame(rows, columns=columns)


# In this order, the magnitudes at each layer after the dates; all there even without a circuit.
_CIRCUIT_COLUMNS = (
    "frequency",
    "kind",
    "formation_step",
    "step_before_formation",
    "first_found_step",
    "rise_begins_step",
    "rise_ends_step",
    "power_ratio",
    "alignment",
    "phase_error_degrees",
    "logit_share",
    "num_neurons",
    "loss",
    "loss_alone",
    "loss_removed",
    "loss_of_the_other_circuits",
    "score",
    "doubling",
    "fit_clock",
    "fit_pizza",
    "fit_accompanying",
    "fit_clock_at_frequency",
    "fit_pizza_at_frequency",
    "fit_accompanying_at_frequency",
)


def _dates(formed: Formation | None, first: int, steps: Sequence[int]) -> dict[str, float]:
    """Steps; NaN of a circuit that cannot be dated."""
    places = (
        dict.fromkeys(("formation", "step_before", "begins", "ends"))
        if formed is None
        else {
            "formation": formed.formed,
            "step_before": formed.formed - 1,
            "begins": formed.rise_begins,
            "ends": formed.rise_ends,
        }
    )
    at = {name: math.nan if place is None else steps[place] for name, place in places.items()}
    return {
        "formation_step": at["formation"],
        "step_before_formation": at["step_before"],
        "first_found_step": steps[first],
        "rise_begins_step": at["begins"],
        "rise_ends_step": at["ends"],
    }


def _circuit_row(circuit: Circuit, circle: Circle, loss: float) -> dict[str, Any]:
    return {
        "frequency": circuit.frequency,
        "kind": circle.kind,
        "power_ratio": circuit.power_ratio,
        "alignment": circuit.alignment,
        "phase_error_degrees": circuit.phase_error,
        "logit_share": circuit.logit_share,
        "num_neurons": circuit.num_neurons,
        "loss": loss,
        "loss_alone": circuit.loss_alone,
        "loss_removed": circuit.loss_removed,
        "loss_of_the_other_circuits": circuit.loss_without,
        "score": circle.score,
        "doubling": circle.doubling,
        **{f"fit_{name}": fit for name, fit in circle.fits.items()},
        **{f"fit_{name}_at_frequency": fit for name, fit in circle.fits_at_frequency.items()},
    }


def measures_table(
    classification: Classification, search: CircuitSearch, held_out: Sequence[float]
) -> pd.DataFrame:
    """The network as a whole; published values are those of Zhong et al. 2023.

    Args:
        classification: Of the last checkpoint.
        search: Likewise: accuracies of all pairs.
        held_out: Of `held_out_accuracies`.
    """
    nan = math.nan
    weight = classification.symmetricity_weight
    rows = [
        ("symmetricity", classification.symmetricity, 0.334, 0.994, weight > 0),
        ("symmetricity_weight", weight, nan, nan, False),
        ("distance_irrelevance", classification.distance_irrelevance, 0.848, 0.172, True),
        ("circularity", classification.circularity, 0.999, 0.998, False),
        ("score", classification.score, -1.0, 1.0, True),
        ("logit_share_judged", classification.logit_share, nan, nan, False),
        ("num_circuits", len(search.circuits), nan, nan, False),
        ("effective_number", search.effective_number, nan, nan, False),
        ("loss", search.loss, nan, nan, False),
        ("accuracy", search.accuracy, nan, nan, False),
        ("accuracy_kept", search.accuracy_kept, nan, nan, False),
        ("accuracy_removed", search.accuracy_removed, nan, nan, False),
        *(
            (f"held_out_accuracy{which}", value, nan, nan, False)
            for which, value in zip(("", "_kept", "_removed"), held_out, strict=True)
        ),
    ]
    columns = ["measure", "value", "published_clock", "published_pizza", "weighed"]
    return pd.DataFrame(rows, columns=columns).assign(verdict=classification.verdict)


def held_out_accuracies(
    network: Network, data: ModularData, modes: Sequence[int], task: str
) -> tuple[float, float, float]:
    """Share of the test pairs that are added rightly: as it is, with the modes alone, without them.

    Args:
        network: Of the last checkpoint.
        data: With the split that it was trained on.
        modes: The circuits'.
        task: NaN where that is another than addition, or no pair was held out.
    """
    if task != "addition" or not len(data.test_index):
        return math.nan, math.nan, math.nan
    p, embedding = network.p, token_embedding(network)
    changed = [
        embedding[None],
        kept_sets(embedding, [list(modes)]),
        remove_modes(embedding, mode_mask(p, modes))[None],
    ]
    logits = logits_with(network, torch.cat(changed)).reshape(3, p * p, p)[:, data.test_index]
    targets = data.targets[data.test_index].expand(3, -1)
    whole, kept, removed = answered(logits, targets, -1).double().mean(-1).tolist()
    return whole, kept, removed
