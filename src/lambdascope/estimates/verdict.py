"""A verdict on an estimate, in words, with what to try."""

import math
from dataclasses import dataclass
from enum import StrEnum

from lambdascope.estimates.movement import Movement

# The guides to λ̂ name 1.05 to 1.1. On means of blocks, where a few hundred effective draws are
# many, R-hat of chains that agree scatters up to 1.06; Vehtari et al.'s 1.01 asks for thousands.
LARGEST_RHAT = 1.1
# Enough to know the error itself to a tenth: its relative error is about 1/√(2·ESS).
FEWEST_EFFECTIVE_DRAWS = 50
LARGEST_DRIFT = 4.0
# Of ‖w − w*‖² from the first half of the trace to the second. Soft directions, which take 2/(ε·γ)
# steps to settle, show in it long before they show in the noisy loss.
LARGEST_GROWTH = 0.15
# R-hat of ‖w − w*‖², the slowest of what is recorded, and so far from R-hat's own ideal in chains
# that read the loss well: chains that have hardly left w* are far above it.
LARGEST_DISTANCE_RHAT = 1.2
# Relative spread of ‖w − w*‖² over half chains, from which on a high R-hat of it counts. In
# thousands of directions it varies so little that R-hat sees differences which no λ̂ feels.
LARGEST_SPREAD = 0.1
# In equilibrium γ·E‖w − w*‖² = (free directions) − nβ·E[(w − w*)·∇L] (integrate by parts): above 1
# the loss pushes chains away from w*.
LARGEST_REACH = 1.5
# Beyond this nothing in the loss explains it: the step is too long, and the chains explode, though
# their numbers are finite yet. That they disagree, too, is no more than a consequence. The
# automatic estimate tells by it which pilots ran away.
ABSURD_REACH = 1e3
# Of the underdamped samplers. Stiff directions share the heat of the noise, so λ̂ reads high by
# about as much.
HIGHEST_TEMPERATURE = 1.05

# Of ‖w − w*‖: one cannot show growth.
_FEWEST_DISTANCES = 2
_MOST_DIGITS = 12  # of what is just above its limit


@dataclass(frozen=True)
class Demands:
    """What is asked of chains before an estimate from them is called converged.

    Attributes:
        rhat: Largest R-hat of the loss.
        effective_draws: Fewest effective draws.
    """

    rhat: float = LARGEST_RHAT
    effective_draws: float = FEWEST_EFFECTIVE_DRAWS


class Status(StrEnum):
    """What became of an estimate."""

    CONVERGED = "converged"
    ALL_DIVERGED = "all chains diverged"
    DIVERGED_CHAINS = "diverged chains"
    TOO_FEW_SAMPLES = "too few samples"
    NOT_CONVERGED = "not converged"
    NOT_AT_A_MINIMUM = "not at a minimum"
    ESCAPED = "escaped"
    HEATED = "heated"
    TARGET_NOT_REACHED = "target not reached"


SOUND = (Status.CONVERGED, Status.NOT_AT_A_MINIMUM)
"""Verdicts on the value, of chains that are beyond reproach (`judge_value`)."""


def judge(
    *,
    num_chains: int,
    num_diverged: int,
    llc: float,
    stderr: float,
    rhat: float,
    ess: float,
    drift: float,
    moved: Movement | None = None,
    temperature: float = math.nan,
    temperature_stderr: float = math.nan,
    demands: Demands | None = None,
    varies: bool = True,
    across_gradient: bool = False,
) -> tuple[Status, str]:
    """The most serious finding, and a sentence that says what to try.

    Args:
        num_chains: Chains run.
        num_diverged: Chains with NaN or infinite loss, left out of the other numbers.
        llc: λ̂.
        stderr: Its Monte Carlo error.
        rhat: Rank-normalised split R-hat.
        ess: Bulk effective sample size.
        drift: Second half of the trace against the first, in standard errors.
        moved: Where the chains went; None if the trace does not tell.
        temperature: Mean kinetic temperature, 1 in equilibrium; NaN if the sampler has none.
        temperature_stderr: Its standard error.
        demands: What is asked; None: the defaults.
        varies: Whether the loss changes at all along the chains.
        across_gradient: Whether they are held across the gradient already.
    """
    demands, moved = demands or Demands(), moved or Movement()
    if num_diverged == num_chains:
        return (
            Status.ALL_DIVERGED,
            f"all {num_chains} chains reached NaN or infinite loss; use a smaller step_size or a "
            "larger localization.",
        )
    if num_diverged:
        return (
            Status.DIVERGED_CHAINS,
            f"{num_diverged} of {num_chains} chains reached NaN or infinite loss and are left out, "
            "which favours the tame ones; use a smaller step_size.",
        )
    if not varies and moved.mean > 0:
        return (
            Status.TOO_FEW_SAMPLES,
            "the loss does not vary along the chains, though the weights move: nothing of what "
            "moves acts on it (dead units? parameters that the output does not use?).",
        )
    if math.isnan(ess):
        return (
            Status.TOO_FEW_SAMPLES,
            "there are too few steps after burn-in to tell an error, or the loss does not vary; "
            "run more steps, or use a larger step_size.",
        )
    if moved.reach > ABSURD_REACH:
        return (
            Status.ESCAPED,
            f"the chains went {math.sqrt(moved.reach):.2g} times as far as localization alone lets "
            "them, as they do where the step is too long; use a smaller step_size, or a larger "
            "localization.",
        )
    if rhat > demands.rhat:
        return (
            Status.NOT_CONVERGED,
            f"the chains disagree (R-hat {_above(rhat, demands.rhat, 3)}); run more steps, or a "
            "longer burn-in.",
        )
    if abs(drift) > LARGEST_DRIFT:
        direction = "rising" if drift > 0 else "falling"
        return (
            Status.NOT_CONVERGED,
            f"the loss is still {direction} ({abs(drift):.1f} standard errors between the halves); "
            "run more steps, or a longer burn-in.",
        )
    if moved.draws < _FEWEST_DISTANCES:
        return (
            Status.TOO_FEW_SAMPLES,
            f"{moved.draws:.0f} draws of ‖w − w*‖ a chain after burn-in do not tell whether the "
            "chains have settled; run more steps, or use a smaller thinning.",
        )
    if moved.mean == 0:
        return (
            Status.NOT_CONVERGED,
            "the chains never left w*: the step vanishes beside the weights; use a larger "
            "step_size.",
        )
    # An error that is not known, of few draws, does not excuse growth.
    if moved.growth > LARGEST_GROWTH and not moved.growth <= 2 * moved.growth_stderr:
        return (
            Status.NOT_CONVERGED,
            f"the chains are still moving away from w* (‖w − w*‖² grew by {moved.growth:.0%} "
            "between the halves); run more steps, a larger step_size, or a larger localization.",
        )
    if moved.rhat > LARGEST_DISTANCE_RHAT and moved.spread > LARGEST_SPREAD:
        return (
            Status.NOT_CONVERGED,
            f"the chains went different distances from w* (R-hat of ‖w − w*‖² "
            f"{_above(moved.rhat, LARGEST_DISTANCE_RHAT, 2)}), so they have not forgotten "
            "where they began; run more steps, a larger step_size, or a larger localization.",
        )
    if moved.reach > LARGEST_REACH:
        return (
            Status.ESCAPED,
            f"the chains went {math.sqrt(moved.reach):.1f} times as far as localization alone lets "
            "them, so λ̂ speaks of other places than w*; use a larger localization"
            + (
                "."
                if across_gradient
                else ", or OrthogonalToGradient where w* is not at a minimum."
            ),
        )
    if not math.isfinite(stderr) or not ess >= demands.effective_draws:
        return (
            Status.TOO_FEW_SAMPLES,
            f"the chains hold {ess:.0f} effective draws, {demands.effective_draws:.0f} are needed; "
            "run more steps or more chains.",
        )
    if temperature > HIGHEST_TEMPERATURE and temperature - 1 > 3 * temperature_stderr:
        return (
            Status.HEATED,
            f"the chains are too hot (kinetic temperature {temperature:.2f}, 1 is right), as the "
            "noise of minibatches or a long step makes them, so λ̂ reads high; use a larger "
            "batch_size, a smaller step_size or more friction.",
        )
    return judge_value(llc, stderr, across_gradient=across_gradient)


def judge_value(llc: float, stderr: float, *, across_gradient: bool = False) -> tuple[Status, str]:
    """The verdict on a value whose chains are beyond reproach.

    Args:
        llc: λ̂.
        stderr: Its standard error.
        across_gradient: Whether the chains are held across the gradient already.
    """
    if llc < -3 * stderr:
        return (
            Status.NOT_AT_A_MINIMUM,
            "the chains found lower loss than at w*, so λ̂ is negative: the weights are not at a "
            "minimum; "
            + ("use" if across_gradient else "try OrthogonalToGradient or")
            + " a larger localization.",
        )
    return Status.CONVERGED, "the chains agree."


def _above(value: float, limit: float, digits: int) -> str:
    """Both, in as many digits as asked for, or in more if it takes them to tell them apart."""
    while digits < _MOST_DIGITS and f"{value:.{digits}f}" == f"{limit:.{digits}f}":
        digits += 1
    return f"{value:.{digits}f}, above {limit:g}"
