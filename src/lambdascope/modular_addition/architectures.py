"""The architectures by their name in the settings."""

import torch

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.transformer import ModularAdditionTransformer

Network = ModularAdditionMLP | ModularAdditionTransformer


def make_network(config: TrainConfig) -> Network:
    """A network of the settings' architecture, with the initial weights of their seed.

    Args:
        config: the settings; those of data and training are not read.
    """
    if config.network == "transformer":
        return ModularAdditionTransformer(config)
    return ModularAdditionMLP(config)


def is_tied(network: Network) -> bool:
    """Whether the embedding reads the answer, too."""
    return isinstance(network, ModularAdditionMLP) and network.tie_unembed


def check_architecture(network: object) -> Network:
    """The network, if it is one that can be looked into.

    Raises:
        LambdascopeError: its architecture is not known here, its embedding has the wrong shape, or
            it holds weights that are not finite.
    """
    if not isinstance(network, Network):
        raise LambdascopeError(
            f"network is a {type(network).__name__}, an architecture not known here: it should be "
            "a ModularAdditionMLP or a ModularAdditionTransformer"
        )
    extra = network.num_tokens - 2 if isinstance(network, ModularAdditionTransformer) else 0
    wanted, held = [network.p + extra, network.embed_dim], list(network.embedding.weight.shape)
    if held != wanted:
        raise LambdascopeError(
            f"the network's embedding has shape {held}: {wanted}, a row for each token, is "
            f"accepted at p={network.p}"
        )
    if not is_tied(network) and len(network.unembedding.weight) != network.p:
        raise LambdascopeError(
            f"the network's unembedding has shape {list(network.unembedding.weight.shape)}: "
            f"{network.p} rows, one for each answer, are accepted at p={network.p}"
        )
    bad = [name for name, w in network.named_parameters() if not torch.isfinite(w).all()]
    if bad:
        raise LambdascopeError(
            f"the network's {', '.join(bad)} hold NaN or infinity: finite weights are needed"
        )
    return network
