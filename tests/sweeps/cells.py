"""A small system for sweeps: settings without networks, and work that worker processes import."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lambdascope.config import Config
from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import Cell, Outcome, Vocabulary


class Shape(Config):
    """Settings of the first section."""

    width: Annotated[int, Field(ge=1)] = 2
    seed: int = 0
    kind: str = "plain"


class Measure(Config):
    """Settings of the second section."""

    seed: int = 0


def _idle(configs: Mapping[str, Config]) -> dict[str, str]:
    """Of what is thin, nobody asks how wide it is."""
    return {"shape.width": "shape.kind='thin'"} if configs["shape"].kind == "thin" else {}


SYSTEMS = {
    "shapes": Vocabulary(
        {"shape": Shape, "measure": Measure}, ("llc", "train_loss", "step"), ("status",)
    ),
    "idling": Vocabulary({"shape": Shape}, idle=_idle),
    "others": Vocabulary({"measure": Measure}),
}


def cell(number: int, **settings: object) -> Cell:
    point = {f"shape.{name}": value for name, value in settings.items()}
    return Cell(number, point, {"shape": Shape(**settings), "measure": Measure()})


def squares(batch: list[Cell]) -> list[Outcome]:
    """The square of each width; widths of 13 are refused."""
    if any(one.configs["shape"].width == 13 for one in batch):
        raise LambdascopeError("width=13 brings bad luck")
    return [Outcome(rows=[{"square": one.configs["shape"].width ** 2}]) for one in batch]


def slow_squares(batch: list[Cell]) -> list[Outcome]:
    """`squares`, slowly enough to be killed in between; leaves its process's number behind."""
    folder = Path(os.environ["LAMBDASCOPE_TEST_FOLDER"])
    (folder / f"started_{batch[0].number}_{os.getpid()}").touch()
    time.sleep(0.5)
    return squares(batch)


@contextmanager
def second_batch_killed(folder: Path) -> Iterator[None]:
    """Within, the process in which `slow_squares` first begins the second batch is killed."""

    def kill_one() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if started := list(folder.glob("started_1_*")):
                os.kill(int(started[0].name.rpartition("_")[2]), signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one)
    killer.start()
    yield
    killer.join()


def dying(batch: list[Cell]) -> list[Outcome]:
    """`squares`, but a width of 13 takes the whole process with it."""
    if any(one.configs["shape"].width == 13 for one in batch):
        os._exit(1)
    return squares(batch)


def slowly_dying(batch: list[Cell]) -> list[Outcome]:
    """`slow_squares`, but a width of 13 takes the whole process with it."""
    if any(one.configs["shape"].width == 13 for one in batch):
        os._exit(1)
    return slow_squares(batch)


def endless(batch: list[Cell]) -> list[Outcome]:
    """Says which process it is, and does not come back before a test has given up."""
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(120)
    return squares(batch)
