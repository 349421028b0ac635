"""The trace: an xarray Dataset that says how it was made."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr

import lambdascope
from lambdascope.errors import LambdascopeError, shown
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.restrictions import OrthogonalToGradient
from lambdascope.samplers.base import Kernel
from lambdascope.sampling.recorder import Recorder, Series
from lambdascope.sampling.sliding import sliding

FORMAT = 1
_UNITS = {
    "loss": "mean minibatch loss at the weights before the step, in units of loss",
    "kinetic_temperature": "‖v‖² a free direction, 1 in equilibrium",
    "distance": "‖w − w*‖, in parameter units",
    "weight_norm": "‖w‖ of the sampled parameters, in parameter units",
    "initial_loss": "L_n(w*) on all data, in units of loss",
    "guessing_loss": "mean loss of one answer for every sample, in units of loss",
    "nbeta": "nβ, in 1/loss",
    "localization": "γ, in 1/parameter²",
    "num_samples": "n, in samples",
    "tilt": "‖∇U(w*)‖/√γ, U without localisation, dimensionless",
    "slope_shift": "√(gᵀ(H + γ)⁻¹g), how far the slope g at w* moves chains, in their widths",
    "slope_effect": "that the slope at w* lowers λ̂ by, in a quadratic potential, dimensionless",
    "num_free": "directions that chains may move in, a count",
    "step_factor": "factor on the sampler's step size",
}


@dataclass(frozen=True)
class TraceDescription:
    """All settings that a trace depends on.

    Attributes:
        kernel: The sampler.
        posteriors: One a checkpoint.
        checkpoints: Their labels.
        num_chains: Chains a checkpoint.
        num_steps: Steps a chain.
        thinning: Steps between draws.
        seed: Of the random streams.
        chunk_size: Chains that ran as one batch (changes results by rounding only).
        device: Kind of device.
        observables: Names of the user's observables, and a hash of what each computes.
        globals_read: What model, loss and observables read of their modules' globals.
        single: Whether one posterior was given by itself, not in a list.
        step_factors: [posterior, chain], factors on the kernel's step size; None: all 1.
    """

    kernel: Kernel
    posteriors: Sequence[LocalPosterior]
    checkpoints: Sequence[int]
    num_chains: int
    num_steps: int
    thinning: int
    seed: int
    chunk_size: int
    device: str
    observables: Mapping[str, str]
    globals_read: Mapping[str, str]
    single: bool
    step_factors: Sequence[Sequence[float]] | None = None

    def settings(self) -> dict[str, Any]:
        """JSON-able; two traces with equal settings hold the same numbers, to rounding."""
        described = [posterior.describe() for posterior in self.posteriors]
        shared = {
            name: value
            for name, value in described[0].items()
            if all(other[name] == value for other in described)
        }
        differing = [name for name in described[0] if name not in shared]
        return {
            "format": FORMAT,
            "kernel": type(self.kernel).__name__,
            **self.kernel.model_dump(mode="json"),
            "num_chains": self.num_chains,
            "num_steps": self.num_steps,
            "thinning": self.thinning,
            "seed": self.seed,
            "chunk_size": self.chunk_size,
            "device": self.device,
            "dtype": str(self.posteriors[0].w_star.dtype).removeprefix("torch."),
            "observables": dict(self.observables),
            "globals": dict(self.globals_read),
            "checkpoints": list(self.checkpoints),
            **({} if self.step_factors is None else {"step_factors": list(self.step_factors)}),
            **shared,
            **{name: [other[name] for other in described] for name in differing},
        }

    def columns(self) -> dict[str, tuple[list[str], np.ndarray]]:
        """What is known before sampling: dimensions and values of each variable."""
        many = self.posteriors
        slid = sliding(many, self.device)
        found = {
            "initial_loss": np.array([p.initial_loss for p in many], dtype=np.float64),
            "guessing_loss": np.array([p.guessing_loss for p in many], dtype=np.float64),
            "nbeta": np.array([p.nbeta for p in many], dtype=np.float64),
            "localization": np.array([p.localization for p in many], dtype=np.float64),
            "tilt": np.array([_tilt(p) for p in many], dtype=np.float64),
            "slope_shift": slid.shift,
            "slope_effect": slid.effect,
            "num_samples": np.array([p.samples.num_samples for p in many], dtype=np.int64),
            "num_free": np.array([p.num_free for p in many], dtype=np.int64),
        }
        columns = {name: (["checkpoint"], values) for name, values in found.items()}
        if self.step_factors is not None:
            factors = np.array(self.step_factors, dtype=np.float64)
            columns["step_factor"] = (["checkpoint", "chain"], factors)
        return columns

    def attributes(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The Dataset's attributes: settings as JSON, versions, and `facts` of the run."""
        return {
            "settings": json.dumps(self.settings(), sort_keys=True),
            **versions(),
            "single": int(self.single),
            "num_warmup_steps": self.kernel.num_warmup_steps,
            **{
                name: value if isinstance(value, float) else int(value)
                for name, value in facts.items()
            },
        }


def _tilt(posterior: LocalPosterior) -> float:
    """The slope at w* over what the localisation withstands: NaN without localisation."""
    gamma = posterior.localization
    return posterior.slope / math.sqrt(gamma) if gamma > 0 else math.nan


def versions() -> dict[str, str]:
    """What decides the rounding besides the settings."""
    return {"lambdascope_version": lambdascope.__version__, "torch_version": torch.__version__}


def dimensions(name: str, series: Series, info_names: Sequence[str]) -> list[str]:
    """Names of the dimensions of one recorded quantity."""
    time = "step" if name in info_names else "draw"
    return ["checkpoint", "chain", time, *(f"{name}_{axis}" for axis in range(len(series.shape)))]


def coordinates(description: TraceDescription) -> dict[str, np.ndarray]:
    """Labels along the dimensions; a draw is labelled by its step."""
    steps = np.arange(description.num_steps)
    return {
        "checkpoint": np.asarray(description.checkpoints, dtype=np.int64),
        "chain": np.arange(description.num_chains),
        "step": steps,
        "draw": steps[:: description.thinning],
    }


def units(name: str) -> dict[str, Any]:
    """Attributes of one variable."""
    return {"description": _UNITS[name]} if name in _UNITS else {}


def by_checkpoint(
    recorder: Recorder, name: str, description: TraceDescription
) -> Iterator[np.ndarray]:
    """One checkpoint's records after the other, each [chain, time, ...]."""
    for position in range(len(description.checkpoints)):
        first = position * description.num_chains
        yield recorder.read(name, first, first + description.num_chains)


def build_trace(
    recorder: Recorder, description: TraceDescription, facts: Mapping[str, Any]
) -> xr.Dataset:
    """The trace in memory."""
    info_names = description.kernel.info_names
    variables: dict[str, Any] = {}
    for name, series in recorder.series.items():
        dims = dimensions(name, series, info_names)
        values = np.stack(list(by_checkpoint(recorder, name, description)))
        variables[name] = (dims, values, units(name))
    for name, (dims, column) in description.columns().items():
        variables[name] = (dims, column, units(name))
    return xr.Dataset(variables, coordinates(description), description.attributes(facts))


class UnusableTrace(LambdascopeError):
    """A trace that `sample` wrote and that can't be used: damaged, or of a newer format."""


def open_trace(path: Path | str) -> xr.Dataset:
    """Open a trace that `sample(store=...)` wrote; arrays are read when they are used.

    Raises:
        LambdascopeError: if there is no trace at `path`, it is damaged, or of a newer format.
    """
    if not isinstance(path, str | os.PathLike):
        raise LambdascopeError(f"path={shown(path)}: the path of a trace is accepted.")
    path = Path(path)
    missing = f"{path} holds no trace; a .zarr folder that sample() wrote is needed."
    if not (path / "zarr.json").exists():
        raise LambdascopeError(missing)
    try:
        _check_whole(path)
        trace = xr.open_zarr(path, chunks=None, consolidated=False)
        found = json.loads(trace.attrs["settings"])["format"]
    except KeyError:
        raise LambdascopeError(missing) from None
    except LambdascopeError:
        raise
    except Exception as error:
        kind = UnusableTrace if _has_our_arrays(path) else LambdascopeError
        raise kind(f"{path} can't be read as a trace ({_line(error)}).") from error
    if found > FORMAT:
        raise UnusableTrace(
            f"{path} has trace format {found}; this version of lambdascope reads up to {FORMAT}."
        )
    return trace


def held_across_gradient(trace: xr.Dataset) -> bool:
    """Whether its chains were held to the hyperplane across the gradient at w*.

    Args:
        trace: From `sample`; of one that does not tell its settings, False.
    """
    settings = json.loads(trace.attrs.get("settings", "{}"))
    return OrthogonalToGradient().describe() in settings.get("restriction", [])


def _check_whole(path: Path) -> None:
    """Refuse a store with parts missing, which would read as NaN, and so as divergence."""
    group = zarr.open_group(path, mode="r")
    if "settings" not in group.attrs:
        raise KeyError("settings")
    for name, array in group.arrays():
        missing = array.nchunks - array.nchunks_initialized
        if missing:
            raise UnusableTrace(
                f"{path} lacks {missing} of {array.nchunks} parts of {name!r} (files removed?)."
            )


def _has_our_arrays(path: Path) -> bool:
    """Whether a store whose description can't be read is one of ours."""
    return all((path / name / "zarr.json").exists() for name in ("loss", "initial_loss", "nbeta"))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
