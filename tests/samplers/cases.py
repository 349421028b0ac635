"""Every sampler with settings and what is known of it, and a Gaussian to run it on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.samplers.base import Evaluation, Kernel
from lambdascope.sampling.randomness import ChainNoise, chain_keys

DIMENSION, CHAINS = 4, 5


@dataclass(frozen=True)
class Case:
    """A sampler and what is known of it.

    Attributes:
        kernel: With settings that are stable on the Gaussian below (curvatures 0.5 … 4).
        stationary_factor: What the variance along a direction of curvature c (of the potential) is,
            relative to 1/c.
        num_steps: Enough for the covariance to a few per cent with 400 chains.
        small_step: A step size for the classifier of tests/problems.py.
        order: Its error falls as this power of the step size; None: it has none.
        skewed_step: A step size for the skewed target of test_skewed.py (curvatures about 1 … 6).
        batch_sizes: Those it takes.
    """

    kernel: Kernel
    stationary_factor: Callable[[np.ndarray], np.ndarray]
    num_steps: int
    small_step: float
    order: int | None
    skewed_step: float
    batch_sizes: tuple[int | None, ...] = (None, 13)


def with_momentum(step, momentum):
    """The variance that a step εG of Adam's drift gives, relative to 1/c, for constant G."""

    def factor(curvature):
        variances = []
        for c in curvature:
            rate = step * c / 2  # rows: w and the running mean of gradients, over c
            matrix = np.array(
                [[1 - rate * (1 - momentum), -rate * momentum], [1 - momentum, momentum]]
            )
            covariance = np.zeros((2, 2))
            for _ in range(2000):
                covariance = matrix @ covariance @ matrix.T + np.diag([step, 0.0])
            variances.append(covariance[0, 0] * c)
        return np.array(variances)

    return factor


# The preconditioned ones on a scale where G is nearly constant, 1/6.4, and after a while is so
# exactly: what its changing costs is measured in test_preconditioned.py.
PRECONDITIONED = {"decay": 0.95, "damping": 5.0, "num_adaptation_steps": 100}

CASES = {
    "SGLD": Case(ls.SGLD(step_size=0.2), lambda c: 1 / (1 - 0.2 * c / 4), 400, 1e-3, 1, 0.1),
    "BAOAB": Case(ls.BAOAB(step_size=0.6), np.ones_like, 400, 0.03, 2, 0.4),
    "MALA": Case(ls.MALA(step_size=0.5), np.ones_like, 800, 1e-3, None, 0.5, (None,)),
    "HMC": Case(
        ls.HMC(step_size=0.4, num_leapfrog_steps=4, num_warmup_trajectories=15),
        np.ones_like,
        600,
        0.03,
        None,
        0.4,
        (None,),
    ),
    "RMSpropSGLD": Case(
        ls.RMSpropSGLD(step_size=6.4 * 0.2, **PRECONDITIONED),
        lambda c: 1 / (1 - 0.2 * c / 4),
        400,
        5e-3,
        1,
        0.6,
    ),
    "AdamSGLD": Case(
        ls.AdamSGLD(step_size=6.4 * 0.1, momentum=0.5, **PRECONDITIONED),
        with_momentum(0.1, 0.5),
        600,
        5e-3,
        1,
        0.3,
    ),
    "SGNHT": Case(ls.SGNHT(step_size=0.3), np.ones_like, 600, 0.03, 2, 0.3),
}
each_sampler = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def with_settings(case, **settings):
    return type(case.kernel)(**{**case.kernel.model_dump(), **settings})


def small(case, **settings):
    """The case's sampler with steps for the classifier, whose curvatures reach some hundreds."""
    return with_settings(case, step_size=case.small_step, **settings)


@dataclass
class Gaussian:
    """U = ½ (w − mean)ᵀ P (w − mean), restricted to the orthogonal complement of `normal`."""

    w_star: torch.Tensor
    precision: torch.Tensor
    mean: torch.Tensor
    normal: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    step_factor: torch.Tensor | None = None
    calls: int = 0

    @property
    def num_free(self):
        mask = torch.ones(DIMENSION) if self.mask is None else self.mask
        return (mask.sum() - int(self.normal is not None)).expand(len(self.w_star))

    def evaluate(self, w):
        self.calls += 1
        gradient = (w - self.mean) @ self.precision
        loss = ((w - self.mean) * gradient).sum(dim=1) / 2
        return Evaluation(loss, gradient, gradient.clone())

    def potential(self, w, loss):
        return loss.double()

    def restrict(self, displacement):
        if self.mask is not None:
            displacement = displacement * self.mask
        if self.normal is not None:
            displacement = displacement - (displacement @ self.normal)[:, None] * self.normal
        return displacement


def rotated_precision():
    generator = torch.Generator().manual_seed(0)
    q, _ = torch.linalg.qr(
        torch.randn(DIMENSION, DIMENSION, dtype=torch.float64, generator=generator)
    )
    curvature = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    return q * curvature @ q.T


def gaussian(chains=CHAINS, dtype=torch.float64, **settings):
    w_star = torch.linspace(-1, 1, chains * DIMENSION, dtype=dtype).reshape(chains, -1)
    mean = torch.tensor([3.0, -1.0, 0.5, 0.0], dtype=dtype)
    return Gaussian(w_star, rotated_precision().to(dtype), mean, **settings)


def noise_at(step, chains=CHAINS, dtype=torch.float64):
    keys = chain_keys(8, [(0, chain) for chain in range(chains)])
    return ChainNoise(keys, torch.tensor(step, dtype=torch.int32), dtype)


def run(kernel, target, steps, chains=CHAINS):
    state = kernel.init(target.w_star.clone())
    for step in range(steps):
        state, info = kernel.step(state, target, noise_at(step, chains))
        yield state, info
