"""The architectures by their name in the settings."""

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


def check_architecture(network: object) -> Network:
    """The network, if it is of an architecture known here.

    Raises:
        LambdascopeError: it is not.
    """
    if isinstance(network, Network):
        return network
    raise LambdascopeError(
        f"network is a {type(network).__name__}, an architecture not known here: it should be a "
        "ModularAdditionMLP or a ModularAdditionTransformer"
    )
