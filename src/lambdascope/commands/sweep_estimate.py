"""What a sweep's cells will take, before they are worked out."""

from collections.abc import Sequence
from dataclasses import dataclass

from lambdascope.commands.sweep_cells import settings_of
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.sweeps import Cell

# Multiplications and additions a second that training and sampling reach on one core
# (docs/performance.md), what each shape costs to compile, and what a training step costs by itself.
_RATE, _COMPILING, _STEP = 25e9, 15.0, 4e-4
_BYTES_A_ROW, _BYTES_A_CELL = 420, 2_500


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
    seconds, num_bytes = 0.0, 0
    for batch in batches:
        config, llc, measure = settings_of(batch[0])
        weights = _products(config)
        samples = config.num_steps * _samples(config) * len(batch)
        seconds += config.num_steps * _STEP + 6 * weights * samples / _RATE
        evaluated = config.p**2 * config.num_checkpoints * len(batch)
        seconds += 2 * weights * evaluated / _RATE
        if measure.llc != "none":
            points = 1 if measure.llc == "final" else config.num_checkpoints
            plain = llc.plain()
            steps = points * plain.num_chains * plain.num_steps * len(batch)
            seconds += _COMPILING + 6 * weights * plain.batch_size * steps / _RATE
        num_bytes += len(batch) * (_BYTES_A_CELL + _BYTES_A_ROW * config.num_checkpoints)
    return Estimate(seconds, num_bytes)


def _samples(config: TrainConfig) -> int:
    """Pairs in a training step."""
    return int(config.train_fraction * config.p**2) if config.full_batch else config.batch_size


def _products(config: TrainConfig) -> int:
    """Multiplications of a forward pass for one pair."""
    return config.hidden_size * (2 * config.embed_dim + config.p)
