"""The commands as a user runs them: killed, interrupted, without a compiler."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

pytestmark = pytest.mark.slow

TRAIN = ("--p", "11", "--embed-dim", "4", "--hidden-size", "8", "--num-steps", "200")
LLC = ("--chains", "3", "--steps", "120000", "--step-size", "1e-4", "--orthogonal-to-gradient")


def command(*arguments: object) -> list[str]:
    """The command line as a process of its own."""
    return [sys.executable, "-m", "lambdascope", *map(str, arguments)]


def lambdascope(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "p11"
    done = lambdascope("train", "--out", path, *TRAIN, "--num-checkpoints", 3)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def undisturbed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with λ̂ estimated in one go."""
    run = Path(shutil.copytree(trained, tmp_path_factory.mktemp("undisturbed") / "p11"))
    done = lambdascope("llc", run, *LLC)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "p11"))


def stop_midway(
    run: Path,
    how: signal.Signals,
    settings: tuple[str, ...] = LLC,
    parts: str = "llc_trace.zarr.partial",
) -> subprocess.Popen:
    """Starts the estimate and stops it once a snapshot stands.

    On a busy machine it may come to its end between the two: then it is begun anew.
    """
    snapshot = run / parts / "chunk_00000.safetensors"
    for _ in range(5):
        process = subprocess.Popen(
            command("llc", run, *settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 200
        while not snapshot.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(process.pid, how)
        process.communicate(timeout=100)
        if snapshot.exists():
            break
        (run / "llc.csv").unlink(missing_ok=True)
        for traces in ("llc_trace.zarr", "llc_automatic"):
            shutil.rmtree(run / traces, ignore_errors=True)
    assert snapshot.exists(), "the command was not stopped in the middle"
    assert not (run / "llc.csv").exists()
    return process


def assert_same_results(run: Path, other: Path) -> None:
    assert (run / "llc.csv").read_bytes() == (other / "llc.csv").read_bytes()
    mine, theirs = (
        xr.open_zarr(path / "llc_trace.zarr", chunks=None, consolidated=False)
        for path in (run, other)
    )
    xr.testing.assert_equal(mine, theirs)
    assert not list(run.glob("*.partial"))


def test_killed_at_once_and_started_again_it_ends_with_the_same_bits(
    run: Path, undisturbed: Path
) -> None:
    stop_midway(run, signal.SIGKILL)
    done = lambdascope("llc", run, *LLC)
    assert done.returncode == 0, done.stderr
    assert_same_results(run, undisturbed)


def test_an_automatic_estimate_killed_and_started_again_ends_with_the_same_bits(
    run: Path, trained: Path, tmp_path: Path
) -> None:
    settings = ("--target-error", "0.03", "--orthogonal-to-gradient")
    whole = Path(shutil.copytree(trained, tmp_path / "whole"))
    assert lambdascope("llc", whole, *settings).returncode == 0
    stop_midway(run, signal.SIGKILL, settings, "llc_automatic/round_0.zarr.partial")
    done = lambdascope("llc", run, *settings)
    assert done.returncode == 0, done.stderr
    assert (run / "llc.csv").read_bytes() == (whole / "llc.csv").read_bytes()
    assert not list(run.rglob("*.partial"))


def test_ctrl_c_is_a_sentence_and_the_same_command_resumes(run: Path, undisturbed: Path) -> None:
    process = stop_midway(run, signal.SIGINT)
    assert process.returncode == 130
    assert lambdascope("llc", run, *LLC).returncode == 0
    assert_same_results(run, undisturbed)


def test_other_settings_after_a_kill_are_refused(run: Path) -> None:
    stop_midway(run, signal.SIGKILL)
    done = lambdascope("llc", run, *LLC, "--seed", 1)
    assert done.returncode == 2
    assert "seed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_compiler_it_says_so_once_and_gives_the_same_numbers(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("llc", run, "--chains", 2, "--steps", 200, "--step-size", "1e-4")
    compiled = lambdascope(*few)
    assert compiled.returncode == 0, compiled.stderr
    before = (run / "llc.csv").read_text()
    shutil.rmtree(run / "llc_trace.zarr")
    (run / "llc.csv").unlink()
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    monkeypatch.delenv("CXX", raising=False)
    eager = lambdascope(*few, "--quiet")
    assert eager.returncode == 0
    assert eager.stderr.count("lambdascope: warning: Sampling runs eagerly") == 1
    after = (run / "llc.csv").read_text()
    for one, other in zip(before.splitlines()[1:], after.splitlines()[1:], strict=True):
        assert float(one.split(",")[2]) == pytest.approx(float(other.split(",")[2]), rel=1e-3)
