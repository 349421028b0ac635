"""Runs of `sample` that are killed with SIGKILL, each in a process forked for it.

`python -m tests.sampling.killed FOLDER` makes one store below FOLDER for every moment in `MOMENTS`;
`storm` and `hold` as the second argument do what their functions say.
"""

import functools
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

import lambdascope as ls
from lambdascope.sampling import runner, store
from lambdascope.sampling.recorder import FileRecorder
from lambdascope.sampling.store import TraceStore
from tests.problems import classifier_posterior, draw, flat_weights

STEPS, BLOCK = 42, 10


@functools.cache
def posteriors():
    return [
        classifier_posterior(seed=seed, restriction=ls.OrthogonalToGradient()) for seed in (0, 1)
    ]


def call(path, **settings):
    """Two checkpoints, three chains each, in chunks of four: the second chunk has two fillers."""
    return draw(
        posteriors(),
        ls.SGLD(step_size=2e-3, batch_size=8),
        **{
            "num_chains": 3,
            "num_steps": STEPS,
            "thinning": 4,
            "chunk_size": 4,
            "observables": {"weights": flat_weights},
            "store": path,
            **settings,
        },
    )


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def at(owner, name, number, when="before", only=None):
    """Die at call `number` (from 1) of a function, counting calls whose arguments pass `only`."""
    original = getattr(owner, name)
    count = 0

    def deadly(*args, **kwargs):
        nonlocal count
        counted = only is None or only(*args)
        count += counted
        if counted and count == number and when == "before":
            die()
        result = original(*args, **kwargs)
        if counted and count == number:
            die()
        return result

    setattr(owner, name, deadly)


def half_a_write(number):
    """Die when half of the bytes of one write have reached the file."""
    original = FileRecorder.write
    count = 0

    def torn(self, chunk, name, start, values):
        nonlocal count
        count += 1
        if count == number:
            file = self._records(chunk, name)
            data = values.astype(self.series[name].dtype).tobytes()
            with open(file, "r+b" if file.exists() else "w+b") as stream:
                stream.seek(start * values[0].nbytes)
                stream.write(data[: len(data) // 2 + 1])
            die()
        original(self, chunk, name, start, values)

    FileRecorder.write = torn


def half_a_folder(*_):
    """Die when the settings are deleted and the records are not."""
    original = shutil.rmtree

    def torn(path, **kwargs):
        if "partial" in Path(path).name:
            (Path(path) / "settings.json").unlink()
            die()
        original(path, **kwargs)

    shutil.rmtree = torn


def while_assembling(number):
    """Die between two checkpoints' arrays."""
    original = store.by_checkpoint

    def deadly(*args):
        nonlocal number
        for values in original(*args):
            number -= 1
            if number == 0:
                die()
            yield values

    store.by_checkpoint = deadly


def is_snapshot(_, target):
    return str(target).endswith(".safetensors")


def is_final(_, target):
    return str(target).endswith(".zarr")


# Five blocks a chunk, four quantities a block; settings.json is the first file that is renamed.
MOMENTS = {
    "before the settings": lambda: at(os, "replace", 1),
    "after the settings": lambda: at(os, "replace", 1, "after"),
    "before the first write": lambda: at(FileRecorder, "write", 1),
    "in the middle of the first write": lambda: half_a_write(1),
    "between two writes": lambda: at(FileRecorder, "write", 2),
    "between records and snapshot": lambda: at(FileRecorder, "commit", 1),
    "between snapshot and its rename": lambda: at(os, "replace", 1, only=is_snapshot),
    "after the first snapshot": lambda: at(FileRecorder, "commit", 1, "after"),
    "in the middle of a later write": lambda: half_a_write(11),
    "between later records and snapshot": lambda: at(FileRecorder, "commit", 3),
    "between a later snapshot and its rename": lambda: at(os, "replace", 3, only=is_snapshot),
    "between two chunks": lambda: at(FileRecorder, "commit", 5, "after"),
    "in the second chunk": lambda: at(FileRecorder, "commit", 8),
    "before the assembly": lambda: at(TraceStore, "finish", 1),
    "at the beginning of the assembly": lambda: while_assembling(1),
    "in the middle of the assembly": lambda: while_assembling(4),
    "before the trace is in place": lambda: at(os, "replace", 1, only=is_final),
    "after the trace is in place": lambda: at(os, "replace", 1, "after", only=is_final),
    "in the middle of clearing up": half_a_folder,
}
# With another trace in the place, which is overwritten.
OVERWRITING = {
    "before the old trace is away": lambda: at(
        os, "replace", 1, only=lambda old, new: str(old).endswith(".zarr")
    ),
    "between the old trace and the new": lambda: at(os, "replace", 1, only=is_final),
    "before the old trace is deleted": lambda: at(FileRecorder, "remove", 1),
    **{
        name: MOMENTS[name] for name in ("between later records and snapshot", "between two chunks")
    },
}


def forked(function):
    """Run in a child; return the signal that ended it, or minus its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def die_at(moment, path, **settings):
    def run():
        moment()
        call(path, **settings)

    assert forked(run) == signal.SIGKILL, path


def all_moments(folder):
    for name, moment in MOMENTS.items():
        die_at(moment, folder / name / "trace.zarr")
    for name, moment in OVERWRITING.items():
        path = folder / f"overwriting, {name}" / "trace.zarr"
        call(path, seed=99)
        die_at(moment, path, overwrite=True)


def storm(folder):
    """Kill at chance times, again and again, until one run gets through."""
    random.seed(0)
    for deaths in range(200):
        child = os.fork()
        if child == 0:
            call(folder / "trace.zarr")
            os._exit(0)
        time.sleep(random.uniform(0.02, 0.06 + 0.01 * deaths))
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(deaths)  # noqa: T201


def hold(folder):
    """Stop after the first snapshot, the lock held, until a signal comes."""
    original = FileRecorder.commit

    def commit(*args):
        original(*args)
        print("holding", flush=True)  # noqa: T201
        signal.pause()

    FileRecorder.commit = commit
    call(folder / "trace.zarr")


if __name__ == "__main__":
    torch.set_num_threads(1)
    runner.BLOCK = BLOCK
    posteriors()
    task = {"storm": storm, "hold": hold}.get(" ".join(sys.argv[2:]), all_moments)
    task(Path(sys.argv[1]))
