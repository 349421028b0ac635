"""The losses along chains, thinned for a page, beside the traces that they come from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import lambdascope as ls
from lambdascope.commands.report_traces import loss_traces
from lambdascope.errors import LambdascopeError
from lambdascope.sampling import open_trace

PLAIN, AUTOMATIC = (
    pd.DataFrame({"checkpoint": [0], "sampler": [sampler]}) for sampler in ("SGLD", "automatic")
)


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).square().sum(1)


def posteriors(count: int) -> list[ls.LocalPosterior]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20, 2, generator=generator)
    targets = torch.randn(20, 1, generator=generator)
    return [
        ls.LocalPosterior(torch.nn.Linear(2, 1), (inputs, targets), loss=squared_error)
        for _ in range(count)
    ]


def sampled(store: Path, checkpoints: list[int], num_steps: int, **more: object) -> None:
    ls.sample(
        posteriors(len(checkpoints)),
        ls.SGLD(step_size=1e-4, batch_size=4),
        num_chains=2,
        num_steps=num_steps,
        checkpoints=checkpoints,
        store=store,
        compile=False,
        progress=False,
        **more,
    )


def test_blocks_are_means_and_the_last_may_be_shorter(tmp_path: Path) -> None:
    sampled(tmp_path / "llc_trace.zarr", [0, 3], 450)
    found = loss_traces(tmp_path, PLAIN)
    assert list(found) == [0, 3]
    one, trace = found[3], open_trace(tmp_path / "llc_trace.zarr").isel(checkpoint=1)
    assert one.block == 3
    assert one.loss.shape == (2, 150)
    whole = trace["loss"].values
    np.testing.assert_allclose(one.loss[:, 7], whole[:, 21:24].mean(axis=1), rtol=1e-6)
    assert one.steps[:2].tolist() == [1.0, 4.0]
    assert one.num_steps == 450
    assert one.initial_loss == pytest.approx(float(trace["initial_loss"]))
    assert one.nbeta == pytest.approx(20 / np.log(20))
    assert one.step_factors == [1.0, 1.0]
    sampled(tmp_path / "odd" / "llc_trace.zarr", [0], 401)
    odd = loss_traces(tmp_path / "odd", PLAIN)[0]
    whole = open_trace(tmp_path / "odd" / "llc_trace.zarr")["loss"].values[0]
    assert odd.steps[-1] == 399.5
    np.testing.assert_allclose(odd.loss[:, -1], whole[:, 399:].mean(axis=1), rtol=1e-6)


def test_of_an_automatic_estimate_the_last_round_of_each_checkpoint_counts(tmp_path: Path) -> None:
    folder = tmp_path / "llc_automatic"
    sampled(folder / "round_0.zarr", [0, 1], 40, step_factors=[[2.0, 1.0]] * 2)
    sampled(folder / "round_1.zarr", [1], 90, step_factors=[[0.5, 0.25]])
    sampled(folder / "half_localization.zarr", [0, 1], 40)
    found = loss_traces(tmp_path, AUTOMATIC)
    assert [one.num_steps for one in found.values()] == [40, 90]
    assert found[1].step_factors == [2.0, 1.0]
    assert loss_traces(tmp_path, PLAIN) == {}


def test_a_trace_of_another_call_than_the_tables_is_refused(tmp_path: Path) -> None:
    sampled(tmp_path / "llc_trace.zarr", [0, 3], 40)
    trace = open_trace(tmp_path / "llc_trace.zarr")
    table = pd.DataFrame(
        {"checkpoint": [0, 3], "sampler": "SGLD", "num_chains": 2, "num_steps": 40}
    )
    for name in ("nbeta", "localization", "initial_loss"):
        table[name] = trace[name].values
    assert list(loss_traces(tmp_path, table)) == [0, 3]
    for name, other in [("num_steps", 80), ("localization", 50.0), ("initial_loss", 9.0)]:
        with pytest.raises(LambdascopeError, match=rf"\({name} of checkpoint 0\), as an int"):
            loss_traces(tmp_path, table.assign(**{name: other}))
