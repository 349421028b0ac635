"""Random deep linear networks in size classes.

The classes are those of Furman & Lau (2024, "Estimating the local learning coefficient at scale",
now part of arXiv 2308.12108), named by the number of parameters: widths uniform in a range, and
each layer's rank reduced with probability ½ to a uniform one.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class NetworkClass:
    """A distribution of architectures and layer ranks.

    Attributes:
        name: Its usual name.
        layers: Fewest and most layers.
        widths: Smallest and largest width.
        num_samples: n, samples of the benchmark.
    """

    name: str
    layers: tuple[int, int]
    widths: tuple[int, int]
    num_samples: int

    def draw(self, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Widths H_0 … H_L and the rank of each layer.

        Args:
            rng: The source of randomness.
        """
        layers = int(rng.integers(self.layers[0], self.layers[1], endpoint=True))
        widths = rng.integers(*self.widths, size=layers + 1, endpoint=True).tolist()
        ranks = []
        for before, after in pairwise(widths):
            full = min(before, after)
            reduced = rng.random() < 0.5
            ranks.append(int(rng.integers(0, full, endpoint=True)) if reduced else full)
        return widths, ranks


NETWORK_CLASSES = {
    one.name: one
    for one in (
        NetworkClass("1K", (2, 5), (5, 50), 100_000),
        NetworkClass("10K", (2, 10), (5, 100), 100_000),
        NetworkClass("100K", (2, 10), (50, 500), 1_000_000),
        NetworkClass("1M", (2, 20), (100, 1000), 1_000_000),
        NetworkClass("10M", (2, 20), (500, 2000), 1_000_000),
        NetworkClass("100M", (2, 40), (500, 3000), 1_000_000),
    )
}
"""By name, from the smallest to the largest."""
