"""λ̂ without the bias of the step: chains of two step sizes, and what their difference says.

With a step h the mean loss is off by c·h^q: q = 1 for SGLD, whose minibatch bias is of order ε too
and goes with it, and q = 2 for BAOAB. Chains at h and at 2h give

    bias at h = (λ̂(2h) − λ̂(h)) / (2^q − 1),        λ̂ = λ̂(h) − bias

(Richardson's extrapolation; for Langevin integrators Talay & Tubaro 1990, Leimkuhler & Matthews
2013).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from lambdascope.errors import LambdascopeError
from lambdascope.estimates import diagnostics
from lambdascope.estimates.llc import LLCCurve, LLCEstimate, checked, estimate_one
from lambdascope.estimates.verdict import Demands, Status

ORDERS = {"SGLD": 1, "BAOAB": 2}
"""Order in the step size of each sampler's bias."""

COARSE = 2.0
"""How many times longer the coarse chains' step is."""

# A bias of second order is small at a sensible step and drowned in its own error; it is subtracted
# only where it stands out by so many standard errors, and enters the error otherwise.
_STANDS_OUT = 3.0


# Few draws know their own error badly, the less as their effective number is itself an estimate:
# with a freedom for every draw, intervals of 12 to 25 draws in 5,000 directions cover 91.5 %.
_DRAWS_A_FREEDOM, _FEWEST_FREEDOMS = 2.0, 2.0


def extrapolated_llc(
    trace: xr.Dataset, burnin: Sequence[int] | None = None, demands: Demands | None = None
) -> LLCCurve:
    """λ̂ of every checkpoint of a trace whose chains have step sizes h and 2h.

    Args:
        trace: From `sample(..., step_factors=...)`, in each checkpoint some chains of one factor
            and some of twice that.
        burnin: Fewest steps to drop, [checkpoint]; more are dropped where the trace asks for it
            (`diagnostics.settled_after`).
        demands: What the verdicts ask of the chains; None: the defaults.

    Returns:
        Estimates whose `stderr` holds the Monte Carlo error and what is not known of the bias, and
        is widened where few effective draws know their own error badly, so that λ̂ ± 1.96·stderr
        is Student's interval. A chain that diverged at either step counts in the status.

    Raises:
        LambdascopeError: if the trace has no such chains, or its sampler no known order.
    """
    kernel = json.loads(checked(trace).attrs.get("settings", "{}")).get("kernel")
    if kernel not in ORDERS or "step_factor" not in trace:
        raise LambdascopeError(
            f"a trace of {kernel} {'with' if 'step_factor' in trace else 'without'} step_factors: "
            f"one of {' or '.join(ORDERS)} with factors h and 2h is accepted."
        )
    estimates = []
    for position in range(trace.sizes["checkpoint"]):
        one = trace.isel(checkpoint=position)
        fewest = 0 if burnin is None else int(burnin[position])
        estimates.append(_at_checkpoint(one, fewest, ORDERS[kernel], demands))
    return LLCCurve(estimates)


def _at_checkpoint(
    trace: xr.Dataset, fewest: int, order: int, demands: Demands | None
) -> LLCEstimate:
    loss = trace["loss"].values.astype(np.float64)
    factor = trace["step_factor"].values
    fine = factor == factor.min()
    coarse = np.isclose(factor, COARSE * factor.min())
    if not coarse.any() or not (fine | coarse).all():
        raise LambdascopeError(
            f"step_factor={factor.tolist()} at checkpoint {int(trace['checkpoint'])}: factors h "
            "and 2h, both present, are accepted."
        )
    burnin = max(fewest, diagnostics.settled_after(loss[fine]))
    plain = estimate_one(trace.isel(chain=np.flatnonzero(fine)), burnin, demands)
    other = estimate_one(trace.isel(chain=np.flatnonzero(coarse)), burnin, demands)
    divisor = 2.0**order - 1
    bias = (other.llc - plain.llc) / divisor
    bias_stderr = math.hypot(other.stderr, plain.stderr) / divisor
    plain = replace(plain, step_size=float(factor.min()))
    return _counting(other, combined(plain, bias, bias_stderr, order))


def _counting(coarse: LLCEstimate, corrected: LLCEstimate) -> LLCEstimate:
    """The corrected estimate, with the coarse chains among those that ran."""
    lost, num_coarse = coarse.num_diverged_chains, coarse.num_chains
    corrected = replace(
        corrected,
        num_chains=corrected.num_chains + num_coarse,
        num_diverged_chains=corrected.num_diverged_chains + lost,
    )
    if not lost or corrected.status in (Status.ALL_DIVERGED, Status.DIVERGED_CHAINS):
        return corrected
    measured = "nothing measures the bias" if lost == num_coarse else "the others measure the bias"
    return replace(
        corrected,
        status=Status.DIVERGED_CHAINS,
        advice=f"{lost} of the {num_coarse} chains with the longer step reached NaN or infinite "
        f"loss, so {measured}; use a smaller step_size.",
    )


def combined(plain: LLCEstimate, bias: float, bias_stderr: float, order: int) -> LLCEstimate:
    """The estimate with its bias subtracted, or in its error.

    Args:
        plain: At step h.
        bias: Estimate of its bias.
        bias_stderr: Of `bias`, from the coarse and the fine chains.
        order: q. A bias of first order is always subtracted.

    A bias that is subtracted: λ̂ = (1 + a)·λ̂(h) − a·λ̂(2h) with a = 1/(2^q − 1), the two being
    independent. One that is not: its square, as far as it exceeds its own variance, is added to
    that of the error.
    """
    if not (math.isfinite(bias) and math.isfinite(bias_stderr)):
        return plain
    if order == 1 or abs(bias) > _STANDS_OUT * bias_stderr:
        # (1+a)²·Var f + a²·Var c, where bias_stderr² = a²·(Var f + Var c)
        a = 1 / (2.0**order - 1)
        llc, variance = plain.llc - bias, bias_stderr**2 + (1 + 2 * a) * plain.stderr**2
    else:
        llc, variance = plain.llc, plain.stderr**2 + max(0.0, bias**2 - bias_stderr**2)
    stderr = math.sqrt(variance) * _student(plain.ess)
    return replace(plain, llc=llc, stderr=stderr, bias=bias, bias_stderr=bias_stderr)


def _student(num_draws: float) -> float:
    """By how much Student's 95 % interval of so many effective draws is wider than the normal."""
    from scipy.stats import norm, t

    freedoms = max(num_draws / _DRAWS_A_FREEDOM - 1, _FEWEST_FREEDOMS)
    return float(t.ppf(0.975, freedoms) / norm.ppf(0.975)) if math.isfinite(freedoms) else 1.0
