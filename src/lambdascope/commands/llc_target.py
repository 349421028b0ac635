"""The posterior that the settings of an estimate ask for."""

from torch import Tensor, nn

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.posterior import (
    CrossEntropy,
    LocalPosterior,
    OrthogonalToGradient,
    Parameters,
    Restriction,
)

ACROSS_THE_GRADIENT = "across the gradient: one direction fewer, ½ at most"
"""What to say of λ̂ with orthogonal_to_gradient beside the effective dimension, which has them all.

The direction that λ̂ does without counts ½ λ/(λ + γ/nβ) in the other, less than ½.
"""


def llc_posterior(
    network: nn.Module, train: tuple[Tensor, Tensor], config: LLCConfig
) -> LocalPosterior:
    """The localised posterior around a network's weights.

    Args:
        network: With the weights w*.
        train: Inputs [sample, ...] and integer targets [sample].
        config: Temperature, localisation, restrictions.

    Raises:
        LambdascopeError: The settings do not fit the network.
    """
    restrictions: list[Restriction] = []
    if config.parameters is not None:
        restrictions.append(Parameters(*config.parameters))
    if config.orthogonal_to_gradient:
        restrictions.append(OrthogonalToGradient())
    return LocalPosterior(
        network,
        train,
        loss=CrossEntropy(logit_scale=config.logit_scale),
        nbeta=config.nbeta,
        localization=config.localization,
        weight_decay=config.weight_decay,
        restriction=restrictions,
        n_multiplier=config.n_multiplier,
        temp_multiplier=config.temp_multiplier,
    )
