"""The circuits of a network that adds mod p: how many, which, and what each contributes.

A circuit is a Fourier mode of the embedding that the network adds with. One is found where four
tests agree, none of which has a threshold set by hand:

1. *In the embedding*: the mode's power over the median power exceeds what the largest of a random
   embedding of the same shape exceeds with the error rate (`power_ratio_threshold`).
2. *In the logits*: with the mode alone, the classes lie on the circle that the sum makes, better
   than randomly named classes would with the error rate, all modes of test 1 together
   (`alignment_p_value`), and with a phase error below 90°. Where the embedding reads the answer,
   too, better than a random direction would (`tied_alignment_p_value`).
3. *Removed*: taking the mode out of the embedding raises the loss by more than taking out any mode
   that failed test 1.
4. *Kept*: of an embedding that keeps only the circuits, taking the mode out raises the loss by more
   than putting in any mode that failed test 1 would lower it. A mode that fails is dropped, the
   weakest first, and the others are tested again.

The loss of tests 3 and 4 is the mean cross-entropy of a + b mod p over all pairs, whatever the
network was trained on, with the logits multiplied so that it is half of ln p, the loss of guessing
(`circuit_effects`): a circuit counts even where others would do without it, and the logits' size
does not matter.

So a network that holds none shows one with at most the error rate (test 1 alone sees to that, where
its embedding is like a random one; tests 2 to 4 only take away). A mode that tests 1 and 2 let
through and that means no more to the answer than the m modes of the noise passes test 3 by chance
once in m + 1 times.

At p = 5 even a perfect circle would come about by chance in 4 % of all namings of the classes: test
2 can't be passed at an error rate of 1 %, and no circuit is found there, but with a tied
unembedding, whose classes are not named at random. A circuit must exceed the
median mode, so at most half of the modes, rounded down, can be found: one of three at p = 7.

For even p, mode p/2 is a circle of two points, and no circle accompanies another; with a tied
unembedding nothing tells its work from chance, and it is never counted. For composite p a
mode that shares a factor with p has fewer points; it is counted as any other. k and p − k are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import Network, check_architecture, is_tied
from lambdascope.modular_addition.circuit_effects import (
    kept_sets,
    losses_without,
    modes_that_matter,
)
from lambdascope.modular_addition.circuit_null import (
    SMALLEST_P,
    power_ratio_threshold,
    power_ratios,
)
from lambdascope.modular_addition.logit_waves import (
    alignment,
    alignment_p_value,
    sum_wave_shares,
    tied_alignment_p_value,
)
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.neurons import dominant_frequencies
from lambdascope.modular_addition.probing import (
    logits_with,
    losses_with,
    neurons_of,
    token_embedding,
)
from lambdascope.modular_addition.projections import keep_modes, remove_modes

ERROR_RATE = 0.01
"""Of finding a circuit in a network that holds none."""

LOSS_SHARE = 0.5
"""Of ln p: the loss at which modes are judged. The count depends on it little; see the docs."""


@dataclass(frozen=True)
class Circuit:
    """One circuit and what it contributes.

    Attributes:
        frequency: k, the mode of the embedding.
        power_ratio: its power in the embedding over the median mode's.
        alignment: of the classes with the circle, with the mode alone: 0 to 1.
        phase_error: by how much the answer lies off the circle's reading, in degrees.
        accompanying: the alignment is that of a circle that accompanies one of half its frequency.
        loss_alone: loss, in nats, of an embedding that keeps this mode only.
        loss_removed: loss, in nats, of an embedding that lacks it.
        loss_without: loss, in nats, when the other circuits are kept and this one is not.
        logit_share: share of the logits' variance in cos and sin(w_k(a + b − c)); 0 for a circle
            that accompanies another.
        num_neurons: neurons whose dominant frequency is k.
    """

    frequency: int
    power_ratio: float
    alignment: float
    phase_error: float
    accompanying: bool
    loss_alone: float
    loss_removed: float
    loss_without: float
    logit_share: float
    num_neurons: int


@dataclass(frozen=True)
class CircuitSearch:
    """The circuits of a network, and the network with and without them.

    Attributes:
        circuits: in the order of their power ratio, the strongest first.
        candidates: modes that passed test 1 but no circuits, in the same order.
        power_ratio_threshold: of test 1.
        loss: of the network as it is, in nats; likewise below, of all pairs.
        accuracy: share of pairs whose answer has the largest logit.
        loss_kept: with the circuits only.
        accuracy_kept: likewise.
        loss_removed: without the circuits.
        accuracy_removed: likewise; 1/p is chance.
    """

    circuits: tuple[Circuit, ...]
    candidates: tuple[int, ...]
    power_ratio_threshold: float
    loss: float
    accuracy: float
    loss_kept: float
    accuracy_kept: float
    loss_removed: float
    accuracy_removed: float

    @property
    def frequencies(self) -> tuple[int, ...]:
        """The circuits' frequencies, the strongest first."""
        return tuple(circuit.frequency for circuit in self.circuits)

    @property
    def effective_number(self) -> float:
        """How many circuits of equal logit share it amounts to: (Σ share)² / Σ share², or 0."""
        shares = [circuit.logit_share for circuit in self.circuits]
        squares = sum(share**2 for share in shares)
        return sum(shares) ** 2 / squares if squares > 0 else 0.0


def find_circuits(
    network: Network, *, error_rate: float = ERROR_RATE, loss_share: float = LOSS_SHARE
) -> CircuitSearch:
    """Find the circuits of a network, by the rule above.

    Args:
        network: an MLP or a transformer of this package, p ≥ 5.
        error_rate: of finding a circuit in a network that holds none, 0 to 1.
        loss_share: the loss at which tests 3 and 4 are made, over ln p: above 0, below 1.

    Raises:
        LambdascopeError: the architecture is unknown, the embedding has the wrong shape, weights
            are not finite, p < 5, or the error rate or the share of the loss is impossible.
    """
    network = check_architecture(network)
    p = network.p
    if p < SMALLEST_P:
        raise LambdascopeError(
            f"p={p} has too few Fourier modes ({p // 2}) to tell a circuit from noise: p should "
            f"be at least {SMALLEST_P}"
        )
    if not 0 < loss_share < 1:
        raise LambdascopeError(f"loss_share={loss_share}: it should be above 0 and below 1")
    embedding = token_embedding(network)
    ratios = power_ratios(embedding)
    threshold = power_ratio_threshold(p, embedding.shape[1], error_rate)
    order = (ratios.argsort(descending=True) + 1).tolist()
    candidates = [mode for mode in order if ratios[mode - 1] > threshold]
    noise = [mode for mode in order if mode not in candidates]
    aligned = {mode: alignment_alone(network, embedding, mode) for mode in candidates}
    on_circles = on_their_circles(network, aligned, error_rate)
    chosen = modes_that_matter(network, embedding, on_circles, noise, loss_share)
    mask = mode_mask(p, chosen)
    loss, accuracy = _one(network, embedding)
    loss_kept, accuracy_kept = _one(network, keep_modes(embedding, mask))
    loss_removed, accuracy_removed = _one(network, remove_modes(embedding, mask))
    alone, _ = losses_with(network, kept_sets(embedding, [[mode] for mode in chosen]))
    removed = losses_without(network, embedding, chosen)
    others = [[mode for mode in chosen if mode != left_out] for left_out in chosen]
    without, _ = losses_with(network, kept_sets(embedding, others))
    shares = sum_wave_shares(logits_with(network, embedding[None])[0])
    neurons = dominant_frequencies(neurons_of(network))
    circuits = [
        Circuit(
            frequency=mode,
            power_ratio=ratios[mode - 1].item(),
            alignment=aligned[mode][0],
            phase_error=aligned[mode][1],
            accompanying=aligned[mode][2],
            loss_alone=alone[place].item(),
            loss_removed=removed[mode],
            loss_without=without[place].item(),
            logit_share=shares[mode].item(),
            num_neurons=int((neurons == mode).sum()),
        )
        for place, mode in enumerate(chosen)
    ]
    return CircuitSearch(
        tuple(circuits),
        tuple(mode for mode in candidates if mode not in chosen),
        threshold,
        loss,
        accuracy,
        loss_kept,
        accuracy_kept,
        loss_removed,
        accuracy_removed,
    )


def _one(network: Network, embedding: Tensor) -> tuple[float, float]:
    losses, accuracies = losses_with(network, embedding[None])
    return losses.item(), accuracies.item()


def alignment_alone(network: Network, embedding: Tensor, mode: int) -> tuple[float, float, bool]:
    """The `alignment` of a mode that is alone in the embedding."""
    alone = keep_modes(embedding, mode_mask(network.p, [mode]))[None]
    elsewhere = logits_with(network, alone, at_both_ends=False)[0] if is_tied(network) else None
    return alignment(logits_with(network, alone)[0], mode, elsewhere)


def on_their_circles(
    network: Network, aligned: Mapping[int, tuple[float, float, bool]], error_rate: float
) -> list[int]:
    """The modes that pass test 2.

    Args:
        network: whose modes they are.
        aligned: mode → `alignment_alone`, of all modes that passed test 1.
        error_rate: of all of them together.
    """
    passed = []
    for mode, (value, phase_error, _) in aligned.items():
        chance = (
            tied_alignment_p_value(value, phase_error, network.p, mode)
            if is_tied(network)
            else alignment_p_value(value, network.p, mode)
        )
        if chance * len(aligned) < error_rate and abs(phase_error) < 90:
            passed.append(mode)
    return passed
