"""The local learning coefficient from a trace.

    λ̂ = nβ · (mean loss after burn-in − L_n(w*))

Source: Lau et al. 2023 (arXiv 2308.12108), with L_n(w*) on all data instead of a minibatch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.estimates import diagnostics
from lambdascope.estimates.verdict import Status, judge

_DIMENSIONS = ("checkpoint", "chain", "step")
_COLUMNS = ("initial_loss", "nbeta", "checkpoint")
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class LLCEstimate:
    """λ̂ at one checkpoint, with its error and a verdict.

    Attributes:
        checkpoint: Its label.
        llc: λ̂, dimensionless, over the chains that did not diverge; NaN if all did.
        stderr: Monte Carlo standard error of `llc`, from within- and between-chain
            autocorrelation. It holds no bias of the sampler (docs/conventions.md).
        per_chain: [chain], λ̂ of each chain; NaN where it diverged.
        rhat: Rank-normalised split R-hat of the loss.
        ess: Bulk effective sample size of the loss, all chains together.
        drift: Second half of the trace against the first, in standard errors.
        initial_loss: L_n(w*) on all data.
        mean_loss: Mean of the minibatch losses after burn-in.
        nbeta: nβ.
        num_chains: Chains run.
        num_diverged_chains: Chains with NaN or infinite loss, left out.
        num_burnin_steps: Steps dropped at the beginning of each chain.
        status: The verdict.
        advice: What the verdict means and what to try.
    """

    checkpoint: int
    llc: float
    stderr: float
    per_chain: NDArray[np.floating] = field(repr=False)
    rhat: float
    ess: float
    drift: float
    initial_loss: float
    mean_loss: float
    nbeta: float
    num_chains: int
    num_diverged_chains: int
    num_burnin_steps: int
    status: Status
    advice: str

    @property
    def interval(self) -> tuple[float, float]:
        """Nominal 95 % interval of the Monte Carlo error: λ̂ ± 1.96 · stderr."""
        reach = _NORMAL_95 * self.stderr
        return self.llc - reach, self.llc + reach

    def __str__(self) -> str:
        return f"λ̂ = {self.llc:.4g} ± {self.stderr:.2g} ({self.status})"


class LLCCurve(Sequence[LLCEstimate]):
    """λ̂ at several checkpoints, in their order."""

    def __init__(self, estimates: Sequence[LLCEstimate]) -> None:
        self._estimates = list(estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def __iter__(self) -> Iterator[LLCEstimate]:
        return iter(self._estimates)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        """The estimate at a position, or a curve of a slice."""
        chosen = self._estimates[index]
        return LLCCurve(chosen) if isinstance(index, slice) else chosen

    @property
    def llc(self) -> NDArray[np.floating]:
        """λ̂, [checkpoint]."""
        return np.array([one.llc for one in self])

    @property
    def stderr(self) -> NDArray[np.floating]:
        """Its Monte Carlo standard error, [checkpoint]."""
        return np.array([one.stderr for one in self])

    def to_dataframe(self) -> pd.DataFrame:
        """One row a checkpoint."""
        return pd.DataFrame(
            {
                "checkpoint": one.checkpoint,
                "llc": one.llc,
                "llc_stderr": one.stderr,
                "rhat": one.rhat,
                "ess": one.ess,
                "drift": one.drift,
                "initial_loss": one.initial_loss,
                "mean_loss": one.mean_loss,
                "num_chains": one.num_chains,
                "num_diverged_chains": one.num_diverged_chains,
                "num_burnin_steps": one.num_burnin_steps,
                "status": str(one.status),
                "advice": one.advice,
            }
            for one in self
        )

    def __repr__(self) -> str:
        return f"LLCCurve({', '.join(str(one) for one in self)})"


def estimate_llc(trace: xr.Dataset, burnin: float | int = 0.25) -> LLCEstimate | LLCCurve:
    """λ̂ of every checkpoint of a trace.

    Args:
        trace: From `lambdascope.sample`.
        burnin: What to drop from the beginning of each chain: a fraction of it (a float in [0, 1)),
            or a number of steps (an int).

    Returns:
        An `LLCEstimate` if the trace was made from one posterior, an `LLCCurve` if from a list.

    Raises:
        LambdascopeError: if the trace is none, or burn-in leaves nothing.
    """
    loss = _checked(trace)["loss"]
    alone = bool(trace.attrs.get("single")) or "checkpoint" not in loss.dims
    # One checkpoint, chain or step may have been picked out of the trace.
    lost = [name for name in _DIMENSIONS if name not in loss.dims]
    loss = loss.expand_dims(lost).transpose(*_DIMENSIONS)
    num_burnin = _burnin_steps(burnin, loss.sizes["step"])
    columns = [np.atleast_1d(trace[name].values) for name in _COLUMNS]
    estimates = [
        _one(
            np.asarray(one.values, dtype=np.float64), num_burnin, float(start), float(nbeta), label
        )
        for one, start, nbeta, label in zip(loss, *columns, strict=True)
    ]
    return estimates[0] if alone else LLCCurve(estimates)


def _checked(trace: xr.Dataset) -> xr.Dataset:
    """`trace`, if it is one."""
    if not isinstance(trace, xr.Dataset):
        raise LambdascopeError(
            f"trace is a {type(trace).__name__}; the Dataset that lambdascope.sample returns, or "
            "open_trace reads, is needed."
        )
    missing = {"loss", *_COLUMNS} - set(trace.variables)
    if missing:
        raise LambdascopeError(
            f"trace lacks {', '.join(sorted(missing))}; a trace from lambdascope.sample is needed."
        )
    if 0 in trace["loss"].shape:
        raise LambdascopeError(
            f"trace is empty ({dict(trace['loss'].sizes)}); one checkpoint, chain and step or more "
            "are needed."
        )
    return trace


def _burnin_steps(burnin: float | int, num_steps: int) -> int:
    """The number of steps to drop."""
    if isinstance(burnin, bool) or not isinstance(burnin, Real) or not burnin >= 0:
        raise LambdascopeError(
            f"burnin={burnin!r}: a fraction in [0, 1) or a number of steps is accepted."
        )
    whole = isinstance(burnin, Integral)
    if burnin >= (num_steps if whole else 1):
        raise LambdascopeError(
            f"burnin={burnin!r} leaves nothing of {num_steps} steps; a fraction below 1, or fewer "
            "steps, is accepted."
        )
    return int(burnin) if whole else int(burnin * num_steps)


def _one(
    loss: NDArray[np.float64], num_burnin: int, initial_loss: float, nbeta: float, checkpoint: int
) -> LLCEstimate:
    """The estimate from one checkpoint's `loss` [chain, step]."""
    healthy = np.isfinite(loss).all(axis=1)
    kept = loss[:, num_burnin:]
    with np.errstate(all="ignore"):
        per_chain = np.where(healthy, nbeta * (kept.mean(axis=1) - initial_loss), np.nan)
    draws = kept[healthy]
    if healthy.any():
        mean_loss = float(draws.mean())
        llc = nbeta * (mean_loss - initial_loss)
        blocks = diagnostics.block_means(draws)
        stderr = nbeta * diagnostics.standard_error(blocks)
        rhat, ess = diagnostics.rhat(blocks), diagnostics.ess(blocks)
        drift = diagnostics.drift(blocks)
    else:
        mean_loss = llc = stderr = rhat = ess = drift = math.nan
    num_diverged = int((~healthy).sum())
    status, advice = judge(
        num_chains=len(loss),
        num_diverged=num_diverged,
        llc=llc,
        stderr=stderr,
        rhat=rhat,
        ess=ess,
        drift=drift,
    )
    return LLCEstimate(
        checkpoint=int(checkpoint),
        llc=llc,
        stderr=stderr,
        per_chain=per_chain,
        rhat=rhat,
        ess=ess,
        drift=drift,
        initial_loss=initial_loss,
        mean_loss=mean_loss,
        nbeta=nbeta,
        num_chains=len(loss),
        num_diverged_chains=num_diverged,
        num_burnin_steps=num_burnin,
        status=status,
        advice=advice,
    )
