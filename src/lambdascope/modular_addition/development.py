"""How modes and progress measures develop over the checkpoints of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lambdascope.modular_addition.ablation import (
    Space,
    SplitMetrics,
    losses_with_embeddings,
    losses_with_modes_kept,
    losses_with_modes_removed,
)
from lambdascope.modular_addition.data import ModularData
from lambdascope.modular_addition.evaluation import StackedNetwork
from lambdascope.modular_addition.maps import neuron_logit_map, token_maps
from lambdascope.modular_addition.modes import mode_magnitudes, mode_mask, single_modes
from lambdascope.modular_addition.progress import (
    excluded_logits,
    restricted_logits,
    spectrum_gini,
)
from lambdascope.progress import tracked

_ABLATIONS: dict[str, tuple[Callable[..., SplitMetrics], Space]] = {
    "kept": (losses_with_modes_kept, "tokens"),
    "removed": (losses_with_modes_removed, "tokens"),
    "kept_span": (losses_with_modes_kept, "embedding"),
    "removed_span": (losses_with_modes_removed, "embedding"),
}


@dataclass(frozen=True)
class ModeDevelopment:
    """Every mode 1 … p//2 at every checkpoint.

    Attributes:
        magnitudes: map → [checkpoint, p//2], in units of weights or their products: `embedding`,
            `linear_left`, `linear_right` where there are such, `unembedding`.
        kept: losses with one mode kept alone, in token space, each [checkpoint, p//2].
        removed: losses with one mode removed, in token space.
        kept_span: as `kept`, in embedding space.
        removed_span: as `removed`, in embedding space.
        whole: losses of the network as it is, each [checkpoint].
    """

    magnitudes: dict[str, Tensor]
    kept: SplitMetrics
    removed: SplitMetrics
    kept_span: SplitMetrics
    removed_span: SplitMetrics
    whole: SplitMetrics


@dataclass(frozen=True)
class Progress:
    """Progress measures at every checkpoint, each [checkpoint] float64.

    Attributes:
        restricted_train_loss: of the logits restricted to the key modes, in nats.
        restricted_test_loss: likewise.
        excluded_train_loss: of the logits without the key modes, in nats.
        excluded_test_loss: likewise.
        gini_embedding: of the embedding's spectrum, dimensionless.
        gini_unembedding: likewise of the map from the neurons to the logits (`neuron_logit_map`),
            which is the MLP's unembedding.
    """

    restricted_train_loss: Tensor
    restricted_test_loss: Tensor
    excluded_train_loss: Tensor
    excluded_test_loss: Tensor
    gini_embedding: Tensor
    gini_unembedding: Tensor


def mode_development(
    network: StackedNetwork,
    weights: Mapping[str, Tensor],
    data: ModularData,
    *,
    progress: bool = False,
) -> ModeDevelopment:
    """Measure every mode at every checkpoint.

    Args:
        network: whose shape the checkpoints have; its own weights are not used.
        weights: parameter name → [checkpoint, …].
        data: the pairs, labels and split.
        progress: show a bar on stderr, if that is a terminal.

    Raises:
        LambdascopeError: the embedding has the wrong shape.
    """
    each = single_modes(network.p)
    # One checkpoint after the other: changed embeddings of all of them may not fit into memory.
    found: dict[str, list[SplitMetrics]] = {name: [] for name in (*_ABLATIONS, "whole")}
    checkpoints = range(len(weights["embedding.weight"]))
    for checkpoint in tracked(checkpoints, "modes", unit="checkpoint", wanted=progress):
        one = {name: tensor[checkpoint, None] for name, tensor in weights.items()}
        for name, (losses, space) in _ABLATIONS.items():
            found[name].append(losses(network, one, data, each, space=space))
        as_it_is = one["embedding.weight"][:, None, : network.p]
        found["whole"].append(losses_with_embeddings(network, one, data, as_it_is))
    joined = {name: _joined(metrics) for name, metrics in found.items()}
    whole = joined.pop("whole")
    return ModeDevelopment(
        magnitudes={
            name: mode_magnitudes(rows)[..., 1:] for name, rows in token_maps(weights).items()
        },
        whole=SplitMetrics(**{name: values[:, 0] for name, values in vars(whole).items()}),
        **joined,
    )


def _joined(metrics: Sequence[SplitMetrics]) -> SplitMetrics:
    """One checkpoint after the other."""
    names = vars(metrics[0])
    return SplitMetrics(**{name: torch.cat([vars(one)[name] for one in metrics]) for name in names})


@torch.no_grad()
def progress_measures(
    network: StackedNetwork,
    weights: Mapping[str, Tensor],
    data: ModularData,
    key_modes: Sequence[int],
) -> Progress:
    """Restricted and excluded loss and Gini coefficients at every checkpoint.

    Args:
        network: whose shape the checkpoints have; its own weights are not used.
        weights: parameter name → [checkpoint, …].
        data: the pairs, labels and split.
        key_modes: numbers of the key modes, each 1 … p//2.

    Raises:
        LambdascopeError: a key mode does not exist, or the embedding has the wrong shape.
    """
    p, maps = network.p, token_maps(weights)
    mask = mode_mask(p, key_modes)
    rows = []
    # One checkpoint after the other: the logits of all pairs are p³ numbers.
    for checkpoint in range(len(weights["embedding.weight"])):
        one = {name: tensor[checkpoint, None] for name, tensor in weights.items()}
        logits = network.stacked_logits(one, data.inputs[None])[0].T.double()
        table = logits.reshape(p, p, -1)
        losses = []
        for part in (restricted_logits(table, mask), excluded_logits(table, mask)):
            flat = part.reshape(p * p, -1)
            each = flat.logsumexp(1) - flat.gather(1, data.targets[:, None])[:, 0]
            losses += [each[data.train_index].mean(), each[data.test_index].mean()]
        rows.append(torch.stack(losses))
    restricted_train, restricted_test, excluded_train, excluded_test = torch.stack(rows, dim=1)
    return Progress(
        restricted_train_loss=restricted_train,
        restricted_test_loss=restricted_test,
        excluded_train_loss=excluded_train,
        excluded_test_loss=excluded_test,
        gini_embedding=spectrum_gini(maps["embedding"].double()),
        gini_unembedding=spectrum_gini(neuron_logit_map(weights).double()),
    )
