"""What an automatic estimate says: what was chosen and why, and what to try."""

import re
from collections.abc import Sequence
from dataclasses import replace

import xarray as xr

from lambdascope.estimates.curve import LLCEstimate
from lambdascope.estimates.step_choice import StepChoice
from lambdascope.estimates.verdict import Status
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.samplers import BAOAB, SGLD
from lambdascope.samplers.base import Kernel

# What to try, where the verdict's sentence names settings of a sampler, which here are chosen.
_CURES = {
    Status.ALL_DIVERGED: "raise the localization",
    Status.DIVERGED_CHAINS: "raise the localization",
    Status.ESCAPED: "raise the localization",
    Status.NOT_CONVERGED: "raise max_steps or the localization",
    Status.TOO_FEW_SAMPLES: "raise max_steps or the localization",
    Status.HEATED: "raise the localization, or sample with a shorter step of your own",
}
_OF_A_SAMPLER = re.compile(r"; [^;]*\b(?:step_size|batch_size|more steps|thinning)\b[^;]*$")


def in_terms_of_automatic(one: LLCEstimate, kernel: Kernel) -> LLCEstimate:
    """The estimate, with advice on what was not chosen instead of on settings of a sampler."""
    # Of SGLD's bias the sentence says itself what helps.
    if one.status not in _CURES or (one.status is Status.HEATED and isinstance(kernel, SGLD)):
        return one
    return replace(one, advice=_OF_A_SAMPLER.sub(f"; {_CURES[one.status]}.", one.advice))


def method_of(kernel: Kernel) -> str:
    """The sampler and what is done about its bias, in a few words."""
    if isinstance(kernel, BAOAB):
        return "full-batch BAOAB, steps h and 2h"
    return f"SGLD, minibatch {kernel.batch_size}, extrapolated from steps ε and 2ε"


def choices_of(
    choice: StepChoice,
    many: Sequence[LocalPosterior],
    traces: Sequence[xr.Dataset],
    num_first: int,
) -> tuple[str, ...]:
    """What was chosen and why, in sentences.

    Args:
        choice: The sampler and its steps.
        many: The posteriors.
        traces: Their traces.
        num_first: How many of these are not of checkpoints that ran again.
    """
    n = max(posterior.samples.num_samples for posterior in many)
    if isinstance(choice.kernel, BAOAB):
        why = "the potential has no data" if n == 0 else f"{n:,} samples can be read at every step"
        if choice.kernel.microbatch_size is not None:
            why += f", in parts of {choice.kernel.microbatch_size:,}"
        first = f"full-batch BAOAB, friction {choice.kernel.friction:.2g}, since {why}"
        rule = f"h = {choice.scale}/ω with ω² the largest curvature of the potential"
    else:
        first = f"SGLD with minibatches of {choice.kernel.batch_size}, since {n:,} samples "
        first += "are more than a full-batch step reads, or their gradient more than memory holds"
        rule = f"ε = {choice.scale}/ω² with ω² the largest curvature of the potential"
    low, high = f"{choice.steps.min():.3g}", f"{choice.steps.max():.3g}"
    num_chains = traces[0].sizes["chain"]
    steps = _range([trace.sizes["step"] for trace in traces[:num_first]])
    sentences = [
        first,
        f"step sizes {low if low == high else f'{low} … {high}'}: {rule}",
        f"{num_chains - num_chains // 4} chains at that step and {num_chains // 4} at twice that, "
        "which measures its bias",
        f"{steps} steps a chain, burn-in where the trace settles",
    ]
    if again := traces[num_first:]:
        count = len({one for trace in again for one in trace["checkpoint"].values.tolist()})
        steps = _range([trace.sizes["step"] for trace in again])
        sentences.append(
            f"{count} of {len(many)} checkpoints ran again with {steps} steps, to reach the target "
            "error or settle, or since the first error of a small λ̂ is low where λ̂ happens to be"
        )
    return tuple(sentences)


def _range(numbers: Sequence[int]) -> str:
    low, high = f"{min(numbers):,}", f"{max(numbers):,}"
    return low if low == high else f"{low} … {high}"
