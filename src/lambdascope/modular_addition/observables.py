"""What can be recorded along a chain of weights: functions of one network's parameters."""

from collections.abc import Mapping

from torch import Tensor

from lambdascope.modular_addition.modes import mode_magnitudes


class EmbeddingModes:
    """The magnitude of each mode 1 … p//2 of the embedding.

    `sample(..., observables={"modes": EmbeddingModes(p)})` records it along every chain.

    Args:
        p: the modulus; rows of the embedding beyond it (the token =) are left out.
    """

    def __init__(self, p: int) -> None:
        self.p = p

    def __call__(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """One network's parameters by name → [p//2], in units of weights."""
        return mode_magnitudes(parameters["embedding.weight"][: self.p])[1:]
