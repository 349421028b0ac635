"""What a first call costs, and what memory many chains take: each measured in a fresh process.

    python -m benchmarks.startup first-call EXAMPLE      seconds of the first and the second call
    python -m benchmarks.startup memory EXAMPLE CHAINS   peak resident memory

Both print one JSON object. `benchmarks.llc_throughput` calls them through the functions below.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.environment import REPOSITORY

# Enough to pass through every stage of the engine; the seconds of interest are not in the steps.
SHORT_STEPS = 50
CHAINS_AT_FIRST_CALL = 100
# The package fetches its public names when they are first asked for.
IMPORTS = "from lambdascope import SGLD, LocalPosterior, estimate_llc, sample"


def measure_startup(example: Path, repeats: int = 3) -> dict[str, Any]:
    """Import, help and first call, in seconds.

    Returns:
        `import_seconds` (all that sampling needs) and `help_seconds`: whole processes, the median
        of `repeats`.
        `first_call_cold` with an empty compiler cache, `first_call_warm` with the cache that the
        cold one left: `compile_seconds` is how much longer the first call took than the second.
    """
    with tempfile.TemporaryDirectory() as cache:
        kinds = {"first_call_cold": cache, "first_call_warm": cache}
        first_calls = {
            kind: _run_self("first-call", str(example), inductor_cache=folder)
            for kind, folder in kinds.items()
        }
    return {
        "import_seconds": _median_wall([sys.executable, "-c", IMPORTS], repeats),
        "help_seconds": _median_wall(
            [sys.executable, "-c", "from lambdascope.cli import main; main()", "--help"], repeats
        ),
        **first_calls,
    }


def measure_memory(example: Path, num_chains: int, num_steps: int) -> dict[str, Any]:
    """Peak resident memory of sampling `num_chains` chains in a fresh process, in MiB."""
    return _run_self("memory", str(example), str(num_chains), str(num_steps))


def first_call(example: Path) -> dict[str, float]:
    """Time the imports, the first call and the second call of this very process."""
    begin = time.perf_counter()
    from benchmarks.readme_example import load_example
    from benchmarks.runners.lambdascope_chains import make_posteriors, sample

    posteriors = make_posteriors(load_example(example), orthogonal=False)
    ready = time.perf_counter()
    sample(posteriors, CHAINS_AT_FIRST_CALL, SHORT_STEPS, seed=0)
    first = time.perf_counter()
    sample(posteriors, CHAINS_AT_FIRST_CALL, SHORT_STEPS, seed=1)
    second = time.perf_counter()
    return {
        "import_and_load_seconds": ready - begin,
        "first_call_seconds": first - ready,
        "second_call_seconds": second - first,
        "compile_seconds": (first - ready) - (second - first),
    }


def memory(example: Path, num_chains: int, num_steps: int) -> dict[str, float]:
    """Sample in this very process and read its peak resident memory."""
    from benchmarks.readme_example import load_example
    from benchmarks.runners.lambdascope_chains import make_posteriors, sample

    posteriors = make_posteriors(load_example(example), orthogonal=False)
    before = _peak_mib(resource.RUSAGE_SELF)
    sample(posteriors, num_chains, num_steps, seed=0)
    return {
        "num_chains": num_chains,
        "num_steps": num_steps,
        "peak_mib": _peak_mib(resource.RUSAGE_SELF),
        "peak_before_sampling_mib": before,
        # The C++ compiler's processes, which have ended by then; the largest single one.
        "peak_of_children_mib": _peak_mib(resource.RUSAGE_CHILDREN),
    }


def _peak_mib(who: int) -> float:
    peak = resource.getrusage(who).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


def _median_wall(command: list[str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _run_self(*arguments: str, inductor_cache: str | None = None) -> dict[str, Any]:
    environment = dict(os.environ)
    if inductor_cache is not None:
        environment["TORCHINDUCTOR_CACHE_DIR"] = inductor_cache
    command = [sys.executable, "-m", "benchmarks.startup", *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    match sys.argv[1:]:
        case ["first-call", example]:
            result = first_call(Path(example))
        case ["memory", example, chains, steps]:
            result = memory(Path(example), int(chains), int(steps))
        case _:
            sys.exit((__doc__ or "").strip())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
