"""Microseconds a chain-step on the README example, ours beside the peers', in one run.

    python -m benchmarks.make_peer_environment     once: the peers' own environment
    python -m benchmarks.llc_throughput            some ten minutes, on an otherwise idle machine

Every contestant is a process of its own that stays up; rounds are interleaved, so that whatever
else the machine does in a while hits all of them. Each first estimates λ̂ at the last checkpoint
(which also warms it up), as a check that it samples the same thing. The table is stored with its
environment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, write_json
from benchmarks.make_peer_environment import peer_python
from benchmarks.startup import measure_memory, measure_startup
from benchmarks.table import llc_of, print_report, ratios, spread
from benchmarks.worker import Worker, WorkerError

RESULTS = Path(__file__).resolve().parent / "results" / "llc_throughput.json"
NUM_STEPS_FOR_LLC = 3000
MEMORY_CHAINS = (100, 500, 2500)
MEMORY_STEPS = 200


@dataclass(frozen=True)
class Contestant:
    """A module to run, in which of the two environments, and with how many threads.

    `threads` is what served it best on two cores: one thread for loops over tiny matrices.
    """

    module: str
    threads: int
    peer: bool = False


CONTESTANTS = {
    "lambdascope": Contestant("benchmarks.runners.lambdascope_chains", 2),
    "plain": Contestant("benchmarks.runners.plain_loop", 1),
    "devinterp": Contestant("benchmarks.runners.devinterp_chains", 1, peer=True),
    "canonical-interp": Contestant("benchmarks.runners.canonical_chains", 2, peer=True),
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: Its key in the stored results.
        label: What the printed table calls it.
        contestant: Who runs it.
        num_chains: Chains at once (over all checkpoints, where it can batch them).
        num_steps: Steps a chain in one timed segment.
        llc_chains: Chains of the λ̂ check, or None where another row of the contestant does it.
        options: What else the contestant is told.
    """

    name: str
    label: str
    contestant: str
    num_chains: int
    num_steps: int
    llc_chains: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


def _ours(num_chains: int, num_steps: int, *, orthogonal: bool) -> Row:
    suffix, words = ("_orthogonal", ", orthogonal to gradient") if orthogonal else ("", "")
    return Row(
        name=f"lambdascope_{num_chains}{suffix}",
        label=f"lambdascope, {num_chains:,} chains{words}",
        contestant="lambdascope",
        num_chains=num_chains,
        num_steps=num_steps,
        llc_chains=100 if num_chains == 100 else None,
        options={"orthogonal": orthogonal},
    )


BASELINE = "lambdascope_100"
ROWS = (
    _ours(100, 1500, orthogonal=False),
    _ours(500, 500, orthogonal=False),
    _ours(2500, 200, orthogonal=False),
    _ours(100, 1500, orthogonal=True),
    _ours(500, 500, orthogonal=True),
    _ours(2500, 200, orthogonal=True),
    Row(
        "lambdascope_100_ordinary",
        "lambdascope, 100 chains, network as usually written, torch's cross_entropy",
        "lambdascope",
        100,
        1500,
        options={"ordinary": True},
    ),
    Row("plain", "plain PyTorch loop, one chain", "plain", 1, 4000, llc_chains=4),
    Row("devinterp", "devinterp 1.3.2, as its guide has it", "devinterp", 1, 3000, llc_chains=4),
    Row(
        "devinterp_fastest",
        "devinterp 1.3.2, SGLD class, whole-batch loader",
        "devinterp",
        1,
        3000,
        llc_chains=4,
        options={"fastest": True},
    ),
    Row(
        "devinterp_two_processes",
        "devinterp 1.3.2, as its guide has it, cores=2",
        "devinterp",
        2,
        6000,
        options={"cores": 2},
    ),
    Row("canonical_25", "canonical-interp 0.1.5, 25 chains", "canonical-interp", 25, 2000, 25),
    Row("canonical_100", "canonical-interp 0.1.5, 100 chains", "canonical-interp", 100, 500),
    Row(
        "canonical_100_ordinary",
        "canonical-interp 0.1.5, 100 chains, network as usually written",
        "canonical-interp",
        100,
        500,
        options={"ordinary": True},
    ),
)


@contextmanager
def contestants(example: Path) -> Iterator[dict[str, Worker | None]]:
    """Start every contestant; one that is not installed is None, and a sentence says so."""
    workers: dict[str, Worker | None] = {}
    try:
        for name, contestant in CONTESTANTS.items():
            workers[name] = _start(name, contestant, example)
        yield workers
    finally:
        for worker in workers.values():
            if worker is not None:
                worker.close()


def _start(name: str, contestant: Contestant, example: Path) -> Worker | None:
    python = peer_python() if contestant.peer else Path(sys.executable)
    if not python.exists():
        print(f"{name} is left out: python -m benchmarks.make_peer_environment adds it.")
        return None
    worker = Worker(python, contestant.module, example, threads=contestant.threads)
    if worker.missing is None:
        return worker
    if not contestant.peer:
        raise WorkerError(f"{name} cannot run: there is no {worker.missing}")
    print(f"{name} is left out: its environment has no {worker.missing}.")
    worker.close()
    return None


def measure(example: Path, num_rounds: int, *, shorter: int = 1) -> dict[str, Any]:
    """Run the λ̂ checks and the timed rounds.

    Args:
        example: The stored README example.
        num_rounds: How often each row is timed.
        shorter: Divisor of all step counts, for a quick look.

    Returns:
        `rows` (with figures of every round), `ratios`, `contestants`, `load_average` by round.
    """
    segments: dict[str, list[dict[str, Any]]] = {row.name: [] for row in ROWS}
    llcs: dict[str, dict[str, Any]] = {}
    load: list[float] = []
    with contestants(example) as workers:
        rows = [row for row in ROWS if workers[row.contestant] is not None]
        for row in rows:
            chains, steps = row.llc_chains or row.num_chains, NUM_STEPS_FOR_LLC // shorter
            if row.llc_chains is None:
                steps = min(steps, row.num_steps)  # warms up; too short to read λ̂ from
            reply = _request(workers, row, chains, steps, seed=0)
            if row.llc_chains is not None:
                llcs[row.name] = llc_of(reply)
        for round_number in range(num_rounds):
            load.append(round(os.getloadavg()[0], 2))
            # Another order each round, so that no row always follows the same neighbour.
            turn = round_number % len(rows)
            for row in rows[turn:] + rows[:turn]:
                steps = max(row.num_steps // shorter, 40)
                reply = _request(workers, row, row.num_chains, steps, seed=1 + round_number)
                segments[row.name].append(reply)
            print(f"round {round_number + 1} of {num_rounds} done", flush=True)
        environments = {
            name: "not installed" if worker is None else worker.environment
            for name, worker in workers.items()
        }
    return {
        "rows": [_row_result(row, segments[row.name], llcs.get(row.name)) for row in ROWS],
        "ratios": ratios(BASELINE, segments),
        "contestants": environments,
        "load_average_by_round": load,
    }


def _request(
    workers: dict[str, Worker | None], row: Row, chains: int, steps: int, seed: int
) -> dict[str, Any]:
    worker = workers[row.contestant]
    assert worker is not None
    return worker.request(num_chains=chains, num_steps=steps, seed=seed, **row.options)


def _row_result(
    row: Row, segments: list[dict[str, Any]], llc: dict[str, Any] | None
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": row.name,
        "label": row.label,
        "num_chains": row.num_chains,
        "status": "measured" if segments else "not installed",
    }
    if segments:
        result["num_steps"] = segments[0]["num_steps"]
        result["us_per_chain_step"] = spread([one["us_per_chain_step"] for one in segments])
        result["llc"] = llc
        if "startup_seconds" in segments[0]:
            result["startup_seconds"] = spread([one["startup_seconds"] for one in segments])
    return result


def _make_example(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from benchmarks.runners.lambdascope_chains import make_example;"
        "make_example(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each row is timed")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the steps, two rounds, no start-up figures"
    )
    parser.add_argument(
        "--output", type=Path, help=f"where to store the table; default results/{RESULTS.name}"
    )
    options = parser.parse_args()
    rounds, shorter = (min(options.rounds, 2), 10) if options.quick else (options.rounds, 1)
    # A quick look does not replace the stored table.
    output = options.output or (None if options.quick else RESULTS)

    environment = describe_environment()
    with tempfile.TemporaryDirectory() as folder:
        example = Path(folder) / "readme_example.pt"
        _make_example(example)
        result: dict[str, Any] = {
            "benchmark": "llc_throughput",
            "environment": environment,
            **measure(example, rounds, shorter=shorter),
        }
        if not options.quick:
            result["startup"] = measure_startup(example)
            result["memory"] = [measure_memory(example, n, MEMORY_STEPS) for n in MEMORY_CHAINS]
    print_report(result)
    if output is not None:
        write_json(output, result)
        print(f"\nstored as {output.name}")


if __name__ == "__main__":
    main()
