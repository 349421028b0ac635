"""The local learning coefficient from a trace.

    λ̂ = nβ · (mean loss after burn-in − L_n(w*))

Source: Lau et al. 2023 (arXiv 2308.12108), with L_n(w*) on all data instead of a minibatch.
"""

import inspect
import math
from collections.abc import Sequence
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError, shown
from lambdascope.estimates import diagnostics
from lambdascope.estimates.curve import LLCCurve, LLCEstimate
from lambdascope.estimates.movement import movement
from lambdascope.estimates.verdict import Demands, judge
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.sampling.trace import held_across_gradient

_COLUMNS = ("initial_loss", "nbeta", "checkpoint")


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
        others = set(inspect.signature(automatic_llc).parameters) - {"posteriors", "settings"}
        unknown = sorted(set(automatic) - names - others)
        if unknown:
            raise LambdascopeError(
                f"{', '.join(unknown)} with posteriors: sampler and length are chosen there; "
                f"{', '.join(sorted(names | others))} are accepted, and "
                "lambdascope.sample(...) takes settings of your own."
            )
        chosen = {name: automatic.pop(name) for name in names & set(automatic)}
        curve = automatic_llc(source, AutomaticSettings(**chosen), **automatic).curve
        return curve[0] if isinstance(source, LocalPosterior) else curve
    if isinstance(source, Sequence) and not isinstance(source, str) and not len(source):
        raise LambdascopeError("the list of posteriors is empty; at least one is needed.")
    raise LambdascopeError(
        f"trace is a {type(source).__name__}; the Dataset that lambdascope.sample returns or "
        "open_trace reads, or LocalPosterior objects, such as LocalPosterior(model, data, "
        "loss=cross_entropy), are accepted."
    )


def _are_posteriors(source: Any) -> bool:
    return isinstance(source, list | tuple) and any(isinstance(p, LocalPosterior) for p in source)


def _of_trace(trace: xr.Dataset, burnin: float | int) -> LLCEstimate | LLCCurve:
    loss = checked(trace)["loss"]
    alone = bool(trace.attrs.get("single")) or "checkpoint" not in loss.dims
    if "checkpoint" not in loss.dims:
        trace = trace.expand_dims("checkpoint")
    _check_steps(trace)
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


def _check_steps(trace: xr.Dataset) -> None:
    """Refuse chains of several step sizes, whose biases differ: their mean would be of none."""
    if "step_factor" not in trace or "chain" not in trace["step_factor"].dims:
        return
    spread = trace["step_factor"].max("chain") - trace["step_factor"].min("chain")
    if (spread > 0).any():
        raise LambdascopeError(
            "the chains of a checkpoint have different step sizes (step_factor in the trace); "
            "chains of one are accepted, picked by trace.isel(chain=...), or "
            "lambdascope.estimates.extrapolated_llc(trace) takes chains of h and 2h together."
        )


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
    temperatures = _temperatures(trace)
    healthy = np.isfinite(loss).all(axis=1)
    if temperatures is not None:  # a chain that runs away in its last step has lost no loss yet
        healthy &= np.isfinite(temperatures).all(axis=1)
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
    temperature = temperature_stderr = math.nan
    if temperatures is not None and healthy.any():
        warm = temperatures[healthy, num_burnin:]
        temperature = float(warm.mean())
        temperature_stderr = diagnostics.standard_error(diagnostics.block_means(warm))
    across = held_across_gradient(trace)
    status, advice = judge(
        moved=moved,
        temperature=temperature,
        temperature_stderr=temperature_stderr,
        num_chains=len(loss),
        num_diverged=num_diverged,
        llc=llc,
        stderr=stderr,
        rhat=rhat,
        ess=ess,
        drift=drift,
        demands=demands,
        varies=bool(np.ptp(draws) > 0) if draws.size else True,
        across_gradient=across,
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
        num_steps=loss.shape[1],
        status=status,
        advice=advice,
        demands=demands or Demands(),
        llc_uncorrected=llc,
        mc_stderr=stderr,
        guessing_loss=_of(trace, "guessing_loss"),
        across_gradient=across,
        localization=_of(trace, "localization"),
        tilt=_of(trace, "tilt"),
        slope_shift=_of(trace, "slope_shift"),
        slope_effect=_of(trace, "slope_effect"),
    )


def _of(trace: xr.Dataset, name: str) -> float:
    """A checkpoint's number; NaN in traces of before it was recorded."""
    return float(trace[name]) if name in trace else math.nan


def _temperatures(trace: xr.Dataset) -> NDArray[np.float64] | None:
    """Kinetic temperature [chain, step], where the sampler records one."""
    if "kinetic_temperature" not in trace:
        return None
    recorded = trace["kinetic_temperature"]
    missing = [name for name in ("chain", "step") if name not in recorded.dims]
    values = recorded.expand_dims(missing).transpose("chain", "step").values
    return np.asarray(values, dtype=np.float64)
