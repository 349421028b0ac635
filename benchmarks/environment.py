"""What a benchmark ran on, as one JSON object stored beside its figures.

Neither host names nor paths are recorded: only what a reader needs to judge whether a figure
should carry over to another machine.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent

DEFAULT_PACKAGES = (
    "lambdascope",
    "torch",
    "numpy",
    "xarray",
    "zarr",
    "arviz",
    "devinterp",
    "canonical-interp",
    "triton",
)


def describe_environment(packages: Sequence[str] = DEFAULT_PACKAGES) -> dict[str, Any]:
    """Describe the processor, the memory, the versions, the date and the commit.

    Args:
        packages: Distribution names whose versions are recorded, where installed.

    Returns:
        A JSON-ready dict. `memory_gib` is in GiB, `date` is UTC in ISO 8601, `commit` is None
        outside a git checkout; `torch` describes this very process (threads, vector unit, GPU).
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_usable": _usable_cores(),
        "memory_gib": _memory_gib(),
        "load_average_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpp_compiler": _compiler_version(),
        "thread_variables": {
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
            if name in os.environ
        },
        "versions": _versions(packages),
        "torch": _torch_details(),
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON; an interrupted write leaves the old file standing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _usable_cores() -> int | None:
    # Containers often show more cores than the process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _compiler_version() -> str | None:
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        return None
    try:
        done = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0]


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _torch_details() -> dict[str, Any] | None:
    try:
        import torch
    except ImportError:
        return None
    details: dict[str, Any] = {
        "num_threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
    }
    if torch.cuda.is_available():
        details["gpu"] = torch.cuda.get_device_name()
        details["gpu_memory_gib"] = round(
            torch.cuda.get_device_properties(0).total_memory / 2**30, 1
        )
    return details


if __name__ == "__main__":
    print(json.dumps(describe_environment(), indent=2))
