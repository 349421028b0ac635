"""Which chains a call of `sample` runs, and their tensors."""

from collections.abc import Sequence

from lambdascope.samplers.base import Kernel
from lambdascope.sampling.plan import Plan
from lambdascope.sampling.randomness import chain_keys
from lambdascope.sampling.stack import ChainTensors, PosteriorStack


class Job:
    """Which chains there are: all chains of the first checkpoint, then of the next."""

    def __init__(
        self,
        stack: PosteriorStack,
        kernel: Kernel,
        plan: Plan,
        labels: Sequence[int],
        num_chains: int,
        num_steps: int,
        seed: int,
        step_factors: list[list[float]] | None,
    ) -> None:
        self.stack, self.kernel, self.plan, self.seed = stack, kernel, plan, seed
        self.labels, self.num_chains, self.num_steps = labels, num_chains, num_steps
        self.step_factors = step_factors
        self.total = len(labels) * num_chains

    def chains(self, chunk: int) -> ChainTensors:
        """The tensors of one chunk."""
        positions = self.plan.chunk(chunk, self.total)
        pairs = [divmod(position, self.num_chains) for position in positions]
        keys = chain_keys(self.seed, [(self.labels[which], chain) for which, chain in pairs])
        factors = None
        if self.step_factors is not None:
            factors = [self.step_factors[which][chain] for which, chain in pairs]
        return self.stack.of_chains([which for which, _ in pairs], keys, factors)
