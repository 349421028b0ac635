"""The local learning coefficient from a trace.

    λ̂ = nβ · (mean loss after burn-in − L_n(w*))

Source: Lau et al. 2023 (arXiv 2308.12108), with L_n(w*) on all data instead of a minibatch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError, shown
from lambdascope.estimates import diagnostics
from lambdascope.estimates.display import NORMAL_95, html_table, text_table
from lambdascope.estimates.movement import movement
from lambdascope.estimates.verdict import Demands, Status, judge
from lambdascope.posterior.local_posterior import LocalPosterior

_COLUMNS = ("initial_loss", "nbeta", "checkpoint")


@dataclass(frozen=True)
class LLCEstimate:
    """λ̂ at one checkpoint, with its error and a verdict.

    Attributes:
        checkpoint: Its label.
        llc: λ̂, dimensionless, over the chains that did not diverge; NaN if all did.
        stderr: Standard error of `llc`. Of the plain estimator the Monte Carlo error alone, from
            within- and between-chain autocorrelation, which holds no bias of the sampler
            (docs/conventions.md); of a corrected one the total error.
        per_chain: [chain], λ̂ of each chain; NaN where it diverged.
        rhat: Rank-normalised split R-hat of the loss's block means (`diagnostics.block_means`).
        ess: Bulk effective sample size of the same, all chains together: a number of blocks.
        drift: Second half of the trace against the first, in standard errors.
        initial_loss: L_n(w*) on all data.
        mean_loss: Mean of the minibatch losses after burn-in.
        nbeta: nβ.
        num_chains: Chains run.
        num_diverged_chains: Chains with NaN or infinite loss, left out.
        num_burnin_steps: Steps dropped at the beginning of each chain.
        status: The verdict.
        advice: What the verdict means and what to try.
        llc_uncorrected: λ̂ as the chains gave it, before any bias was subtracted.
        mc_stderr: The Monte Carlo part of `stderr`.
        bias: Estimated bias of `llc_uncorrected` from step and minibatch; NaN where not estimated.
        bias_stderr: Standard error of `bias`.
        step_size: The step that was chosen, in the sampler's unit; NaN where the user chose it.
        llc_half_localization: λ̂ at γ/2, from short chains; NaN where not asked for.
        llc_double_localization: λ̂ at 2γ.
        method: How λ̂ was made, in words; empty for the plain estimator.
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
    llc_uncorrected: float = math.nan
    mc_stderr: float = math.nan
    bias: float = math.nan
    bias_stderr: float = math.nan
    step_size: float = math.nan
    llc_half_localization: float = math.nan
    llc_double_localization: float = math.nan
    method: str = ""

    @property
    def localization_slope(self) -> float:
        """−d log λ̂ / d log γ between γ/2 and 2γ: 0 where λ̂ is the network's, 1 where it is γ's.

        In a quadratic potential a direction of curvature c adds ½·nβc/(nβc + γ): flat directions go
        as 1/γ, stiff ones do not change. NaN where it was not asked for.
        """
        ratio = self.llc_half_localization / self.llc_double_localization
        return math.log(ratio) / math.log(4) if ratio > 0 else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Nominal 95 % interval: λ̂ ± 1.96 · stderr."""
        reach = NORMAL_95 * self.stderr
        return self.llc - reach, self.llc + reach

    def __str__(self) -> str:
        return f"λ̂ = {self.llc:.4g} ± {self.stderr:.2g} ({self.status})"

    def _repr_html_(self) -> str:
        return html_table([self])


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
                "llc_uncorrected": one.llc_uncorrected,
                "mc_stderr": one.mc_stderr,
                "bias": one.bias,
                "bias_stderr": one.bias_stderr,
                "llc_half_localization": one.llc_half_localization,
                "llc_double_localization": one.llc_double_localization,
                "localization_slope": one.localization_slope,
            }
            for one in self
        )

    def __repr__(self) -> str:
        return f"LLCCurve({', '.join(str(one) for one in self)})"

    def __str__(self) -> str:
        return text_table(self)

    def _repr_html_(self) -> str:
        return html_table(self)


def estimate_llc(
    source: xr.Dataset | LocalPosterior | Sequence[LocalPosterior],
    burnin: float | int | None = None,
    **automatic: Any,
) -> LLCEstimate | LLCCurve:
    """λ̂ of every checkpoint of a trace, or of posteriors with everything chosen.

    Args:
        source: A trace from `lambdascope.sample`; or one posterior, or several of equal shape, for
            which step size, burn-in and length are then chosen and the bias is measured
            (`lambdascope.estimates.automatic`).
        burnin: Of a trace, what to drop from the beginning of each chain: a fraction of it (a float
            in [0, 1)), or a number of steps (an int); a quarter by default. Steps in which the
            sampler still adapted (`attrs["num_warmup_steps"]`) are dropped in any case.
        **automatic: With posteriors: `target_error` (0.02, relative standard error wanted),
            `target_absolute` (0.05), `max_steps` (6000), `localizations` (True: also at γ/2 and
            2γ), `seed`, and `checkpoints`, `store`, `overwrite`, `device`, `compile`, `progress`
            as for `sample`.

    Returns:
        An `LLCEstimate` if there is one posterior, or the trace was made from one, an `LLCCurve` if
        there is a list.

    Raises:
        LambdascopeError: if the trace is none, or burn-in leaves nothing; or as `sample`.
    """
    if isinstance(source, xr.Dataset):
        if automatic:
            raise LambdascopeError(
                f"{', '.join(automatic)} with a trace: these choose how posteriors are sampled; "
                "burnin alone is accepted here."
            )
        return _of_trace(source, 0.25 if burnin is None else burnin)
    if isinstance(source, LocalPosterior) or _are_posteriors(source):
        if burnin is not None:
            raise LambdascopeError(
                f"burnin={shown(burnin)} with posteriors: it is chosen there, and belongs to "
                "a trace."
            )
        from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc

        names = {one.name for one in fields(AutomaticSettings)}
        chosen = {name: automatic.pop(name) for name in names & set(automatic)}
        curve = automatic_llc(source, AutomaticSettings(**chosen), **automatic).curve
        return curve[0] if isinstance(source, LocalPosterior) else curve
    raise LambdascopeError(
        f"trace is a {type(source).__name__}; the Dataset that lambdascope.sample returns or "
        "open_trace reads, or LocalPosterior objects, are accepted."
    )


def _are_posteriors(source: Any) -> bool:
    return isinstance(source, list | tuple) and any(isinstance(p, LocalPosterior) for p in source)


def _of_trace(trace: xr.Dataset, burnin: float | int) -> LLCEstimate | LLCCurve:
    loss = checked(trace)["loss"]
    alone = bool(trace.attrs.get("single")) or "checkpoint" not in loss.dims
    if "checkpoint" not in loss.dims:
        trace = trace.expand_dims("checkpoint")
    num_burnin = burnin_steps(burnin, trace)
    estimates = [
        estimate_one(trace.isel(checkpoint=position), num_burnin)
        for position in range(trace.sizes["checkpoint"])
    ]
    return estimates[0] if alone else LLCCurve(estimates)


def checked(trace: xr.Dataset) -> xr.Dataset:
    """`trace`, if it is one that λ̂ can be read from."""
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


def burnin_steps(burnin: float | int, trace: xr.Dataset) -> int:
    """The number of steps to drop: those asked for, and those in which the sampler still adapted.

    Raises:
        LambdascopeError: if nothing would be left.
    """
    num_steps = int(trace["loss"].sizes.get("step", 1))
    if isinstance(burnin, bool) or not isinstance(burnin, Real) or not burnin >= 0:
        raise LambdascopeError(
            f"burnin={shown(burnin)}: a fraction in [0, 1) or a number of steps is accepted."
        )
    whole = isinstance(burnin, Integral)
    if burnin >= (num_steps if whole else 1):
        raise LambdascopeError(
            f"burnin={shown(burnin)} leaves nothing of {num_steps} steps; a fraction below 1, or "
            "fewer steps, is accepted."
        )
    num_warmup = _warmup_steps(trace)
    if num_warmup >= num_steps:
        raise LambdascopeError(
            f"the sampler still adapts in all {num_steps} steps of the trace (its warm-up takes "
            f"{trace.attrs['num_warmup_steps']}); more num_steps, or a shorter warm-up, are needed."
        )
    return max(int(burnin) if whole else int(burnin * num_steps), num_warmup)


def _warmup_steps(trace: xr.Dataset) -> int:
    """How many of the trace's steps, from which earlier ones may have been cut, adapt."""
    num_warmup = int(trace.attrs.get("num_warmup_steps", 0))
    return int((np.atleast_1d(trace["step"].values) < num_warmup).sum()) if num_warmup else 0


def estimate_one(trace: xr.Dataset, num_burnin: int, demands: Demands | None = None) -> LLCEstimate:
    """The estimate from one checkpoint of a trace, `loss` [chain, step].

    Args:
        trace: Of one checkpoint.
        num_burnin: Steps to drop.
        demands: What the verdict asks of the chains; None: the defaults.
    """
    losses = trace["loss"]
    # One chain or step may have been picked out of the trace.
    losses = losses.expand_dims([name for name in ("chain", "step") if name not in losses.dims])
    loss = losses.transpose("chain", "step").values.astype(np.float64)
    initial_loss, nbeta = float(trace["initial_loss"]), float(trace["nbeta"])
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
    moved = movement(trace, np.flatnonzero(healthy), num_burnin)
    status, advice = judge(
        growth=moved.growth,
        growth_stderr=moved.growth_stderr,
        distance_rhat=moved.rhat,
        distance_spread=moved.spread,
        reach=moved.reach,
        num_chains=len(loss),
        num_diverged=num_diverged,
        llc=llc,
        stderr=stderr,
        rhat=rhat,
        ess=ess,
        drift=drift,
        demands=demands,
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
        llc_uncorrected=llc,
        mc_stderr=stderr,
    )
