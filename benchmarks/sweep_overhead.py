"""What an engine costs by itself: ten thousand cells without work.

    python -m benchmarks.sweep_overhead [--engine ray] [--cells 10000] [--workers 2]

Every cell is a batch of its own, the worst case: cells of one shape share a batch in real sweeps.
Printed and stored are the time a cell that handing out, working on nothing and getting back take,
the time that recording adds, and the memory of the driver, of Ray's other processes and of its
object store, at the start, the middle and the end: what is held must not grow with the cells.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.environment import describe_environment, write_json
from lambdascope.config import Config
from lambdascope.sweeps import Cell, CellRecords, Engine, LocalEngine, Outcome, ProcessEngine
from lambdascope.sweeps.ray_engine import RayEngine

RESULT = Path(__file__).parent / "results" / "sweep_overhead.json"
ASKED_MILLISECONDS = 5.0


class Nothing(Config):
    """Settings of a cell that does nothing."""

    seed: int = 0


def no_work(batch: Sequence[Cell]) -> list[Outcome]:
    """One row a cell, as small as real ones."""
    return [Outcome(rows=[{"step": 0, "llc": float(cell.number)}]) for cell in batch]


def memory_mb() -> dict[str, float]:
    """Resident memory of this process, and of all that it started together, in MB."""
    here = psutil.Process()
    others = 0
    for child in here.children(recursive=True):
        try:
            others += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return {"driver": here.memory_info().rss / 1e6, "others": others / 1e6}


def object_store_mb() -> float:
    """What Ray's object store holds."""
    import ray

    if not ray.is_initialized():
        return 0.0
    total = ray.cluster_resources().get("object_store_memory", 0.0)
    return (total - ray.available_resources().get("object_store_memory", 0.0)) / 1e6


def engine_of(name: str, workers: int) -> Engine:
    if name == "local":
        return LocalEngine()
    return RayEngine(None, workers) if name == "ray" else ProcessEngine(workers)


def run(engine: Engine, cells: Sequence[Cell], records: CellRecords) -> dict[str, Any]:
    """Times and memory; the start of the engine is timed apart, by its first cell."""
    memory: list[dict[str, float]] = []
    seen: set[int] = set()
    recording = 0.0
    marks = {len(cells) // 10, len(cells) // 2, len(cells)}
    begun, cpu = time.perf_counter(), time.process_time()
    first = 0.0
    for batch, outcomes in _worked(engine, cells):
        if not first:
            first = time.perf_counter() - begun
        for cell, outcome in zip(batch, outcomes, strict=True):
            assert outcome.error is None, outcome.error
            assert cell.number not in seen, "a cell came twice"
            seen.add(cell.number)
            before = time.perf_counter()
            records.put(cell, outcome)
            recording += time.perf_counter() - before
        if len(seen) in marks:
            memory.append({"cells": len(seen), **memory_mb(), "object_store": object_store_mb()})
    total, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert len(seen) == len(cells), "a cell was lost"
    return {
        "engine": engine.name,
        "cells": len(cells),
        "start_seconds": first,
        "scheduling_ms_a_cell": 1e3 * (total - first - recording) / (len(cells) - 1),
        "recording_ms_a_cell": 1e3 * recording / len(cells),
        "driver_cpu_ms_a_cell": 1e3 * cpu / len(cells),
        "load_average": os.getloadavg()[0],
        "memory_mb": memory,
    }


def _worked(engine: Engine, cells: Sequence[Cell]) -> Iterator[tuple[Any, list[Outcome]]]:
    yield from engine.outcomes([[cell] for cell in cells], no_work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["local", "processes", "ray"], default="ray")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    cells = [
        Cell(n, {"nothing.seed": n}, {"nothing": Nothing(seed=n)}) for n in range(arguments.cells)
    ]
    with tempfile.TemporaryDirectory() as folder:
        engine = engine_of(arguments.engine, arguments.workers)
        found = run(engine, cells, CellRecords(Path(folder)))
    found |= {"workers": arguments.workers, "asked_milliseconds": ASKED_MILLISECONDS}
    print(
        f"{found['engine']}: {found['scheduling_ms_a_cell']:.2f} ms a cell (asked: under "
        f"{ASKED_MILLISECONDS:g}), recording {found['recording_ms_a_cell']:.2f} ms, start "
        f"{found['start_seconds']:.1f} s; the driver's own processor time "
        f"{found['driver_cpu_ms_a_cell']:.2f} ms a cell, load average {found['load_average']:.1f}"
    )
    for row in found["memory_mb"]:
        print(
            f"  after {row['cells']:,} cells: driver {row['driver']:.0f} MB, other processes "
            f"{row['others']:.0f} MB, object store {row['object_store']:.1f} MB"
        )
    write_json(
        arguments.out,
        {"result": found, "environment": describe_environment(["ray", "psutil", "torch"])},
    )


if __name__ == "__main__":
    main()
