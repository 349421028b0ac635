"""The Hessian of the training loss: products, both ends of the spectrum, density, trace."""

from lambdascope.hessian.operator import HessianOperator
from lambdascope.hessian.quadrature import SpectralQuadrature
from lambdascope.hessian.spectrum import HessianSpectrum, hessian_spectrum

__all__ = ["HessianOperator", "HessianSpectrum", "SpectralQuadrature", "hessian_spectrum"]
