"""Samplers, one a file, all with the contract of `base.Kernel`."""

from lambdascope.samplers.baoab import BAOAB
from lambdascope.samplers.base import Evaluation, Kernel, Noise, State, Target
from lambdascope.samplers.hmc import HMC
from lambdascope.samplers.mala import MALA
from lambdascope.samplers.sgld import SGLD

__all__ = ["BAOAB", "HMC", "MALA", "SGLD", "Evaluation", "Kernel", "Noise", "State", "Target"]
