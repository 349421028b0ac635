"""Samplers, one a file, all with the contract of `base.Kernel`."""

from lambdascope.samplers.adam_sgld import AdamSGLD
from lambdascope.samplers.baoab import BAOAB
from lambdascope.samplers.base import Evaluation, Kernel, Noise, State, Target
from lambdascope.samplers.hmc import HMC
from lambdascope.samplers.mala import MALA
from lambdascope.samplers.rmsprop_sgld import RMSpropSGLD
from lambdascope.samplers.sgld import SGLD
from lambdascope.samplers.sgnht import SGNHT

__all__ = [
    "BAOAB",
    "HMC",
    "MALA",
    "SGLD",
    "SGNHT",
    "AdamSGLD",
    "Evaluation",
    "Kernel",
    "Noise",
    "RMSpropSGLD",
    "State",
    "Target",
]
