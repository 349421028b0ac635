"""A small run with everything in it, made once, for the tests of its page."""

import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from lambdascope.commands import chains as chains_command
from lambdascope.commands import llc_sampling
from lambdascope.commands.chains_config import ChainsConfig
from lambdascope.commands.circuits import circuits
from lambdascope.commands.circuits_config import CircuitsConfig
from lambdascope.commands.fourier import fourier
from lambdascope.commands.fourier_config import FourierConfig
from lambdascope.commands.hessian import hessian
from lambdascope.commands.hessian_config import HessianConfig
from lambdascope.commands.llc import llc
from lambdascope.commands.llc_config import LLCConfig
from lambdascope.commands.train import train
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.sampling import sample

TRAIN = TrainConfig(
    p=13, embed_dim=8, hidden_size=32, num_steps=1500, num_checkpoints=6, train_fraction=0.9, seed=2
)
LLC = LLCConfig(num_chains=3, num_steps=240, step_size=2e-4, batch_size=16, localization=20.0)
CHAINS = ChainsConfig(checkpoints=(2, 5), num_chains=2, num_steps=120, step_size=1e-4)


@contextmanager
def eager() -> Iterator[None]:
    """Compiling takes longer than these chains."""
    slow = functools.partial(sample, compile=False)
    with (
        mock.patch.object(llc_sampling, "sample", slow),
        mock.patch.object(chains_command, "sample", slow),
    ):
        yield


@functools.cache
def whole_run() -> Path:
    """The run; to be copied before anything in it is changed."""
    path = Path(tempfile.mkdtemp(prefix="lambdascope-report-")) / "p13"
    with eager():
        train(TRAIN, path, None, progress=False)
        llc(path, LLC, progress=False)
        fourier(path, FourierConfig(), progress=False)
        circuits(path, CircuitsConfig(), progress=False)
        chains_command.chains(path, CHAINS, progress=False)
        hessian(path, HessianConfig(checkpoints=(0, 5), top=30, bottom=2), progress=False)
    return path


def copied(to: Path, *without: str) -> Path:
    """A copy of the run, without some of what it holds."""
    run = Path(shutil.copytree(whole_run(), to))
    for name in without:
        entry = run / name
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return run
