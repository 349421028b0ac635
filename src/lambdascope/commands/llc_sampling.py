"""The two ways of `lambdascope llc` to λ̂: by settings that are given, or by chosen ones."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lambdascope.commands.llc_config import LLCConfig
from lambdascope.estimates import LLCCurve, estimate_llc
from lambdascope.estimates.automatic import AutomaticSettings, automatic_llc
from lambdascope.estimates.step_check import check_step
from lambdascope.posterior import LocalPosterior
from lambdascope.reporting.llc_text import SAMPLING_ERROR_ONLY, llc_target
from lambdascope.samplers import SGLD
from lambdascope.sampling import sample

# Enough for chains to be where the gradients' noise is theirs, and a small part of a usual run.
_CHECKED_STEPS = 500
_TRACE, _AUTOMATIC_TRACES = "llc_trace.zarr", "llc_automatic"


@dataclass(frozen=True)
class Sampled:
    """Estimates, and what to say of how they were made.

    Attributes:
        curve: One estimate a checkpoint.
        caption: How the estimates were made, and what the band is.
        choices: What was chosen and why, a sentence each.
        seconds: Wall time by part.
        columns: Further columns of the table, by name.
    """

    curve: LLCCurve
    caption: str
    choices: tuple[str, ...]
    seconds: dict[str, float]
    columns: dict[str, list[float]] = field(default_factory=dict)


class Sampler(ABC):
    """A way to λ̂.

    Attributes:
        settings: The settings that decide the numbers, as columns of the table.
        traces: Where the traces go, in the run: one, or a folder of them.
    """

    traces: str

    def __init__(self, config: LLCConfig, posterior: LocalPosterior) -> None:
        self.config = config
        self.settings = {**self._own_settings(), **_shared_settings(config, posterior)}

    @abstractmethod
    def run(
        self,
        posteriors: Sequence[LocalPosterior],
        checkpoints: Sequence[int],
        folder: Path,
        *,
        overwrite: bool,
        progress: bool,
    ) -> Sampled:
        """Sample around every posterior; traces go into `folder`, and are resumed from there."""

    @abstractmethod
    def traced_settings(self, checkpoints: Sequence[int]) -> dict[str, Any]:
        """What an interrupted trace must have been begun with, by the names that it gives them."""

    @abstractmethod
    def _own_settings(self) -> dict[str, Any]: ...

    def _caption(self, *method: str, band: str) -> str:
        return " · ".join((*method, *llc_target(self.settings), f"interval: {band}"))


class PlainSampler(Sampler):
    """SGLD as the settings say, and the mean of its losses."""

    traces = _TRACE

    def run(
        self,
        posteriors: Sequence[LocalPosterior],
        checkpoints: Sequence[int],
        folder: Path,
        *,
        overwrite: bool,
        progress: bool,
    ) -> Sampled:
        """One trace."""
        plain, begun = self.config.plain(), time.perf_counter()
        kernel = SGLD(step_size=plain.step_size, batch_size=plain.batch_size)
        trace = sample(
            posteriors,
            kernel,
            num_chains=plain.num_chains,
            num_steps=plain.num_steps,
            seed=self.config.seed,
            checkpoints=checkpoints,
            store=folder / self.traces,
            overwrite=overwrite,
            device=self.config.device,
            progress=progress,
        )
        seconds = time.perf_counter() - begun
        curve = estimate_llc(trace, burnin=plain.burnin)
        assert isinstance(curve, LLCCurve)  # the trace was made from a list
        parts = {"sample": seconds}
        compiling = float(trace.attrs.get("compile_seconds", 0.0))
        if 0 < compiling < seconds:  # else the trace was read, and says what an earlier call took
            parts = {"compile": compiling, "sample": seconds - compiling}
        caption = self._caption(
            f"{plain.num_chains} chains × {plain.num_steps:,} SGLD steps a checkpoint",
            f"step size {plain.step_size:g}",
            f"minibatch {plain.batch_size}",
            band=f"{SAMPLING_ERROR_ONLY}, bias from step size and minibatches not removed",
        )
        if not self.config.check_step:
            return Sampled(curve, caption, (), parts)
        begun = time.perf_counter()
        checks = check_step(
            posteriors,
            kernel,
            num_steps=min(_CHECKED_STEPS, plain.num_steps),
            checkpoints=checkpoints,
            seed=self.config.seed,
            device=self.config.device,
            progress=progress,
        )
        columns = {
            "mala_acceptance": [one.mala_acceptance for one in checks],
            "noise_ratio": [one.noise_ratio for one in checks],
        }
        sentence = (
            f"checked: step {plain.step_size:g}: a Metropolis test on all data would accept "
            f"{_extremes(columns['mala_acceptance'], '.0%')} of the steps, and minibatches add "
            f"{_extremes(columns['noise_ratio'], '.2g')} times the injected noise"
        )
        parts["check step"] = time.perf_counter() - begun
        return Sampled(curve, caption, (sentence,), parts, columns)

    def traced_settings(self, checkpoints: Sequence[int]) -> dict[str, Any]:
        """Of its one trace."""
        plain = self.config.plain()
        return {
            "seed": self.config.seed,
            "localization": self.config.localization,
            "checkpoints": list(checkpoints),
            "num_chains": plain.num_chains,
            "num_steps": plain.num_steps,
            "step_size": plain.step_size,
            "batch_size": plain.batch_size,
        }

    def _own_settings(self) -> dict[str, Any]:
        return {"sampler": "SGLD", **self.config.plain()._asdict()}


class AutomaticSampler(Sampler):
    """Step, burn-in and length chosen; bias measured; total error."""

    traces = _AUTOMATIC_TRACES

    def run(
        self,
        posteriors: Sequence[LocalPosterior],
        checkpoints: Sequence[int],
        folder: Path,
        *,
        overwrite: bool,
        progress: bool,
    ) -> Sampled:
        """Several traces."""
        begun = time.perf_counter()
        settings = AutomaticSettings(
            target_error=self.config.target_error,
            max_steps=self.config.max_steps,
            seed=self.config.seed,
        )
        result = automatic_llc(
            posteriors,
            settings,
            checkpoints=checkpoints,
            store=folder / self.traces,
            overwrite=overwrite,
            device=self.config.device,
            progress=progress,
        )
        demands = result.curve[0].demands
        caption = self._caption(
            result.curve[0].method,
            "step, burn-in and length chosen by curvature and trace",
            f"converged: R-hat up to {demands.rhat:g} and {demands.effective_draws:g} effective "
            "draws or more, since the error counts what chains disagree by",
            band="total error",
        )
        choices = tuple(f"chosen: {choice}" for choice in result.choices)
        return Sampled(
            result.curve, caption, choices, {"choose and sample": time.perf_counter() - begun}
        )

    def traced_settings(self, checkpoints: Sequence[int]) -> dict[str, Any]:  # noqa: ARG002
        """The seed alone: a round may be of some checkpoints, and of another γ."""
        return {"seed": self.config.seed}

    def _own_settings(self) -> dict[str, Any]:
        return {
            "sampler": "automatic",
            "target_error": self.config.target_error,
            "max_steps": self.config.max_steps,
        }


def _extremes(values: Sequence[float], form: str) -> str:
    """The least and the largest of values, or what they all read as."""
    low, high = f"{np.nanmin(values):{form}}", f"{np.nanmax(values):{form}}"
    return low if low == high else f"{low} to {high}"


def sampler_of(config: LLCConfig, posterior: LocalPosterior) -> Sampler:
    """The way that the settings ask for."""
    kind = AutomaticSampler if config.is_automatic else PlainSampler
    return kind(config, posterior)


def _shared_settings(config: LLCConfig, posterior: LocalPosterior) -> dict[str, Any]:
    moving = ",".join(config.parameters) if config.parameters is not None else "all"
    return {
        "localization": config.localization,
        "nbeta": posterior.nbeta,
        "n_multiplier": config.n_multiplier,
        "temp_multiplier": config.temp_multiplier,
        "logit_scale": config.logit_scale,
        "weight_decay": config.weight_decay,
        "parameters": moving,
        "orthogonal_to_gradient": config.orthogonal_to_gradient,
        "seed": config.seed,
    }
