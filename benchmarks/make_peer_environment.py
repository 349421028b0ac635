"""Make `benchmarks/.peers`, the environment that holds the packages we are measured against.

    python -m benchmarks.make_peer_environment

It is apart from the project's own environment because the peers' needs are none of ours. Torch is
installed first, at the very version pinned, and checked at the end: a peer must not bring another.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PEERS_FOLDER = Path(__file__).resolve().parent / ".peers"
TORCH = "torch==2.13.0"
PEERS = ("devinterp==1.3.2",)
# Its metadata asks for torchvision, which it never imports; without it torch stays as it is.
PEERS_WITHOUT_THEIR_REQUIREMENTS = ("canonical-interp==0.1.5",)
CONSTRAINTS = ("numpy==2.4.6", "pandas==3.1.1", "tqdm==4.70.1", "matplotlib==3.11.2")


def peer_python(folder: Path = PEERS_FOLDER) -> Path:
    """The interpreter of the peers' environment, whether or not it is there yet."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def make_environment(folder: Path = PEERS_FOLDER, *, fresh: bool = False) -> None:
    """Create the environment and install the pinned peers into it.

    Args:
        folder: Where it goes.
        fresh: Remove what is there and begin anew; otherwise only what is missing is installed.

    Raises:
        RuntimeError: If the installed torch is not the pinned one at the end.
        subprocess.CalledProcessError: If an installation fails; its own output says why.
    """
    if fresh and folder.exists():
        shutil.rmtree(folder)
    if not peer_python(folder).exists():
        venv.create(folder, with_pip=True, symlinks=os.name == "posix")
    _pip(folder, "install", TORCH)
    _pip(folder, "install", *CONSTRAINTS, *PEERS)
    _pip(folder, "install", "--no-deps", *PEERS_WITHOUT_THEIR_REQUIREMENTS)
    installed = _installed_torch(folder)
    if installed.partition("+")[0] != TORCH.partition("==")[2]:
        raise RuntimeError(
            f"the peers' environment ended with torch {installed}, not with {TORCH}."
        )


def _pip(folder: Path, *arguments: str) -> None:
    command = [str(peer_python(folder)), "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def _installed_torch(folder: Path) -> str:
    read_version = "import importlib.metadata as m; print(m.version('torch'))"
    done = subprocess.run(
        [str(peer_python(folder)), "-c", read_version], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="remove the environment first")
    make_environment(fresh=parser.parse_args().fresh)
    print("The peers' environment stands: python -m benchmarks.llc_throughput will find it.")


if __name__ == "__main__":
    main()
