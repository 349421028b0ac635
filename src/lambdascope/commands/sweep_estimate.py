"""What a sweep's cells will take, before they are worked out."""

from collections.abc import Sequence
from dataclasses import dataclass

from lambdascope.commands.sweep_config import Settings, settings_of
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.sweeps import Cell

# Multiplications and additions a second that training and sampling reach on one core
# (docs/performance.md), what each shape costs to compile, and what a training step costs by itself.
_RATE, _COMPILING, _STEP = 25e9, 15.0, 4e-4
# Libraries, and the figures at the end.
_START_AND_END = 6.0
# Full-batch steps that an automatic estimate takes in all its chains: a few chains, some thousand
# steps each.
_AUTOMATIC_STEPS = 6000
# The Hessian's products are in float64, and come to some six passes through the network each.
_HESSIAN_RATE, _PASSES_A_PRODUCT = 8e9, 6
_BYTES_A_ROW, _BYTES_A_CELL, _BYTES_AN_EIGENVALUE = 420, 2_500, 24


@dataclass(frozen=True)
class Estimate:
    """A rough guess, right to a factor of about three.

    Attributes:
        seconds: Of one core.
        num_bytes: On disk.
    """

    seconds: float
    num_bytes: int

    def __str__(self) -> str:
        time = f"{self.seconds:.0f} s" if self.seconds < 120 else f"{self.seconds / 60:.0f} min"
        return f"about {time} of one core (to a factor of three), {self.num_bytes / 1e6:.2f} MB"


def estimate_of(batches: Sequence[Sequence[Cell]]) -> Estimate:
    """Add up what each batch will take."""
    seconds, num_bytes = _START_AND_END if batches else 0.0, 0
    for batch in batches:
        all_settings = [settings_of(cell) for cell in batch]
        first = all_settings[0]
        trained = len({settings.train for settings in all_settings})
        seconds += _training_seconds(first.train, trained)
        if first.measure.llc != "none":
            seconds += _COMPILING
        seconds += len(batch) * (_llc_seconds(first) + _circuits_seconds(first))
        seconds += len(batch) * _hessian_seconds(first)
        spectra = len(first.checkpoints("hessian")) * first.hessian.top * _BYTES_AN_EIGENVALUE
        rows = _BYTES_A_ROW * first.train.num_checkpoints
        num_bytes += len(batch) * (_BYTES_A_CELL + rows + spectra)
    return Estimate(seconds, num_bytes)


def _training_seconds(config: TrainConfig, num_runs: int) -> float:
    weights = _products(config)
    samples = config.num_steps * _samples(config) * num_runs
    evaluated = config.p**2 * config.num_checkpoints * num_runs
    return config.num_steps * _STEP + (6 * samples + 2 * evaluated) * weights / _RATE


def _llc_seconds(settings: Settings) -> float:
    plain = settings.llc.plain()
    if settings.llc.is_automatic:
        samples = _AUTOMATIC_STEPS * settings.train.num_train
    else:
        samples = plain.num_chains * plain.num_steps * plain.batch_size
    return len(settings.checkpoints("llc")) * 6 * _products(settings.train) * samples / _RATE


def _circuits_seconds(settings: Settings) -> float:
    # The loss on all pairs, without each mode in turn.
    passes = settings.train.p * settings.train.p**2
    return len(settings.checkpoints("circuits")) * 2 * _products(settings.train) * passes / _RATE


def _hessian_seconds(settings: Settings) -> float:
    config = settings.hessian
    products = 3 * config.top + 60 * config.bottom + config.num_probes * config.num_lanczos_steps
    samples = products * _PASSES_A_PRODUCT * settings.train.num_train
    return (
        len(settings.checkpoints("hessian")) * 2 * _products(settings.train) * samples
    ) / _HESSIAN_RATE


def _samples(config: TrainConfig) -> int:
    """Pairs in a training step."""
    return config.num_train if config.full_batch else config.batch_size


def _products(config: TrainConfig) -> int:
    """Multiplications of a forward pass for one pair."""
    return config.hidden_size * (2 * config.embed_dim + config.p)
