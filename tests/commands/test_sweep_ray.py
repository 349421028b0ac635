"""A sweep of real cells on Ray: the same bits as in this process."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from lambdascope import cli
from lambdascope.commands.sweep import Sweep
from lambdascope.errors import LambdascopeError

FILE = """
[train]
embed_dim = 3
hidden_size = 6
num_steps = 40
num_checkpoints = 3
train_fraction = 0.8
[llc]
num_chains = 2
num_steps = 40
step_size = 1e-4
batch_size = 8
[measure]
circuits = "final"
[grid]
train.p = [5, 7]
train.seed = "0..1"
"""


@pytest.mark.slow
def test_the_same_bits_as_in_this_process_where_batches_are_cut_alike(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    file = tmp_path / "small.toml"
    file.write_text(FILE)
    far = Sweep(file, tmp_path / "ray").run("ray", 2, progress=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a task has one core, and chains are cut by cores
    try:
        here = Sweep(file, tmp_path / "local").run(progress=False)
    finally:
        torch.set_num_threads(threads)
    pd.testing.assert_frame_equal(far, here, check_exact=True)
    assert far["llc"].notna().sum() == 4


def test_an_address_is_for_ray_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.toml"
    file.write_text(FILE)
    sweep = Sweep(file, tmp_path / "results")
    with pytest.raises(LambdascopeError, match="address='auto': only --engine ray has one"):
        sweep.run("processes", 2, address="auto", progress=False)
    assert cli.main(["sweep", "run", str(file), "--engine", "local", "--address", "auto"]) == 2
    assert "only --engine ray" in capsys.readouterr().err
