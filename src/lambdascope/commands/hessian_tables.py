"""The tables of `lambdascope hessian`: rows of one checkpoint's spectrum."""

import itertools
from typing import Any

import numpy as np

from lambdascope.hessian import HessianSpectrum

BINS_A_DECADE = 3
"""Finer bins, or bins nearer to zero, would pretend to more than the quadrature's nodes know."""
# Eigenvalues closer to zero than this part of the largest share the middle bin, which is wider
# where the nodes are further apart.
_SMALLEST_BIN = 1e-3


def eigenvalue_rows(spectrum: HessianSpectrum) -> list[dict[str, Any]]:
    """Both ends, each from the outermost inwards."""
    ends = {
        "largest": (spectrum.largest, spectrum.largest_residual),
        "smallest": (spectrum.smallest, spectrum.smallest_residual),
    }
    return [
        {"end": end, "rank": rank, "eigenvalue": value, "residual": residual}
        for end, (values, residuals) in ends.items()
        for rank, (value, residual) in enumerate(zip(values, residuals, strict=True), start=1)
    ]


def density_rows(spectrum: HessianSpectrum) -> list[dict[str, Any]]:
    """Eigenvalues in bins: equal ratios on either side of a middle bin around zero."""
    exact = spectrum.quadrature.exact
    scale = float(np.abs(exact).max()) or 1.0
    decades = -np.log10(_SMALLEST_BIN)
    sizes = scale * 1.000001 * np.logspace(-decades, 0, int(decades * BINS_A_DECADE) + 1)
    spacing = np.maximum(spectrum.quadrature.spacing(sizes), spectrum.quadrature.spacing(-sizes))
    too_close = np.flatnonzero(spacing[:-1] > sizes[:-1])
    sizes = sizes[too_close[-1] + 1 :] if len(too_close) else sizes
    edges = np.concatenate([-sizes[::-1], sizes])
    columns = ("eigenvalues", "eigenvalues_stderr", "eigenvalues_resolution")
    return [
        {"low": low, "high": high, **dict(zip(columns, values, strict=True))}
        for (low, high), *values in zip(
            itertools.pairwise(edges), *spectrum.quadrature.histogram(edges), strict=True
        )
    ]


def summary_row(spectrum: HessianSpectrum, settings: dict[str, Any]) -> dict[str, Any]:
    """The numbers of the spectrum as a whole; `settings` has `localization` and `nbeta`."""
    dimension, error = spectrum.effective_dimension(settings["localization"] / settings["nbeta"])
    return {
        "num_parameters": spectrum.num_parameters,
        "largest": spectrum.largest[0],
        "smallest": spectrum.smallest[0] if len(spectrum.smallest) else np.nan,
        "trace": spectrum.trace,
        "trace_stderr": spectrum.trace_stderr,
        "effective_dimension": dimension,
        "effective_dimension_stderr": error,
    }
