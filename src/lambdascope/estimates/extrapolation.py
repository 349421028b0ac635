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
from numpy.typing import NDArray

from lambdascope.errors import LambdascopeError
from lambdascope.estimates import diagnostics
from lambdascope.estimates.curve import LLCCurve, LLCEstimate
from lambdascope.estimates.llc import checked, estimate_one
from lambdascope.estimates.step_choice import COARSE
from lambdascope.estimates.verdict import SOUND, Demands, Status, judge_value
from lambdascope.intervals import student_factor

ORDERS = {"SGLD": 1, "BAOAB": 2}
"""Order in the step size of each sampler's bias."""

# A bias of second order is small at a sensible step and drowned in its own error; it is subtracted
# only where it stands out by so many standard errors, and enters the error otherwise.
_STANDS_OUT = 3.0


# Of λ̂ uncorrected: a first-order bias beyond this is no small one, and two steps do not tell it.
_LARGEST_BIAS = 0.2
# Of a first-order bias, not known in any case: x is a tenth in the stiffest direction at the
# automatic step, and may be that in those alone that make the bias.
_LEAST_TAKEN = 0.1
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
    plain = replace(plain, step_size=float(factor.min()))
    tails = _tails(loss[fine, burnin:]), _tails(loss[coarse, burnin:])
    return _judged(combined(plain, other, order, tails), other, order)


def _tails(loss: NDArray[np.float64]) -> float:
    """Excess kurtosis of the losses that count."""
    healthy = loss[np.isfinite(loss).all(axis=1)]
    return diagnostics.excess_kurtosis(diagnostics.block_means(healthy)) if len(healthy) else 0.0


def combined(
    plain: LLCEstimate, coarse: LLCEstimate, order: int, tails: tuple[float, float] = (0.0, 0.0)
) -> LLCEstimate:
    """The estimate with its bias subtracted, or in its error.

    Args:
        plain: At step h.
        coarse: At step 2h.
        order: q. A bias of first order is always subtracted.
        tails: Excess kurtosis of the losses at either step: heavy-tailed draws tell less of their
            own variance, as if there were fewer (`diagnostics.excess_kurtosis`).

    A bias that is subtracted: λ̂ = (1 + a)·λ̂(h) − a·λ̂(2h) with a = 1/(2^q − 1), the two being
    independent. Of a bias of first order that takes too much (`_taken_too_much`). A bias that is
    not subtracted: its square, as far as it exceeds its own variance, is added to that of the
    error.
    """
    a = 1 / (2.0**order - 1)
    bias, bias_stderr = a * (coarse.llc - plain.llc), a * math.hypot(coarse.stderr, plain.stderr)
    if not (math.isfinite(bias) and math.isfinite(bias_stderr)):
        return plain
    draws, coarse_draws = (
        one.ess / (1 + kurtosis / 2) for one, kurtosis in zip((plain, coarse), tails, strict=True)
    )
    if _is_subtracted(bias, bias_stderr, order):
        back, left = 0.0, 0.0
        if order == 1:
            back, left = _taken_too_much(plain.llc, bias, bias_stderr)
        llc = plain.llc - bias + back
        parts = [
            (((1 + a) * plain.stderr) ** 2, draws),
            ((a * coarse.stderr) ** 2, coarse_draws),
            (left**2, math.inf),
        ]
    else:
        llc = plain.llc
        unknown = max(0.0, bias**2 - bias_stderr**2)
        parts = [(plain.stderr**2, draws), (unknown, min(draws, coarse_draws))]
    stderr = math.sqrt(sum(variance for variance, _ in parts)) * student(parts)
    return replace(plain, llc=llc, stderr=stderr, bias=bias, bias_stderr=bias_stderr)


def _taken_too_much(llc: float, bias: float, bias_stderr: float) -> tuple[float, float]:
    """What Richardson's rule takes beyond the bias of SGLD, and one standard error of that.

    SGLD multiplies a direction's variance by 1/(1 − x), x ∝ ε with its minibatch noise in it, so
    that 2x of what the rule subtracts is too much. Were x alike in all directions, 1/λ̂ would be
    linear in ε, and 2b²/(λ̂ + 2b) too much with b subtracted; where a stiff direction has more
    than its share of the bias it is more. Over least squares of equal and spread spectra, residuals
    and batches (`theory.sgld_on_least_squares`), where b < λ̂/5, the value with that given back is
    off by 2.6 % at most, and by no more than 1.7 of the errors stated here.

    Args:
        llc: λ̂ at the step ε.
        bias: b, λ̂(2ε) − λ̂(ε).
        bias_stderr: Of b: what may be noise is not given back.
    """
    seen = max(0.0, bias**2 - bias_stderr**2)
    least = _LEAST_TAKEN * math.sqrt(seen)
    if llc <= 0 or llc + 2 * bias <= 0:  # no such series
        return 0.0, max(least, seen / (2 * abs(llc)) if llc else 0.0)
    back = 2 * seen / (llc + 2 * bias)
    return back, max(least, back)


def _is_subtracted(bias: float, bias_stderr: float, order: int) -> bool:
    return order == 1 or abs(bias) > _STANDS_OUT * bias_stderr


def student(parts: Sequence[tuple[float, float]]) -> float:
    """By how much Student's 95 % interval of a sum is wider than the normal one.

    Args:
        parts: Variance and number of effective draws of each independent term; their freedoms make
            those of the sum (Welch 1947, Satterthwaite 1946: V²/Σ(v²/ν)).
    """
    known = [
        (v, max(draws / _DRAWS_A_FREEDOM - 1, _FEWEST_FREEDOMS)) for v, draws in parts if v > 0
    ]
    spread = sum(variance**2 / freedoms for variance, freedoms in known)
    if not (math.isfinite(spread) and spread > 0):
        return 1.0
    freedoms = sum(variance for variance, _ in known) ** 2 / spread
    return student_factor(freedoms)


def _judged(corrected: LLCEstimate, coarse: LLCEstimate, order: int) -> LLCEstimate:
    """The verdict on both sets of chains and on the corrected value, all chains counted."""
    lost, num_coarse = coarse.num_diverged_chains, coarse.num_chains
    corrected = replace(
        corrected,
        num_chains=corrected.num_chains + num_coarse,
        num_diverged_chains=corrected.num_diverged_chains + lost,
    )
    if corrected.status not in SOUND:
        return corrected
    if lost:
        left = "nothing measures" if lost == num_coarse else "the others measure"
        return replace(
            corrected,
            status=Status.DIVERGED_CHAINS,
            advice=f"{lost} of the {num_coarse} chains with the longer step reached NaN or "
            f"infinite loss, so {left} the bias; use a smaller step_size.",
        )
    # Where they only measure a bias that is too small to see, a single short chain's R-hat, which
    # scatters, decides nothing.
    counts = _is_subtracted(corrected.bias, corrected.bias_stderr, order)
    if coarse.status is Status.ESCAPED or (counts and coarse.status is Status.NOT_CONVERGED):
        return replace(
            corrected,
            status=coarse.status,
            advice=f"of the chains with the longer step, which measure the bias: {coarse.advice}",
        )
    if order == 1 and abs(corrected.bias) > _LARGEST_BIAS * abs(corrected.llc_uncorrected):
        share = abs(corrected.bias / corrected.llc_uncorrected)
        return replace(
            corrected,
            status=Status.HEATED,
            advice=f"step and minibatches make {share:.0%} of λ̂, too much to extrapolate from two "
            "steps; fewer samples, which a full-batch step can read, or a smaller step_size with a "
            "larger batch_size, leave less.",
        )
    status, advice = judge_value(
        corrected.llc, corrected.stderr, across_gradient=corrected.across_gradient
    )
    return replace(corrected, status=status, advice=advice)
