"""The command line: `lambdascope COMMAND ...`.

Only the standard library, tyro and pydantic are imported here, so that help comes at once; torch
and its company are imported by the command that is run.
"""

import contextlib
import io
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, cast

import tyro

import lambdascope
from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.demo_config import DEFAULT_OUT, QUICK_OUT
from lambdascope.commands.flags import flags_of, values_given
from lambdascope.commands.fourier_config import FourierConfig
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.indices import parse_indices
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import Task, TrainConfig

_DESCRIPTION = """How structure forms inside a neural network while it trains.

Begin with `lambdascope demo`; `lambdascope COMMAND --help` shows every setting of a command."""

_REFUSED, _INTERRUPTED, _PIPE_CLOSED = 2, 130, 141


class _Command(Protocol):
    debug: bool
    quiet: bool

    def run(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class _Shared:
    quiet: bool = False
    """Print nothing but warnings and errors."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True, kw_only=True)
class _Train(_Shared):
    """Train networks on modular addition and keep their checkpoints.

    The README's example network, and twenty-five seeds of it as one batch:

      lambdascope train --out runs/p53 --p 53 --hidden-size 48
      lambdascope train --out runs/seeds --p 53 --seeds 0..24

    Interrupted, the same command resumes.
    """

    out: Path
    """The run directory to write."""
    settings: flags_of(TrainConfig)  # type: ignore[valid-type]
    seeds: Annotated[str | None, tyro.conf.arg(metavar="0..24", help_behavior_hint="")] = None
    """Several seeds, such as 0..24 or 0,3,5, as one batch; a run directory each, OUT/seed_0 ..."""
    overwrite: bool = False
    """Replace a run with other settings that stands there."""

    def run(self) -> None:
        config = TrainConfig(**values_given(self.settings))
        seeds = None if self.seeds is None else list(_indices("seeds", self.seeds))
        from lambdascope.commands.train import train

        train(config, self.out, seeds, overwrite=self.overwrite, progress=not self.quiet)


@dataclass(frozen=True, kw_only=True)
class _ImportLegacy(_Shared):
    """Read the older code's parameter file and checkpoints into a run directory.

    Nothing pickled is executed, and the train/test split is the one that the old run had:

      lambdascope import-legacy 53_0.json --checkpoints models --out runs/old
    """

    params: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PARAMS.json")]
    """The older code's JSON file of parameters."""
    checkpoints: Path
    """The folder with its CHECKPOINT_*.pt files."""
    out: Path
    """The run directory to write."""
    task: Annotated[Task | None, tyro.conf.arg(help_behavior_hint="")] = None
    """The labels, where the file does not say: it calls commutative_random ones random."""
    overwrite: bool = False
    """Replace a run that stands there."""

    def run(self) -> None:
        from lambdascope.commands.import_legacy import import_legacy

        import_legacy(
            self.params,
            self.checkpoints,
            self.out,
            task=self.task,
            overwrite=self.overwrite,
            progress=not self.quiet,
        )


@dataclass(frozen=True, kw_only=True)
class _LLC(_Shared):
    """Estimate the local learning coefficient of a run's checkpoints.

    All chains of all checkpoints are sampled as one batch. Writes llc.csv, the traces and
    figures/llc_vs_checkpoint.png into the run directory. Step size, burn-in and length are chosen,
    unless one of the plain estimator's settings is given:

      lambdascope llc runs/p53 --orthogonal-to-gradient
      lambdascope llc runs/p53 --checkpoints 0,5,24 --chains 8

    Interrupted, the same command resumes.
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The run directory, as `lambdascope train` wrote it."""
    settings: flags_of(  # type: ignore[valid-type]
        LLCConfig, spellings={"num_chains": "chains", "num_steps": "steps"}
    )
    overwrite: bool = False
    """Replace an estimate with other settings that stands there."""

    def run(self) -> None:
        config = LLCConfig(**values_given(self.settings))
        from lambdascope.commands.llc import llc, print_result

        result = llc(self.directory, config, overwrite=self.overwrite, progress=not self.quiet)
        if not self.quiet:
            print_result(result)


@dataclass(frozen=True, kw_only=True)
class _Fourier(_Shared):
    """Follow the Fourier modes of a run's network over training.

    Writes modes.csv and progress.csv, and into figures/ the modes' magnitudes, test loss with one
    mode kept or removed, the picture of the tokens in each mode, and restricted and excluded loss:

      lambdascope fourier runs/p53
      lambdascope fourier runs/p53 --film gif

    p may be even or composite. Modes are numbered 1 to p//2, since k and p − k are one mode; at
    even p the mode p/2 has a cosine only; a mode that shares a factor g with p has p/g points.
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The run directory, as `lambdascope train` wrote it."""
    settings: flags_of(FourierConfig)  # type: ignore[valid-type]

    def run(self) -> None:
        config = FourierConfig(**values_given(self.settings))
        from lambdascope.commands.fourier import fourier, print_result

        result = fourier(self.directory, config, progress=not self.quiet)
        if not self.quiet:
            print_result(result)


@dataclass(frozen=True, kw_only=True)
class _Chains(_Shared):
    """Sample chains around checkpoints and look at the points along them.

    Says first what its records will take. Writes chains.csv, chains_modes.csv, chains_trace.zarr,
    and into figures/ the points' principal components, all modes over sampling time, and the two
    largest modes against each other:

      lambdascope chains runs/p53
      lambdascope chains runs/p53 --checkpoints 5,24 --point-parameters 'embedding*' --film gif

    Interrupted, the same command resumes.
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The run directory, as `lambdascope train` wrote it."""
    settings: flags_of(  # type: ignore[valid-type]
        ChainsConfig, spellings={"num_chains": "chains", "num_steps": "steps"}
    )
    overwrite: bool = False
    """Replace chains with other settings that stand there."""

    def run(self) -> None:
        config = ChainsConfig(**values_given(self.settings))
        from lambdascope.commands.chains import chains, print_result

        result = chains(self.directory, config, overwrite=self.overwrite, progress=not self.quiet)
        if not self.quiet:
            print_result(result)


@dataclass(frozen=True, kw_only=True)
class _Circuits(_Shared):
    """Find the circuits of a run's network, when they formed, and whether it is a clock or a pizza.

    Writes circuits.csv, circuits_over_training.csv, clock_or_pizza.csv and, into figures/,
    circuits_formation.png (with the learning coefficient, where llc.csv stands) and
    circuits_contributions.png:

      lambdascope circuits runs/p53
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The run directory, as `lambdascope train` wrote it."""
    settings: flags_of(CircuitsConfig)  # type: ignore[valid-type]

    def run(self) -> None:
        config = CircuitsConfig(**values_given(self.settings))
        from lambdascope.commands.circuits import circuits, print_result

        result = circuits(self.directory, config, progress=not self.quiet)
        if not self.quiet:
            print_result(result)


@dataclass(frozen=True, kw_only=True)
class _Hessian(_Shared):
    """Compute the Hessian's leading eigenvalues, its spectral density and its trace.

    On the full training loss, at the last checkpoint or at those asked for. Writes hessian.csv,
    hessian_density.csv, hessian_summary.csv and figures into the run directory:

      lambdascope hessian runs/p53 --top 200
      lambdascope hessian runs/p53 --checkpoints 0,5,24 --parameters 'embedding*'

    Interrupted, the same command resumes.
    """

    directory: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The run directory, as `lambdascope train` wrote it."""
    settings: flags_of(HessianConfig)  # type: ignore[valid-type]
    overwrite: bool = False
    """Replace spectra of other settings that stand there."""

    def run(self) -> None:
        config = HessianConfig(**values_given(self.settings))
        from lambdascope.commands.hessian import hessian, print_result

        result = hessian(self.directory, config, overwrite=self.overwrite, progress=not self.quiet)
        if not self.quiet:
            print_result(result)


@dataclass(frozen=True, kw_only=True)
class _Calibrate(_Shared):
    """Hold the estimator against systems whose learning coefficient is known.

    Potentials, normal crossings, reduced rank, random deep linear networks, complex multiplication.
    Writes calibration.csv and calibration.png; quick takes about a minute and a half on two cores,
    full up to half an hour:

      lambdascope calibrate
      lambdascope calibrate --suite full --out runs/calibration_full
    """

    suite: Literal["quick", "full"] = "quick"
    """How many systems, and how long their chains."""
    out: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("runs/calibration")
    """The folder to write into."""
    overwrite: bool = False
    """Replace a calibration that stands there."""

    def run(self) -> None:
        from lambdascope.commands.calibrate import calibrate

        calibrate(self.suite, self.out, overwrite=self.overwrite, quiet=self.quiet)


@dataclass(frozen=True, kw_only=True)
class _Sweep(_Shared):
    """Run a grid of trainings and estimates from a file; status, table and plot show what stands.

    Cells of one shape train and are sampled as one batch, and each is recorded as it comes. Writes
    cells/, sweep.csv and the file's figures:

      lambdascope sweep run examples/sweeps/llc_vs_p.toml --dry-run
      lambdascope sweep run examples/sweeps/llc_vs_p.toml --engine processes --workers 2
      lambdascope sweep status examples/sweeps/llc_vs_p.toml

    Interrupted, the same command resumes; a cell that stands is never worked out again.
    """

    action: tyro.conf.Positional[Literal["run", "status", "table", "plot"]]
    """run works out what is missing; status counts; table writes sweep.csv; plot draws as well."""
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE.toml")]
    """What varies, what is measured, which figures are wanted."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """The directory of the results (default: runs/ and the file's name)."""
    engine: Literal["local", "processes"] = "local"
    """Who works: this process, or several on this machine."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Worker processes (default: one a core)."""
    dry_run: bool = False
    """List the cells and what they will take, and run nothing."""
    retry_failed: bool = False
    """Work on failed cells again."""

    def run(self) -> None:
        from lambdascope.commands.sweep import Sweep, print_plan, print_result, print_status

        sweep = Sweep(self.file, self.out)
        if self.action == "status":
            print_status(sweep)
        elif self.action == "run" and self.dry_run:
            print_plan(sweep)
        else:
            if self.action == "run":
                table = sweep.run(
                    self.engine,
                    self.workers,
                    retry_failed=self.retry_failed,
                    progress=not self.quiet,
                )
            else:
                table = sweep.table() if self.action == "table" else sweep.draw()
            if not self.quiet:
                print_result(sweep, table)


@dataclass(frozen=True, kw_only=True)
class _Demo(_Shared):
    """Train the README's example network and draw its learning coefficient over training.

    The full example takes about a minute on two cores, the quick form a few seconds:

      lambdascope demo
      lambdascope demo --quick --out runs/try
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """The run directory to write (default: runs/demo, or runs/demo_quick)."""
    quick: bool = False
    """Fewer checkpoints, chains and steps: to see that everything works, not for its numbers."""
    overwrite: bool = False
    """Begin afresh where a run stands already."""

    def run(self) -> None:
        from lambdascope.commands.demo import demo

        out = self.out or (QUICK_OUT if self.quick else DEFAULT_OUT)
        demo(out, quick=self.quick, overwrite=self.overwrite, quiet=self.quiet)


_COMMANDS: dict[str, Any] = {
    "train": _Train,
    "import-legacy": _ImportLegacy,
    "llc": _LLC,
    "fourier": _Fourier,
    "chains": _Chains,
    "circuits": _Circuits,
    "hessian": _Hessian,
    "sweep": _Sweep,
    "demo": _Demo,
    "calibrate": _Calibrate,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What follows the program's name; by default the process's own.

    Returns:
        The exit code: 0; 2 for anything the user can mend, said in a sentence on stderr; 130 after
        Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments == ["--version"]:
            print(f"lambdascope {lambdascope.__version__}")
            return 0
        return _run(_parse(arguments))
    except LambdascopeError as error:
        return _say(error, _REFUSED)
    except BrokenPipeError:
        # The reader has gone (`lambdascope llc ... | head`): nothing can be said to it. Python
        # would still complain on closing its standard output, hence the substitute.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED


def _run(command: _Command) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            command.run()
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return _say("interrupted: the same command resumes where this one stopped", _INTERRUPTED)
    except BrokenPipeError:
        raise
    except (LambdascopeError, OSError) as error:
        if command.debug:
            traceback.print_exc()
        if isinstance(error, LambdascopeError):
            return _say(error, _REFUSED)
        place = f" ({error.filename})" if error.filename else ""
        return _say(f"{error.strerror or error}{place}: what was written stands", _REFUSED)


def _parse(arguments: list[str]) -> _Command:
    """The command that was asked for.

    Raises:
        LambdascopeError: An unknown command or flag, or one that lacks its value.
        SystemExit: After printing help.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            command = tyro.extras.subcommand_cli_from_dict(
                _COMMANDS,
                prog="lambdascope",
                description=_DESCRIPTION,
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code in (None, 0):
            raise
        raise LambdascopeError(_unboxed(complaint.getvalue())) from None
    return cast(_Command, command)


def _unboxed(box: str) -> str:
    """The text of one of tyro's framed error messages, as a sentence."""
    sections, lines = [], []
    for line in box.splitlines()[1:]:
        text = line.strip("│|╭╮╰╯ ").strip()
        if text.strip("─-+"):
            lines.append(text)
        elif lines:
            sections.append(" ".join(lines))
            lines = []
    hints = ("For full helptext", "Argument helptext")
    said = "; ".join(section for section in sections if not section.startswith(hints))
    return f"{said.rstrip('.')} (see `lambdascope COMMAND --help`)"


def _indices(field: str, text: str) -> tuple[int, ...]:
    try:
        return parse_indices(text)
    except ValueError as error:
        raise LambdascopeError(f"{field}={text!r}: {error}.") from None


def _say(message: object, code: int) -> int:
    print(f"lambdascope: {message}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Warnings are for the user, who has no use for the line of code that raised them."""
    print(f"lambdascope: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
