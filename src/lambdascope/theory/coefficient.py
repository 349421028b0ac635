"""What an exact answer consists of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LearningCoefficient:
    """The learning coefficient of a model: the volume of {K < t} goes as t^λ (−log t)^(m−1).

    Source: Watanabe 2009, "Algebraic geometry and statistical learning theory".

    Attributes:
        llc: λ > 0, dimensionless.
        multiplicity: m ≥ 1, the order of the pole at −λ. Where it exceeds 1, a finite sample reads
            lower than λ, by about (m − 1)/log nβ.
        source: Where the formula comes from.
    """

    llc: float
    multiplicity: int
    source: str
