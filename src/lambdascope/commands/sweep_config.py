"""The sections of a sweep's file on modular addition, and what its cells measure."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.llc_config import AUTOMATIC_ONLY, LLCConfig
from lambdascope.config import Config
from lambdascope.modular_addition.config import TrainConfig, foreign_settings
from lambdascope.posterior.scalars import inverse_temperature
from lambdascope.sweeps import Cell, Vocabulary

Which = Literal["none", "final", "all"]


class MeasureConfig(Config):
    """What a cell measures once it is trained, at which checkpoints.

    Losses and accuracies come for all checkpoints in any case.

    Raises:
        LambdascopeError: A setting is unknown or impossible.
    """

    llc: Which = "final"
    """λ̂, by the settings of the section llc: of the final weights, of all checkpoints, or of
    none."""
    circuits: Which = "none"
    """How many circuits the network has, by the settings of the section circuits."""
    hessian: Which = "none"
    """Leading eigenvalues, trace and effective dimension, by the settings of the section hessian;
    γ and nβ are those of the section llc."""


MEASURED: dict[str, tuple[str, ...]] = {
    "llc": ("llc", "llc_stderr", "rhat", "ess", "nbeta", "llc_uncorrected"),
    "circuits": ("num_circuits", "effective_circuits"),
    "hessian": (
        "effective_dimension",
        "hessian_trace",
        "hessian_largest",
        "hessian_smallest",
        "rank",
        "eigenvalue",
    ),
}
"""Which quantities each part of the section measure brings."""

# What the effective dimension takes of the section llc, whether or not λ̂ is measured.
_OF_THE_DIMENSION = ("localization", "nbeta", "n_multiplier", "temp_multiplier")
_TRAINING = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "weight_norm", "step")


def matters_to(quantity: str, axis: str) -> bool:
    """Whether what is measured depends on an axis: the loss is the same at every γ.

    Args:
        quantity: Such as "test_loss"; of what is not known here everything matters.
        axis: Such as "llc.localization".
    """
    section = axis.split(".")[0]
    if quantity in _TRAINING:
        return section == "train"
    for part in ("circuits", "hessian"):
        if quantity in MEASURED[part]:
            is_posterior = axis in {f"llc.{name}" for name in _OF_THE_DIMENSION}
            return section in {"train", part} or (
                quantity == "effective_dimension" and is_posterior
            )
    return True


class Settings(NamedTuple):
    """A cell's sections."""

    train: TrainConfig
    llc: LLCConfig
    circuits: CircuitsConfig
    hessian: HessianConfig
    measure: MeasureConfig

    def parts(self) -> dict[str, Config]:
        """The sections that say how something is measured."""
        return {"llc": self.llc, "circuits": self.circuits, "hessian": self.hessian}

    def checkpoints(self, part: str) -> list[int]:
        """The checkpoints at which llc, circuits or hessian are measured, ascending."""
        last = self.train.num_checkpoints - 1
        which = getattr(self.measure, part)
        if which != "all":
            return [last] if which == "final" else []
        chosen = getattr(getattr(self, part), "checkpoints", None)
        return list(range(last + 1)) if chosen is None else sorted(set(chosen))

    def inverse_temperature(self) -> float:
        """nβ of the section llc for the training set of the section train.

        Raises:
            LambdascopeError: the multipliers and nβ contradict each other, or it is none.
        """
        llc = self.llc
        return inverse_temperature(
            self.train.num_train, llc.nbeta, llc.n_multiplier, llc.temp_multiplier
        )


def settings_of(cell: Cell) -> Settings:
    """A cell's sections, by name."""
    return Settings(**cell.configs)  # type: ignore[arg-type]


def _idle(configs: Mapping[str, Config]) -> dict[str, str]:
    """Settings that change nothing with the others as they are, and why."""
    settings = Settings(**configs)  # type: ignore[arg-type]
    train, llc, measure = settings.train, settings.llc, settings.measure
    found: dict[str, str] = {}
    if not llc.is_automatic:
        reason = "a setting of the sampler switches the automatic estimate off"
        found |= {f"llc.{name}": reason for name in AUTOMATIC_ONLY}
    if llc.nbeta is not None:
        found |= dict.fromkeys(("llc.n_multiplier", "llc.temp_multiplier"), "llc.nbeta is given")
    for part, config in settings.parts().items():
        if getattr(measure, part) == "none":
            reason = f"measure.{part}='none'"
            kept = _OF_THE_DIMENSION if part == "llc" and measure.hessian != "none" else ()
            names = [name for name in type(config).model_fields if name not in kept]
            found |= {f"{part}.{name}": reason for name in names}
    if train.full_batch:
        found["train.batch_size"] = "train.full_batch=True takes all pairs in every step"
    if train.weight_decay == 0:
        found["train.num_final_steps_without_weight_decay"] = "train.weight_decay=0"
    for name in foreign_settings(train.network):
        found[f"train.{name}"] = f"train.network={train.network!r} has none"
    return found


VOCABULARY = Vocabulary(
    sections={
        "train": TrainConfig,
        "llc": LLCConfig,
        "circuits": CircuitsConfig,
        "hessian": HessianConfig,
        "measure": MeasureConfig,
    },
    quantities=(*_TRAINING, *(name for names in MEASURED.values() for name in names)),
    labels=("status", "circuits"),
    idle=_idle,
)
