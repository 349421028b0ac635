"""One call of the estimator on systems with known answers, and what became of it."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdascope.estimates import LLCEstimate, estimate_llc
from lambdascope.posterior import LocalPosterior
from lambdascope.samplers import Kernel
from lambdascope.sampling import sample
from lambdascope.toys import Toy

_STANDARD_ERRORS = 3.0
_CLOSE = 0.05


@dataclass(frozen=True)
class Case:
    """Toys of one shape, sampled as one batch.

    Attributes:
        group: What kind of system.
        toys: One or more, their modules of one shape.
        kernel: The sampler with its settings.
        num_chains: Chains a toy.
        num_steps: Steps a chain.
        localization: γ, in 1/parameter².
        nbeta: nβ, in 1/loss; None for n / log n.
        burnin: The part of each chain that is dropped.
        seed: Of the chains.
        compile: Whether to compile the step.
    """

    group: str
    toys: Sequence[Toy]
    kernel: Kernel
    num_chains: int
    num_steps: int
    localization: float
    nbeta: float | None = None
    burnin: float = 0.5
    seed: int = 0
    compile: bool | str = "auto"


# Draws of ‖w − w*‖ a chain, for the verdict: more would cost time and say little.
_DISTANCES = 200


def run_case(case: Case) -> list[dict[str, Any]]:
    """Sample, estimate, and compare: one row a toy.

    Returns:
        Rows with group, system, sampler, parameters, exact (λ), exact_multiplicity, model_llc,
        exact_finite_n, llc, llc_stderr, ratio (λ̂/λ), ratio_finite_n, seconds (a toy's share of
        the call, compilation included), status, verdict, reason and the settings.
    """
    begun = time.perf_counter()
    posteriors = [
        toy.posterior(nbeta=case.nbeta, localization=case.localization) for toy in case.toys
    ]
    trace = sample(
        posteriors,
        case.kernel,
        num_chains=case.num_chains,
        num_steps=case.num_steps,
        seed=case.seed,
        thinning=max(1, case.num_steps // _DISTANCES),
        compile=case.compile,
        progress=False,
    )
    curve = estimate_llc(trace, burnin=case.burnin)
    seconds = (time.perf_counter() - begun) / len(case.toys)
    return [
        _row(case, toy, posterior, estimate, seconds)
        for toy, posterior, estimate in zip(case.toys, posteriors, curve, strict=True)  # type: ignore[arg-type]
    ]


def _row(
    case: Case, toy: Toy, posterior: LocalPosterior, estimate: LLCEstimate, seconds: float
) -> dict[str, Any]:
    exact = math.nan if toy.exact is None else toy.exact.llc
    finite_n = toy.localized_llc(posterior)
    reference = exact if finite_n is None else finite_n
    verdict = _verdict(estimate, reference)
    return {
        "group": case.group,
        "system": toy.name,
        "sampler": type(case.kernel).__name__,
        "num_parameters": int(posterior.num_free),
        "exact": exact,
        "exact_multiplicity": math.nan if toy.exact is None else toy.exact.multiplicity,
        "exact_source": "" if toy.exact is None else toy.exact.source,
        "model_llc": math.nan if toy.model is None else toy.model.llc,
        "exact_finite_n": math.nan if finite_n is None else finite_n,
        "llc": estimate.llc,
        "llc_stderr": estimate.stderr,
        "ratio": estimate.llc / exact if exact else math.nan,
        "ratio_finite_n": math.nan if not finite_n else estimate.llc / finite_n,
        "seconds": seconds,
        "status": str(estimate.status),
        "verdict": verdict,
        "reason": _reason(toy, finite_n, estimate, verdict),
        "nbeta": posterior.nbeta,
        "localization": posterior.localization,
        "step_size": getattr(case.kernel, "step_size", math.nan),
        "batch_size": case.kernel.batch_size,
        "num_chains": case.num_chains,
        "num_steps": case.num_steps,
        "seed": case.seed,
    }


def _verdict(estimate: LLCEstimate, reference: float) -> str:
    """Beside the finite-n answer where it is known, else beside λ."""
    if math.isnan(reference):
        return "no exact answer"
    if not math.isfinite(estimate.llc):
        return "diverged"
    miss = estimate.llc - reference
    if abs(miss) <= _STANDARD_ERRORS * estimate.stderr:
        return "agrees"
    if abs(miss) <= _CLOSE * reference:
        return "within 5 %"
    return "low" if miss < 0 else "high"


def _reason(toy: Toy, finite_n: float | None, estimate: LLCEstimate, verdict: str) -> str:
    """Why λ̂ differs from λ, where something is known about it."""
    if toy.exact is None:
        return "λ is not known for this activation"
    exact = toy.exact
    if finite_n is not None and abs(finite_n / exact.llc - 1) > _CLOSE:
        # Beside the value at this n, what is left is the sampler's.
        rest = "" if verdict == "agrees" else "; of the exact value here: the step's bias"
        if exact.multiplicity > 1:
            return f"finite n: multiplicity {exact.multiplicity} reads low as (m − 1)/log nβ{rest}"
        return f"finite n: nβ and γ are not yet those of the limit{rest}"
    if verdict in ("agrees", "within 5 %"):
        return ""
    if exact.multiplicity > 1 and verdict == "low":
        return f"multiplicity {exact.multiplicity}: finite n reads low as (m − 1)/log nβ"
    if verdict == "low" and toy.model is not None:
        if "smooth" not in exact.source:
            return "w* is singular: its quartic directions fill slowly, and γ holds them"
        if toy.model.llc < exact.llc:
            return f"the chain may have left w* for weights of lower λ, down to {toy.model.llc:g}"
    return f"sampler: {estimate.status}"
