"""How the losses of single samples fluctuate along the chains.

    functional variance      V  =  Σ_i Var_w[ ℓ_i(w) ]          over all n samples
    singular fluctuation     ν  =  (β/2)·V,   β = nβ/n
    loss covariance          C_ij  =  Cov_w[ ℓ_i(w), ℓ_j(w) ]

with ℓ_i the negative log-likelihood of sample i. For a regular model that holds the truth ν = d/2,
as λ is; where the model is singular the two part. Source: Watanabe 2010, "Asymptotic equivalence of
Bayes cross validation and widely applicable information criterion" (JMLR 11). The Bayesian
influence of one sample on another's loss is −C_ij, normalised by nothing (arXiv 2509.26544).
"""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.estimates.llc import burnin_steps, checked

_MOST_SAMPLES = 5000


@dataclass(frozen=True)
class FunctionalVariance:
    """V and ν at one checkpoint.

    Attributes:
        checkpoint: Its label.
        functional_variance: V, in the loss's unit squared.
        singular_fluctuation: ν, dimensionless.
        stderr: Standard error of `singular_fluctuation`, by leaving out one chain at a time; NaN
            with one chain.
        num_samples: Samples watched; where they are not all n, V is n times their mean.
        num_diverged_chains: Chains with NaN or infinity, left out.
    """

    checkpoint: int
    functional_variance: float
    singular_fluctuation: float
    stderr: float
    num_samples: int
    num_diverged_chains: int


def functional_variance(
    trace: xr.Dataset, name: str = "sample_loss", burnin: float | int = 0.25
) -> list[FunctionalVariance]:
    """V and ν of every checkpoint of a trace, under its tempered, localised posterior.

    Args:
        trace: From `sample(..., observables={name: SampleLosses(posterior)})`.
        name: Of the observable.
        burnin: As for `estimate_llc`.

    Raises:
        LambdascopeError: if the trace lacks it, or burn-in leaves fewer than two draws.
    """
    found = []
    for one, losses, lost in _by_checkpoint(trace, name, burnin):
        n, nbeta = int(one["num_samples"]), float(one["nbeta"])
        scale = nbeta / 2 * (1 / losses.shape[-1])  # (β/2)·(n / samples watched), β = nβ/n
        total = _summed_variance(losses)
        found.append(
            FunctionalVariance(
                checkpoint=int(one["checkpoint"]),
                functional_variance=total * n / losses.shape[-1],
                singular_fluctuation=scale * total,
                stderr=scale * _jackknife(losses),
                num_samples=losses.shape[-1],
                num_diverged_chains=lost,
            )
        )
    return found


def loss_covariance(
    trace: xr.Dataset,
    name: str = "sample_loss",
    burnin: float | int = 0.25,
    *,
    correlation: bool = False,
) -> xr.DataArray:
    """Covariance of the samples' losses over chains and draws, [checkpoint, sample, other].

    Args:
        trace: As for `functional_variance`.
        name: Of the observable.
        burnin: As for `estimate_llc`.
        correlation: Pearson's correlation instead; NaN for a loss that does not vary.

    Raises:
        LambdascopeError: as there, and for more than 5,000 samples.
    """
    matrices, labels = [], []
    for one, losses, _ in _by_checkpoint(trace, name, burnin):
        if losses.shape[-1] > _MOST_SAMPLES:
            raise LambdascopeError(
                f"{name} watches {losses.shape[-1]:,} samples; a covariance of at most "
                f"{_MOST_SAMPLES:,} is accepted: watch fewer, SampleLosses(posterior, samples=...)."
            )
        flat = losses.reshape(-1, losses.shape[-1])
        centred = flat - flat.mean(axis=0)
        matrix = centred.T @ centred / (len(flat) - 1)
        if correlation:
            deviations = np.sqrt(np.diag(matrix))
            with np.errstate(invalid="ignore", divide="ignore"):
                matrix = matrix / np.outer(deviations, deviations)
        matrices.append(matrix)
        labels.append(int(one["checkpoint"]))
    return xr.DataArray(
        np.stack(matrices),
        dims=("checkpoint", "sample", "other"),
        coords={"checkpoint": labels},
        name="loss_correlation" if correlation else "loss_covariance",
    )


def _by_checkpoint(
    trace: xr.Dataset, name: str, burnin: float | int
) -> list[tuple[xr.Dataset, NDArray[np.float64], int]]:
    """Each checkpoint with its losses [chain, draw, sample] after burn-in, and chains left out."""
    trace = checked(trace)
    if name not in trace or not {"chain", "draw"} <= set(trace[name].dims) or trace[name].ndim < 3:
        raise LambdascopeError(
            f"trace has no {name} [chain, draw, sample]: give sample(..., "
            f"observables={{{name!r}: SampleLosses(posterior)}})."
        )
    if "checkpoint" not in trace["loss"].dims:
        trace = trace.expand_dims("checkpoint")
    num_burnin = burnin_steps(burnin, trace)
    kept = trace["draw"].values >= num_burnin
    if kept.sum() < 2:
        raise LambdascopeError(
            f"burnin={burnin!r} leaves {kept.sum()} draws of {name}; two or more are needed: run "
            "longer, or with less thinning."
        )
    found = []
    for position in range(trace.sizes["checkpoint"]):
        one = trace.isel(checkpoint=position)
        losses = one[name].values.astype(np.float64)[:, kept]
        healthy = np.isfinite(losses).all(axis=(1, 2))
        losses = losses[healthy] if healthy.any() else np.full_like(losses, math.nan)
        found.append((one, losses, int((~healthy).sum())))
    return found


def _summed_variance(losses: NDArray[np.float64]) -> float:
    """Σ_i of the variance over chains and draws together, of [chain, draw, sample]."""
    return float(losses.reshape(-1, losses.shape[-1]).var(axis=0, ddof=1).sum())


def _jackknife(losses: NDArray[np.float64]) -> float:
    """Standard error of `_summed_variance`, chains being independent."""
    num_chains = len(losses)
    if num_chains < 2:
        return math.nan
    without = np.array(
        [_summed_variance(np.delete(losses, chain, axis=0)) for chain in range(num_chains)]
    )
    return float(math.sqrt((num_chains - 1) * without.var()))
