"""λ̂ with its error and verdict, of one checkpoint and of many."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lambdascope.estimates.display import html_table, text_table
from lambdascope.estimates.verdict import Demands, Status
from lambdascope.wording import BETWEEN_SENTENCES, NORMAL_95, with_error

# √(gᵀ(H + γ)⁻¹g) of the slope g at w*, in widths of the posterior: from one on chains leave the
# place where w* is. At the last checkpoint of the README's example, with 1.4, λ̂ with the gradient's
# direction is 16 % below that without it, more than a quadratic's (docs/estimator.md).
LARGEST_SHIFT = 1.0
# What the slope takes from λ̂ in a quadratic potential, as a share of λ̂.
LARGEST_EFFECT = 0.1
# −d log λ̂ / d log γ, from which on λ̂ is γ's more than the network's: flat directions have 1.
LARGEST_SLOPE = 0.5
_SLOPING = (
    "the potential has a slope at w* (one that matters to λ̂), so chains slide down it: λ̂ across "
    "the gradient (OrthogonalToGradient, --orthogonal-to-gradient), or without weight decay in the "
    "potential, may be another; say which one you quote"
)
_STEEP = (
    f"λ̂ goes as γ to the power of −{LARGEST_SLOPE:g} or steeper, so it tells of the localisation "
    "more than of the network; compare it at one γ only"
)
# The other way: no quadratic potential does that.
LARGEST_RISE = 0.2
_RISING = (
    "λ̂ rises with γ, as no bowl around w* lets it: looser chains find places of lower loss than "
    "w* has around it; compare at one γ only, and quote it"
)
# Of what w* has learnt, its loss below that of guessing, the share that chains lose from which on
# they are called guessing; and the share of what they lose below which w* has learnt too little for
# that to be what λ̂ tells. Shares of differences, which a constant in the loss leaves alone.
GUESSING_SHARE, LEAST_LEARNT = 0.9, 0.25
_GUESSING = (
    "the chains know next to nothing of what w* has learnt (their mean loss is nine tenths of the "
    "way, or farther, from that at w* to that of one answer for every input): λ̂ tells how far w* "
    "is below guessing and worse, not how the loss bends around it; a larger localization keeps "
    "them nearer"
)
_UNHELD = (
    "nothing holds the chains to w* (γ = 0): where a direction is flat the posterior has no end, "
    "and λ̂ depends on how long they ran; use a localization"
)


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
        num_steps: Steps of each chain, those included.
        status: The verdict.
        advice: What the verdict means and what to try.
        llc_uncorrected: λ̂ as the chains gave it, before any bias was subtracted.
        mc_stderr: The Monte Carlo part of `stderr`.
        bias: Estimated bias of `llc_uncorrected` from step and minibatch; NaN where not estimated.
        bias_stderr: Standard error of `bias`.
        step_size: The step that was chosen, in the sampler's unit; NaN where the user chose it.
        llc_half_localization: λ̂ at γ/2, from short chains; NaN where not asked for.
        llc_double_localization: λ̂ at 2γ.
        llc_half_localization_stderr: Standard error of λ̂ at γ/2: its chains are few.
        llc_double_localization_stderr: Standard error of λ̂ at 2γ.
        localization_slope_stderr: Monte Carlo error of `localization_slope`, smaller than these two
            make it, whose chains share their random numbers.
        guessing_loss: Mean loss of the best single answer for every sample (`posterior.guessing`);
            NaN where the trace does not tell.
        across_gradient: Whether the chains were held to the hyperplane across the gradient at w*.
        localization: γ; NaN where the trace does not tell.
        tilt: ‖∇U(w*)‖/√γ in the directions that may move, U = nβ·L_n and weight decay: 0 at a
            minimum; NaN where the trace does not tell.
        slope_shift: How far that slope moves the chains, in their widths, by the curvature at w*
            (`sampling.sliding`): the tilt in a flat direction, next to nothing in a stiff one.
        slope_effect: What the slope takes from λ̂ in a quadratic potential of that curvature.
        demands: What the verdict asked of the chains.
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
    num_steps: int
    status: Status
    advice: str
    llc_uncorrected: float = math.nan
    mc_stderr: float = math.nan
    bias: float = math.nan
    bias_stderr: float = math.nan
    step_size: float = math.nan
    llc_half_localization: float = math.nan
    llc_double_localization: float = math.nan
    llc_half_localization_stderr: float = math.nan
    llc_double_localization_stderr: float = math.nan
    localization_slope_stderr: float = math.nan
    guessing_loss: float = math.nan
    across_gradient: bool = False
    localization: float = math.nan
    tilt: float = math.nan
    slope_shift: float = math.nan
    slope_effect: float = math.nan
    demands: Demands = field(default_factory=Demands)
    method: str = ""

    @property
    def localization_slope(self) -> float:
        """−d log λ̂ / d log γ between γ/2 and 2γ: 0 where λ̂ is the network's, 1 where it is γ's.

        In a quadratic potential a direction of curvature c adds ½·nβc/(nβc + γ): flat directions go
        as 1/γ, stiff ones do not change. NaN where it was not asked for, or one of them is not
        positive.
        """
        half, double = self.llc_half_localization, self.llc_double_localization
        return math.log(half / double) / math.log(4) if half > 0 and double > 0 else math.nan

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to keep in mind beside the verdict, a sentence each: of what λ̂ tells."""
        found = {
            _SLOPING: self._slides,
            _GUESSING: self._guesses,
            _STEEP: self.localization_slope - 2 * self.localization_slope_stderr > LARGEST_SLOPE,
            _RISING: self.localization_slope + 2 * self.localization_slope_stderr < -LARGEST_RISE,
            _UNHELD: self.localization == 0,
        }
        return tuple(caution for caution, applies in found.items() if applies)

    @property
    def _slides(self) -> bool:
        if math.isnan(self.slope_shift):  # a trace of before it was measured
            return self.tilt > LARGEST_SHIFT
        matters = max(LARGEST_EFFECT * abs(self.llc), 2 * self.stderr)
        return self.slope_shift > LARGEST_SHIFT or self.slope_effect > matters

    @property
    def _guesses(self) -> bool:
        learnt = self.guessing_loss - self.initial_loss
        lost = self.mean_loss - self.initial_loss
        return learnt > 0 and GUESSING_SHARE * learnt <= lost <= learnt / LEAST_LEARNT

    @property
    def interval(self) -> tuple[float, float]:
        """Nominal 95 % interval: λ̂ ± 1.96 · stderr."""
        reach = NORMAL_95 * self.stderr
        return self.llc - reach, self.llc + reach

    def __str__(self) -> str:
        value = with_error(self.llc, NORMAL_95 * self.stderr)
        more = "; see .cautions" if self.cautions else ""
        if self.status != Status.CONVERGED:
            more = "; see .advice"
        return f"λ̂ = {value} (95 %, {self.status}{more})"

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
        """Its standard error, [checkpoint], as `LLCEstimate.stderr` says."""
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
                "guessing_loss": one.guessing_loss,
                "num_chains": one.num_chains,
                "num_diverged_chains": one.num_diverged_chains,
                "num_burnin_steps": one.num_burnin_steps,
                "num_steps": one.num_steps,
                "largest_rhat": one.demands.rhat,
                "fewest_effective_draws": one.demands.effective_draws,
                "step_size": one.step_size,
                "method": one.method,
                "status": str(one.status),
                "advice": one.advice,
                "llc_uncorrected": one.llc_uncorrected,
                "mc_stderr": one.mc_stderr,
                "bias": one.bias,
                "bias_stderr": one.bias_stderr,
                "llc_half_localization": one.llc_half_localization,
                "llc_half_localization_stderr": one.llc_half_localization_stderr,
                "llc_double_localization": one.llc_double_localization,
                "llc_double_localization_stderr": one.llc_double_localization_stderr,
                "localization_slope": one.localization_slope,
                "localization_slope_stderr": one.localization_slope_stderr,
                "tilt": one.tilt,
                "slope_shift": one.slope_shift,
                "slope_effect": one.slope_effect,
                "cautions": BETWEEN_SENTENCES.join(one.cautions),
            }
            for one in self
        )

    def __repr__(self) -> str:
        return f"LLCCurve({', '.join(str(one) for one in self)})"

    def __str__(self) -> str:
        return text_table(self)

    def _repr_html_(self) -> str:
        return html_table(self)
