"""The local learning coefficient from a trace.

    λ̂ = nβ · (mean loss after burn-in − L_n(w*))

Source: Lau et al. 2023 (arXiv 2308.12108), with L_n(w*) on all data instead of a minibatch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.estimates import diagnostics
from lambdascope.estimates.verdict import Status, judge

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
    missing = {"loss", "initial_loss", "nbeta"} - set(trace.variables)
    if missing:
        raise LambdascopeError(
            f"trace lacks {', '.join(sorted(missing))}; a trace from lambdascope.sample is needed."
        )
    num_burnin = _burnin_steps(burnin, trace.sizes["step"])
    estimates = [
        _one(trace.isel(checkpoint=position), num_burnin)
        for position in range(trace.sizes["checkpoint"])
    ]
    return estimates[0] if trace.attrs.get("single") else LLCCurve(estimates)


def _burnin_steps(burnin: float | int, num_steps: int) -> int:
    """The number of steps to drop."""
    if isinstance(burnin, bool) or not isinstance(burnin, int | float) or not burnin >= 0:
        raise LambdascopeError(
            f"burnin={burnin!r}: a fraction in [0, 1) or a number of steps is accepted."
        )
    num_burnin = burnin if isinstance(burnin, int) else int(burnin * num_steps)
    if num_burnin >= num_steps:
        raise LambdascopeError(
            f"burnin={burnin!r} leaves nothing of {num_steps} steps; a fraction below 1, or fewer "
            "steps, is accepted."
        )
    return num_burnin


def _one(trace: xr.Dataset, num_burnin: int) -> LLCEstimate:
    """The estimate from one checkpoint's trace, `loss[chain, step]`."""
    loss = np.asarray(trace["loss"].values, dtype=np.float64)
    nbeta, initial_loss = float(trace["nbeta"]), float(trace["initial_loss"])
    healthy = np.isfinite(loss).all(axis=1)
    kept = loss[:, num_burnin:]
    with np.errstate(all="ignore"):
        per_chain = np.where(healthy, nbeta * (kept.mean(axis=1) - initial_loss), np.nan)
    draws = kept[healthy]
    if healthy.any():
        mean_loss = float(draws.mean())
        llc = nbeta * (mean_loss - initial_loss)
        stderr = nbeta * diagnostics.standard_error(draws)
        rhat, ess = diagnostics.rhat(draws), diagnostics.ess(draws)
        drift = diagnostics.drift(draws)
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
        checkpoint=int(trace["checkpoint"]),
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
