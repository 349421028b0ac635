"""Sweeps over systems with known answers: potentials, and networks that multiply complex numbers.

They need no training that could be measured, so a cell is one estimate: λ̂ beside its exact value.
"""

import math
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, model_validator

from lambdascope.commands.llc_config import AUTOMATIC_ONLY, LLCConfig
from lambdascope.commands.sweep_estimate import Estimate
from lambdascope.commands.sweep_measures import (
    automatic_estimates,
    estimate_row,
    plain_estimates,
    stream_label,
)
from lambdascope.commands.sweep_table import ASYMPTOTIC
from lambdascope.config import Config
from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import Cell, FigureWish, Outcome, Vocabulary
from lambdascope.toys import (
    Toy,
    complex_multiplication,
    crossing_potential,
    power_potential,
    product_potential,
    quadratic_potential,
)

# What each kind of potential reads of the section.
_READS = {
    "powers": {"powers", "coefficient"},
    "crossing": {"powers", "coefficient"},
    "quadratic": {"curvatures", "quartic"},
    "product": {"epsilon"},
}


class PotentialConfig(Config):
    """A potential with its minimum at the origin, and no data.

    Raises:
        LambdascopeError: A setting is unknown, impossible, or of another kind of potential.
    """

    kind: Literal["powers", "crossing", "quadratic", "product"] = "powers"
    """powers: c Σ |w_i|^p_i; crossing: c Π |w_i|^p_i; quadratic: ½ Σ c_i w_i² + q Σ w_i⁴; product:
    (x² + ε)(y² + ε)."""
    powers: tuple[int, ...] = (4,)
    """p_i ≥ 2, one a direction."""
    coefficient: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """c (loss/parameter^p)."""
    curvatures: tuple[float, ...] = (1.0,)
    """c_i ≥ 0, one a direction (loss/parameter²)."""
    quartic: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """q (loss/parameter⁴)."""
    epsilon: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    """ε (parameter²)."""

    @model_validator(mode="after")
    def _has_what_its_kind_reads(self) -> "PotentialConfig":
        foreign = self.model_fields_set - _READS[self.kind] - {"kind"}
        if foreign:
            name = sorted(foreign)[0]
            raise ValueError(
                f"{name} is no setting of kind={self.kind!r}, which has "
                f"{', '.join(sorted(_READS[self.kind]))}"
            )
        _potential(self)  # refuses what the toy refuses
        return self


class ProductNetworkConfig(Config):
    """A one-hidden-layer network trained to multiply complex numbers.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    activation: Literal["quadratic", "silu", "relu"] = "quadratic"
    """The hidden units' nonlinearity."""
    hidden_size: int = Field(default=20, ge=1)
    """Units of the hidden layer."""
    num_samples: int = Field(default=2000, ge=2)
    """n, inputs standard normal (samples)."""
    noise_std: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Standard deviation of the noise on the targets."""
    num_steps: int = Field(default=3000, ge=1)
    """Steps of training, on all data."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of data and initial weights."""


def _idle(configs: Mapping[str, Config]) -> dict[str, str]:
    """Settings that change nothing with the others as they are, and why."""
    llc = configs["llc"]
    assert isinstance(llc, LLCConfig)
    found: dict[str, str] = {}
    if isinstance(potential := configs.get("potential"), PotentialConfig):
        foreign = set(PotentialConfig.model_fields) - _READS[potential.kind] - {"kind"}
        found |= {f"potential.{name}": f"kind={potential.kind!r} has none" for name in foreign}
    if not llc.is_automatic:
        reason = "a setting of the sampler switches the automatic estimate off"
        found |= {f"llc.{name}": reason for name in AUTOMATIC_ONLY}
    return found


_QUANTITIES = ("llc", "llc_stderr", "rhat", "ess", "nbeta", "llc_uncorrected", "exact", "loss")
POTENTIALS = Vocabulary(
    {"potential": PotentialConfig, "llc": LLCConfig}, _QUANTITIES, ("system", "status"), _idle
)
PRODUCT_NETWORKS = Vocabulary(
    {"network": ProductNetworkConfig, "llc": LLCConfig}, _QUANTITIES, ("system", "status"), _idle
)


def check_cells(cells: Sequence[Cell], figures: Sequence[FigureWish] = ()) -> None:  # noqa: ARG001
    """Refuse, before anything runs, settings that have no effect or no meaning here.

    Raises:
        LambdascopeError: naming the cell and the field.
    """
    for cell in cells:
        llc = _llc(cell)
        given = llc.model_fields_set
        for name, reason in _without_effect(cell).items():
            if name in given:
                raise LambdascopeError(f"{cell}: llc.{name} has no effect: {reason}")
        if "potential" in cell.configs and llc.nbeta is None:
            raise LambdascopeError(
                f"{cell}: llc.nbeta is required: a potential has no data, and so no n / log n"
            )
        if llc.nbeta is not None and (llc.n_multiplier, llc.temp_multiplier) != (1.0, 1.0):
            raise LambdascopeError(
                f"{cell}: llc.nbeta={llc.nbeta!r} together with a multiplier of its default: give "
                "one of the two"
            )


def _without_effect(cell: Cell) -> dict[str, str]:
    found = {"checkpoints": "there is one place, the minimum"}
    found["check_step"] = "a sweep does not ask; `lambdascope llc --check-step` does"
    found["logit_scale"] = "there are no logits"
    found["orthogonal_to_gradient"] = "the gradient vanishes at the minimum"
    if "potential" in cell.configs:
        found["batch_size"] = "a potential has no data"
        found["parameters"] = "a potential has one parameter, w"
    else:
        found["parameters"] = "all parameters of the network move, as in its exact answer"
    return found


def batches_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells one by one: shapes differ, and an estimate is quick."""
    return [[cell] for cell in cells]


def work_on(batch: Sequence[Cell]) -> list[Outcome]:
    """One estimate a cell.

    Raises:
        LambdascopeError: no chain gives an estimate.
    """
    outcomes = []
    for cell in batch:
        begun = time.perf_counter()
        row = _row(cell)
        outcomes.append(Outcome(rows=[row], seconds=time.perf_counter() - begun))
    return outcomes


def estimate_of(batches: Sequence[Sequence[Cell]]) -> Estimate:
    """What the cells will take: compiling, mostly."""
    count = sum(len(batch) for batch in batches)
    return Estimate(seconds=12.0 * count, num_bytes=1500 * count)


def _row(cell: Cell) -> dict[str, Any]:
    llc = _llc(cell)
    toy = _toy(next(one for name, one in cell.configs.items() if name != "llc"))
    settings: dict[str, Any] = {
        "nbeta": llc.nbeta,
        "localization": llc.localization,
        "weight_decay": llc.weight_decay,
        "n_multiplier": llc.n_multiplier,
        "temp_multiplier": llc.temp_multiplier,
    }
    posterior = toy.posterior(**settings)
    label = stream_label(cell.key)
    if llc.is_automatic:
        (one,) = automatic_estimates([posterior], llc, [label])
    else:
        (one,) = plain_estimates([posterior], llc, [label], full_batch=toy.data is None)
    if math.isnan(one.llc):
        raise LambdascopeError(f"no chain gave an estimate: {one.status}; {one.advice}")
    exact, holds = toy.localized_llc(posterior), "at this nβ and γ"
    if exact is None and toy.exact is not None:
        exact, holds = float(toy.exact.llc), ASYMPTOTIC
    return {
        "step": 0,
        "system": toy.name,
        **estimate_row(one),
        "exact": math.nan if exact is None else float(exact),
        "exact_holds": None if exact is None else holds,
        "loss": posterior.initial_loss,
    }


@lru_cache(maxsize=64)
def _toy(config: Config) -> Toy:
    """The system; a network is trained once for all temperatures."""
    if isinstance(config, PotentialConfig):
        return _potential(config)
    assert isinstance(config, ProductNetworkConfig)
    return complex_multiplication(**config.model_dump())


def _potential(config: PotentialConfig) -> Toy:
    if config.kind == "powers":
        return power_potential(config.powers, [config.coefficient] * len(config.powers))
    if config.kind == "crossing":
        return crossing_potential(config.powers, config.coefficient)
    if config.kind == "quadratic":
        return quadratic_potential(config.curvatures, config.quartic)
    return product_potential(config.epsilon)


def _llc(cell: Cell) -> LLCConfig:
    llc = cell.configs["llc"]
    assert isinstance(llc, LLCConfig)
    return llc
