"""Clock, pizza, mixed or neither: the measures of a network weighed against each other.

Each measure is put on one scale, from −1, where it is what a clock has, to +1, where it is what a
pizza has, linearly in between and no further:

    measure                                     clock    pizza    where the two values come from
    logit fit, pizza less clock, at frequency   −0.19    0.19     the formulas themselves
    doubling                                    0        0.0996   the formulas themselves
    distance irrelevance                        0.8      0.4      within the published .848, .172
    gradient symmetricity                       0.334    0.994    the published values

The first two look at the waves over c of the circle's own frequency: what the formulas are about.
The hidden layer has mode 2k in a clock as well, if it multiplies by way of squares; the unembedding
cancels it. A circle's score is the mean of the two. A network's is the mean of its circles' scores
by their share of the logits, taken twice, of the distance irrelevance, and of the symmetricity, by
its `symmetricity_weight`: the less the architecture decides it, the more. An accompanying circle is
part of a pizza, but has no share in the mean logits and so carries no weight; nor does a circle of
neither kind. A score beyond ±1/3 is a verdict; between them it is "mixed".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lambdascope.modular_addition.architectures import Network, check_architecture
from lambdascope.modular_addition.clock_or_pizza import (
    circularity,
    distance_irrelevance,
    doubling,
    gradient_symmetricity,
    logit_fits,
    waves_read,
)
from lambdascope.modular_addition.logit_waves import sum_wave_shares
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.probing import logits_with, token_embedding
from lambdascope.modular_addition.projections import keep_modes

Verdict = Literal["clock", "pizza", "mixed", "neither"]
Kind = Literal["clock", "pizza", "accompanying", "mixed", "neither"]

_MARGIN = 1 / 3
_LEAST_FIT = 0.5


@dataclass(frozen=True)
class Circle:
    """What one circle of the embedding does when it is the only one.

    Attributes:
        mode: k of the embedding.
        fits: formula → share of the whole logits' variance that it explains.
        fits_at_frequency: the same, of the waves over c of the frequency served.
        doubling: of what the unembedding reads for the frequency k: power of mode 2k over that of k
            and 2k.
        score: −1 clock … +1 pizza; NaN where the kind is accompanying or neither.
        kind: a clock's circle, a pizza's, one that accompanies a pizza, a mixture, or neither: no
            formula explains half of the waves of its frequency.
    """

    mode: int
    fits: Mapping[str, float]
    fits_at_frequency: Mapping[str, float]
    doubling: float
    score: float
    kind: Kind


@dataclass(frozen=True)
class Classification:
    """A network's measures and what they add up to.

    Attributes:
        verdict: clock, pizza, mixed, or neither: no circle is a clock's, a pizza's or a mixture.
        score: −1 clock … +1 pizza; NaN for neither.
        logit_share: share of the logits' variance in the waves of the circles that the verdict
            rests on; the rest of the logits has no say in it.
        symmetricity: gradient symmetricity.
        symmetricity_weight: 0 to 1, in the score, where the distance irrelevance has 1; 0 where the
            architecture decides it.
        distance_irrelevance: of the correct logit.
        circularity: of the embedding.
        circles: one a mode asked for.
    """

    verdict: Verdict
    score: float
    logit_share: float
    symmetricity: float
    symmetricity_weight: float
    distance_irrelevance: float
    circularity: float
    circles: Sequence[Circle]


def classify(network: Network, modes: Sequence[int]) -> Classification:
    """Tell whether a network is a clock or a pizza.

    Args:
        network: of a known architecture, p ≥ 5.
        modes: the circles of its embedding, each 1 … p//2, as `find_circuits` finds them.

    Raises:
        LambdascopeError: the architecture is unknown, p < 5, or a mode does not exist.
    """
    network = check_architecture(network)
    embedding = token_embedding(network)
    logits = logits_with(network, embedding[None])[0]
    symmetricity = gradient_symmetricity(network)
    irrelevance = distance_irrelevance(logits).item()
    circles = [classify_circle(network, mode) for mode in modes]
    shares = sum_wave_shares(logits)
    known = [(shares[c.mode].item(), c.score) for c in circles if not math.isnan(c.score)]
    weight = symmetricity_weight(network)
    total = sum((share for share, _ in known), start=0.0)
    score = math.nan
    if total > 0:
        of_circles = sum(share * each for share, each in known) / total
        others = _scale(irrelevance, 0.8, 0.4) + weight * _scale(symmetricity, 0.334, 0.994)
        score = (2 * of_circles + others) / (3 + weight)
    return Classification(
        "neither" if math.isnan(score) else _verdict(score),
        score,
        total,
        symmetricity,
        weight,
        irrelevance,
        circularity(embedding),
        circles,
    )


def classify_circle(network: Network, mode: int) -> Circle:
    """Tell what one circle of the embedding does when it is the only one.

    Args:
        network: of a known architecture.
        mode: k, 1 … p//2.

    Raises:
        LambdascopeError: the mode does not exist.
    """
    alone = keep_modes(token_embedding(network), mode_mask(network.p, [mode]))[None]
    logits = logits_with(network, alone)[0]
    fits = logit_fits(logits, mode)
    near = logit_fits(logits, mode, at_frequency=True)
    doubled = doubling(waves_read(logits, mode), mode)
    # The formulas serve two frequencies. Which of them the circle serves, the whole logits tell;
    # what it does there, the waves of that frequency: of the other one, a trace has a shape too.
    best = _largest(fits)
    if best != "accompanying":
        best = _largest({name: near[name] for name in ("clock", "pizza")})
    score: float = math.nan
    kind: Kind = "neither"
    # At the frequency alone, rounding has a shape as well: the formula must see what is there.
    if near[best] >= _LEAST_FIT and fits[best] > 0.01:
        kind = "accompanying"
        if best != "accompanying":
            shape = _scale(near["pizza"] - near["clock"], -0.19, 0.19)
            # Where doubling says nothing the fit alone decides.
            score = shape if math.isnan(doubled) else (shape + _scale(doubled, 0.0, 0.0996)) / 2
            kind = _verdict(score)
    return Circle(mode, fits, near, doubled, score, kind)


def symmetricity_weight(network: Network) -> float:
    """How far the gradient symmetricity tells what the network does, and not how it is built.

    Of a transformer the attention rate: constant attention adds the operands alike, which forces
    the symmetricity towards 1, and near it the same is nearly so. Of an MLP none. With tied first
    maps it is 1. With two of them the gradients have come through both, two matrices that need not
    agree where no circle lies: the same logits may have any symmetricity, and it is near 0 before
    training and after it.

    Args:
        network: of a known architecture.

    Returns:
        0 to 1, dimensionless.
    """
    return 0.0 if isinstance(network, ModularAdditionMLP) else float(network.attention_rate)


def _largest(fits: Mapping[str, float]) -> str:
    """The formula that explains most; one without anything to explain comes last."""
    return max(fits, key=lambda name: -1 if math.isnan(fits[name]) else fits[name])


def _verdict(score: float) -> Literal["clock", "pizza", "mixed"]:
    if abs(score) <= _MARGIN:
        return "mixed"
    return "pizza" if score > 0 else "clock"


def _scale(value: float, clock: float, pizza: float) -> float:
    """Where a value lies: −1 at a clock's, +1 at a pizza's, 0 where it is not known."""
    if math.isnan(value):
        return 0.0
    return max(-1.0, min(1.0, 2 * (value - clock) / (pizza - clock) - 1))
