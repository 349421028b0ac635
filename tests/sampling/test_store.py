"""Traces on disk: interrupted, resumed, refused, replaced, on a disk that is full."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.sampling import loop, memory, recorder, runner, store
from tests.problems import classifier_posterior, draw, quadratic_posterior
from tests.sampling.killed import BLOCK, MOMENTS, OVERWRITING, STEPS, call

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.sampling.killed"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    monkeypatch.setattr(runner, "BLOCK", BLOCK)


@pytest.fixture(scope="module")
def undisturbed():
    return call(None)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([*COMMAND, str(folder)], check=True, cwd=ROOT, env=ENVIRONMENT, timeout=300)
    return folder


@pytest.fixture
def steps_taken(monkeypatch):
    """How many steps of a chunk were run since the test began."""
    taken = []
    advance = loop.DirectLoop.advance
    monkeypatch.setattr(loop.DirectLoop, "advance", lambda self: (taken.append(1), advance(self)))
    return taken


def same_bits(trace, expected):
    assert set(trace.variables) == set(expected.variables)
    for name, variable in expected.variables.items():
        assert trace[name].dims == variable.dims
        assert trace[name].dtype == variable.dtype
        np.testing.assert_array_equal(trace[name].values, variable.values, err_msg=name)
        assert trace[name].attrs == variable.attrs
    for one in (trace, expected):
        assert json.loads(one.attrs["settings"])["num_steps"] == STEPS
    assert trace.attrs["settings"] == expected.attrs["settings"]


# --- killed and resumed --------------------------------------------------------------------------

# Steps of the two chunks that are done, by the last snapshot that stands.
DONE = {
    "after the first snapshot": 10,
    "in the middle of a later write": 20,
    "between later records and snapshot": 20,
    "between a later snapshot and its rename": 20,
    "between two chunks": 42,
    "in the second chunk": 62,
    "before the assembly": 84,
    "at the beginning of the assembly": 84,
    "in the middle of the assembly": 84,
    "before the trace is in place": 84,
    "after the trace is in place": 84,
    "in the middle of clearing up": 84,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_it_ends_with_the_same_bits(moment, killed, undisturbed, steps_taken):
    path = killed / moment / "trace.zarr"
    same_bits(call(path), undisturbed)
    assert len(steps_taken) == 2 * STEPS - DONE.get(moment, 0)
    assert list(path.parent.iterdir()) == [path]
    same_bits(ls.open_trace(path), undisturbed)


@pytest.mark.parametrize("moment", OVERWRITING)
def test_killed_while_overwriting_the_old_trace_stands_until_the_new_one_does(
    moment, killed, undisturbed
):
    path = killed / f"overwriting, {moment}" / "trace.zarr"
    if moment == "between the old trace and the new":
        # The one instant without either: the old one is beside it, and the new one is whole.
        assert ls.open_trace(path.with_name("trace.zarr.old")).sizes["step"] == STEPS
        assert ls.open_trace(path.with_name("trace.zarr.new")).sizes["step"] == STEPS
    else:
        seed = json.loads(ls.open_trace(path).attrs["settings"])["seed"]
        assert seed == (1 if moment == "before the old trace is deleted" else 99)
    same_bits(call(path, overwrite=True), undisturbed)
    assert list(path.parent.iterdir()) == [path]


def test_killed_at_chance_times_again_and_again(tmp_path, undisturbed):
    done = subprocess.run(
        [*COMMAND, str(tmp_path), "storm"], check=True, cwd=ROOT, env=ENVIRONMENT, timeout=300,
        capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) > 3
    same_bits(ls.open_trace(tmp_path / "trace.zarr"), undisturbed)


def test_interrupted_by_the_user_it_resumes(tmp_path, undisturbed, monkeypatch, steps_taken):
    path = tmp_path / "trace.zarr"
    commit = recorder.FileRecorder.commit

    def interrupt(self, chunk, step, state):
        commit(self, chunk, step, state)
        if (chunk, step) == (1, 20):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recorder.FileRecorder, "commit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            call(path)
    assert not path.exists()
    steps_taken.clear()
    same_bits(call(path), undisturbed)
    assert len(steps_taken) == STEPS - 20


def test_records_that_were_lost_are_made_again(tmp_path, undisturbed, monkeypatch, steps_taken):
    path = tmp_path / "trace.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(store.TraceStore, "finish", refuse)
        with pytest.raises(OSError, match="No space left"):
            call(path)
    files = sorted((tmp_path / "trace.zarr.partial").glob("chunk_00001.*.bin"))
    assert len(files) == 4
    files[0].write_bytes(b"")  # as a machine that lost its power may leave it
    steps_taken.clear()
    same_bits(call(path), undisturbed)
    assert len(steps_taken) == STEPS


def test_a_broken_snapshot_is_named(tmp_path, monkeypatch):
    path = interrupted(tmp_path, monkeypatch)
    snapshot = path.with_name("trace.zarr.partial") / "chunk_00000.safetensors"
    snapshot.write_bytes(snapshot.read_bytes()[:40])
    with pytest.raises(
        LambdascopeError, match=r"chunk_00000\.safetensors can't be read .*remove it, or give over"
    ):
        call(path)


def test_broken_settings_are_named(tmp_path, monkeypatch):
    path = interrupted(tmp_path, monkeypatch)
    (path.with_name("trace.zarr.partial") / "settings.json").write_text("")
    with pytest.raises(
        LambdascopeError, match=r"settings\.json can't be read .*overwrite=True .*begins afresh"
    ):
        call(path)


@pytest.mark.parametrize("broken", ["settings.json", "chunk_00000.safetensors"])
def test_overwrite_begins_what_is_broken_afresh(broken, tmp_path, monkeypatch, undisturbed):
    path = interrupted(tmp_path, monkeypatch)
    (path.with_name("trace.zarr.partial") / broken).write_text("")
    same_bits(call(path, overwrite=True), undisturbed)
    assert list(tmp_path.iterdir()) == [path]


def interrupted(folder, monkeypatch, **settings):
    """A trace with one chunk done and one begun."""
    path = folder / "trace.zarr"
    commit = recorder.FileRecorder.commit

    def stop(self, chunk, step, state):
        commit(self, chunk, step, state)
        if (chunk, step) == (1, 20):
            raise RuntimeError("stop")

    with monkeypatch.context() as patch:
        patch.setattr(recorder.FileRecorder, "commit", stop)
        with pytest.raises(RuntimeError, match="stop"):
            call(path, **settings)
    return path


# --- the finished trace --------------------------------------------------------------------------


def test_the_trace_on_disk_is_the_trace_in_memory(tmp_path, undisturbed):
    same_bits(call(tmp_path / "deep" / "er" / "trace.zarr"), undisturbed)


def test_double_precision_and_one_posterior(tmp_path):
    posterior = classifier_posterior(dtype=torch.float64)
    kept, memory = (draw(posterior, store=path) for path in (tmp_path / "trace.zarr", None))
    np.testing.assert_array_equal(kept.loss, memory.loss)
    assert kept.loss.dtype == np.float64
    assert isinstance(ls.estimate_llc(kept), ls.LLCEstimate)
    assert isinstance(
        ls.estimate_llc(draw([posterior], store=tmp_path / "trace.zarr")), ls.LLCCurve
    )


def test_a_finished_trace_is_returned_without_sampling(tmp_path, undisturbed, steps_taken):
    path = tmp_path / "trace.zarr"
    call(path)
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    steps_taken.clear()
    same_bits(call(path), undisturbed)
    same_bits(call(path, overwrite=True), undisturbed)
    assert steps_taken == []
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before


def test_diverged_chains_are_kept(tmp_path):
    posterior = quadratic_posterior([1e8])
    trace = draw(posterior, ls.SGLD(step_size=1.0), num_steps=60, store=tmp_path / "trace.zarr")
    again = draw(posterior, ls.SGLD(step_size=1.0), num_steps=60, store=tmp_path / "trace.zarr")
    assert np.isnan(trace.loss[..., -1]).all()
    xr.testing.assert_identical(trace, again)
    assert ls.estimate_llc(again).num_diverged_chains == 2


def test_observables_of_any_name(tmp_path):
    names = ["L2 norm", "λ", "a.b-c", "x" * 100]
    observables = {name: lambda p: p["linear.bias"] for name in names}
    trace = draw(classifier_posterior(), store=tmp_path / "trace.zarr", observables=observables)
    for name in names:
        assert trace[name].shape == (1, 2, 2, 6)


# --- other settings ------------------------------------------------------------------------------

CHANGED = [
    ({"seed": 2}, r"seed: 1 → 2"),
    ({"num_steps": 43}, r"num_steps: 42 → 43"),
    ({"num_chains": 4}, r"num_chains: 3 → 4"),
    ({"thinning": 5}, r"thinning: 4 → 5"),
    ({"chunk_size": 3}, r"chunk_size: 4 → 3"),
    ({"checkpoints": [0, 2]}, r"checkpoints: \[0, 1\] → \[0, 2\]"),
    ({"observables": {}}, r"observables: "),
    ({"observables": {"weights": lambda p: p["linear.bias"]}}, r"observables: "),
]


@pytest.mark.parametrize(("changed", "difference"), CHANGED)
@pytest.mark.parametrize("finished", [True, False])
def test_changed_settings_are_refused(changed, difference, finished, tmp_path, monkeypatch):
    if finished:
        call(path := tmp_path / "trace.zarr")
        message = rf"holds a trace made with other settings \({difference}.*another path, or over"
    else:
        path = interrupted(tmp_path, monkeypatch)
        message = rf"partial holds an unfinished trace made with other settings \({difference}"
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(LambdascopeError, match=message):
        call(path, **changed)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("posterior", "kernel", "difference"),
    [
        (classifier_posterior(), ls.SGLD(step_size=2e-3, batch_size=8), "step_size: 0.001 → 0.002"),
        (classifier_posterior(), ls.SGLD(step_size=1e-3), "batch_size: 8 → null"),
        (classifier_posterior(seed=1), None, "weights_sha256"),
        (classifier_posterior(data_seed=1), None, "data_sha256"),
        (classifier_posterior(nbeta=21.0), None, "nbeta: 20.0 → 21.0"),
        (classifier_posterior(localization=4.0), None, "localization: 3.0 → 4.0"),
        (classifier_posterior(weight_decay=0.1), None, "weight_decay: 0.0 → 0.1"),
        (classifier_posterior(restriction=ls.OrthogonalToGradient()), None, "restriction"),
        (classifier_posterior(loss=ls.CrossEntropy(2.0)), None, "loss: .*logit_scale=2.0"),
        (classifier_posterior(dtype=torch.float64), None, "dtype: .float32. → .float64."),
    ],
)
def test_another_posterior_or_sampler_is_refused(posterior, kernel, difference, tmp_path):
    path = tmp_path / "trace.zarr"
    draw(classifier_posterior(), store=path)
    with pytest.raises(LambdascopeError, match=rf"other settings \(.*{difference}"):
        draw(posterior, kernel, store=path)


def test_overwrite_replaces(tmp_path, undisturbed, monkeypatch):
    path = tmp_path / "trace.zarr"
    call(path, seed=5)
    same_bits(call(path, overwrite=True), undisturbed)
    assert list(tmp_path.iterdir()) == [path]


def test_overwrite_replaces_what_was_begun(tmp_path, undisturbed, monkeypatch):
    path = interrupted(tmp_path, monkeypatch, seed=5)
    same_bits(call(path, overwrite=True), undisturbed)
    assert list(tmp_path.iterdir()) == [path]


def test_overwrite_of_the_same_settings_resumes(tmp_path, undisturbed, monkeypatch, steps_taken):
    path = interrupted(tmp_path, monkeypatch)
    steps_taken.clear()
    same_bits(call(path, overwrite=True), undisturbed)
    assert len(steps_taken) == STEPS - 20


def test_what_was_begun_elsewhere_leaves_a_finished_trace_alone(tmp_path, undisturbed, monkeypatch):
    call(tmp_path / "trace.zarr")
    path = interrupted(tmp_path, monkeypatch, seed=5, overwrite=True)
    same_bits(call(path), undisturbed)
    assert path.with_name("trace.zarr.partial").exists()  # of the other call, to be resumed by it
    assert call(path, seed=5, overwrite=True).attrs["settings"] != undisturbed.attrs["settings"]


@pytest.mark.parametrize("finished", [True, False])
def test_another_number_of_cores_changes_nothing(tmp_path, monkeypatch, undisturbed, finished):
    def cores(count):
        monkeypatch.setattr("lambdascope.sampling.plan.available_cores", lambda: count)

    cores(3)
    if finished:
        begun = call(path := tmp_path / "trace.zarr", chunk_size=None)
    else:
        begun = call(None, chunk_size=None)
        path = interrupted(tmp_path, monkeypatch, chunk_size=None)
    cores(1)
    same_bits(call(path, chunk_size=None), begun)
    with pytest.raises(LambdascopeError, match="chunk_size: 2 → 6"):
        call(path, chunk_size=6)


# --- a call that fails at once -------------------------------------------------------------------


@pytest.mark.parametrize("failure", [RuntimeError("stop"), KeyboardInterrupt()])
def test_a_call_that_fails_before_there_are_records_leaves_nothing(
    failure, tmp_path, undisturbed, monkeypatch
):
    path = tmp_path / "trace.zarr"

    def fail(self, chains):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(runner.ChunkRunner, "prepare", fail)
        with pytest.raises(type(failure)):
            call(path, seed=5)
    assert list(tmp_path.iterdir()) == []
    same_bits(call(path), undisturbed)


def test_parts_without_records_are_in_nobodys_way(tmp_path, undisturbed):
    # As a process leaves them that was killed before its first snapshot.
    parts = tmp_path / "trace.zarr.partial"
    parts.mkdir()
    (parts / "settings.json").write_text(json.dumps({"seed": 5}))
    (parts / "lock").write_text("")
    (parts / "chunk_00000.abc.bin").write_text("half a wri")
    path = tmp_path / "trace.zarr"
    same_bits(call(path), undisturbed)
    assert list(tmp_path.iterdir()) == [path]


# --- a loss that is more than its code -----------------------------------------------------------

SCALE = 1.0
FILLED = {}


def helper(logits, targets):
    return ls.cross_entropy(logits, targets)


def scaled(logits, targets):
    FILLED[len(targets)] = targets  # a cache, as models keep of masks; those under vmap escape
    FILLED["calls", len(FILLED)] = None
    return SCALE * helper(logits, targets)


def another_helper(logits, targets):
    return ls.cross_entropy(2 * logits, targets)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SCALE", 2.0, r"test_store\.SCALE: 1\.0 → 2\.0; initial_loss: [\d.]+ → [\d.]+\)"),
        ("helper", another_helper, r"test_store\.helper: .*another_helper \w+; initial_loss: "),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_global_is_another_loss(name, value, message, finished, tmp_path, monkeypatch):
    path = tmp_path / "trace.zarr"
    stop = refuse_the_second_commit if not finished else None
    with monkeypatch.context() as patch:
        if stop:
            patch.setattr(recorder.FileRecorder, "commit", stop)
            with pytest.raises(RuntimeError, match="stop"):
                draw(classifier_posterior(loss=scaled), store=path)
        else:
            draw(classifier_posterior(loss=scaled), store=path)
    again = draw(classifier_posterior(loss=scaled), store=path).load()
    monkeypatch.setitem(globals(), name, value)
    with pytest.raises(LambdascopeError, match=rf"other settings \(.*{message}"):
        draw(classifier_posterior(loss=scaled), store=path)
    replaced = draw(classifier_posterior(loss=scaled), store=path, overwrite=True)
    assert (replaced.loss != again.loss).all()


def refuse_the_second_commit(self, chunk, step, state, commit=recorder.FileRecorder.commit):
    if step > BLOCK:
        raise RuntimeError("stop")
    commit(self, chunk, step, state)


def test_a_global_at_which_the_loss_is_zero_is_seen_all_the_same(tmp_path, monkeypatch):
    def vanishing(model, batch):
        return SCALE * ((model.weight - model.weight.detach()) ** 2).sum() + 0 * batch[:, 0]

    def posterior():
        return ls.LocalPosterior(linear, torch.ones(4, 2), loss=vanishing, nbeta=1.0)

    linear = torch.nn.Linear(2, 2)
    path = tmp_path / "trace.zarr"
    draw(posterior(), store=path)
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(LambdascopeError, match=r"other settings \([^;]*SCALE: 1\.0 → 2\.0\)"):
        draw(posterior(), store=path)


def test_a_posterior_made_before_the_change_is_refused(monkeypatch):
    posterior = classifier_posterior(loss=scaled)
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(
        LambdascopeError,
        match=r"the loss at w\* is [\d.]+ on .* was [\d.]+ when .*make the posterior",
    ):
        draw(posterior)


def test_a_loss_that_is_the_same_but_for_rounding_is_the_same(tmp_path, undisturbed):
    path = tmp_path / "trace.zarr"
    call(path)

    def rounded(settings):
        settings["initial_loss"] = [loss * (1 + 1e-5) for loss in settings["initial_loss"]]

    def another(settings):
        settings["initial_loss"][1] *= 1.01

    rewrite_settings(path, rounded)
    assert (call(path).loss == undisturbed.loss).all()
    rewrite_settings(path, another)
    with pytest.raises(LambdascopeError, match=r"other settings \(initial_loss: "):
        call(path)


SCRIPT = """
import sys, torch, lambdascope as ls
from tests.problems import classifier_posterior, draw
SCALE = float(sys.argv[2])
def helper(logits, targets):
    return ls.cross_entropy(logits, targets)
def loss(logits, targets):
    return SCALE * helper(logits, targets)
torch.set_num_threads(int(sys.argv[3]))
trace = draw(classifier_posterior(loss=loss), store=sys.argv[1])
print(trace.attrs["sampling_seconds"])
"""


def test_in_another_process_the_same_call_is_the_same(tmp_path):
    def run(scale, threads):
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "trace.zarr"), str(scale), str(threads)],
            cwd=ROOT, env=ENVIRONMENT, timeout=300, capture_output=True, text=True,
        )  # fmt: skip

    first, second = run(1.5, 1), run(1.5, 2)
    assert first.stdout == second.stdout != ""
    assert "__main__.SCALE: 1.5 → 2.5" in run(2.5, 1).stderr


# --- what else may stand at the path -------------------------------------------------------------


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("what", ["file", "folder", "empty", "zarr"])
def test_what_is_no_trace_is_never_replaced(what, overwrite, tmp_path):
    path = tmp_path / "trace.zarr"
    if what == "file":
        path.write_text("precious")
    elif what == "zarr":
        xr.Dataset({"x": ("t", [1.0])}).to_zarr(path, consolidated=False)
    else:
        path.mkdir()
        if what == "folder":
            (path / "thesis.tex").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LambdascopeError, match=r"trace\.zarr holds no trace"):
        call(path, overwrite=overwrite)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LambdascopeError, match=r"could not be written \(.*give a writable path"):
        call(tmp_path / "file" / "trace.zarr")


@pytest.mark.parametrize("path", [".", "/", "..", ""])
def test_a_path_without_a_name_is_refused(path):
    with pytest.raises(LambdascopeError, match=r"holds no trace|has no name"):
        call(path)


def test_open_trace_of_nothing(tmp_path):
    with pytest.raises(LambdascopeError, match=r"nowhere holds no trace; a \.zarr folder"):
        ls.open_trace(tmp_path / "nowhere")


def rewrite_settings(path, change):
    file = path / "zarr.json"
    content = json.loads(file.read_text())
    settings = json.loads(content["attributes"]["settings"])
    change(settings)
    content["attributes"]["settings"] = json.dumps(settings)
    file.write_text(json.dumps(content))


def test_a_trace_of_a_newer_format_is_refused(tmp_path):
    path = tmp_path / "trace.zarr"
    draw(classifier_posterior(), store=path)
    rewrite_settings(path, lambda settings: settings.update(format=99))
    with pytest.raises(LambdascopeError, match="has trace format 99; this version of lambdascope"):
        ls.open_trace(path)


def break_the_format(path):
    rewrite_settings(path, lambda settings: settings.update(format=99))


def break_the_description(path):
    (path / "zarr.json").write_text("{")


def lose_a_file(path):
    next(file for file in (path / "loss" / "c").rglob("*") if file.is_file()).unlink()


@pytest.mark.parametrize("damage", [break_the_format, break_the_description, lose_a_file])
def test_a_damaged_trace_is_replaced_where_that_is_wanted(damage, tmp_path, undisturbed):
    path = tmp_path / "trace.zarr"
    call(path)
    damage(path)
    with pytest.raises(
        LambdascopeError, match=r"[^.]; overwrite=True \(--overwrite\) samples it anew\.$"
    ):
        call(path)
    same_bits(call(path, overwrite=True), undisturbed)
    assert list(tmp_path.iterdir()) == [path]


def test_a_trace_that_is_broken_is_named(tmp_path):
    path = tmp_path / "trace.zarr"
    draw(classifier_posterior(), store=path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(LambdascopeError, match=r"trace\.zarr can't be read as a trace"):
        ls.open_trace(path)


def test_a_trace_with_files_missing_is_not_taken_for_divergence(tmp_path):
    path = tmp_path / "trace.zarr"
    draw([classifier_posterior(seed=s) for s in range(2)], store=path)
    chunks = [file for file in (path / "loss" / "c").rglob("*") if file.is_file()]
    chunks[0].unlink()
    with pytest.raises(LambdascopeError, match=r"lacks 1 of 2 parts of 'loss'"):
        ls.open_trace(path)


# --- two at once ---------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_the_lock_dies_with_the_first(tmp_path, undisturbed):
    path = tmp_path / "trace.zarr"
    holder = subprocess.Popen(
        [*COMMAND, str(tmp_path), "hold"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        try:
            assert holder.stdout.readline() == "holding\n"
            for settings in ({}, {"overwrite": True}, {"overwrite": True, "seed": 5}):
                before = sorted(tmp_path.rglob("*"))
                with pytest.raises(LambdascopeError, match="partial is being written by another"):
                    call(path, **settings)
                assert sorted(tmp_path.rglob("*")) == before
        finally:
            holder.send_signal(signal.SIGKILL)
    same_bits(call(path), undisturbed)


# --- full disks ----------------------------------------------------------------------------------


class FullDisk:
    """A stream that takes half of what it is given."""

    def __init__(self, *arguments):
        self.stream = open(*arguments)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def seek(self, position):
        self.stream.seek(position)

    def write(self, data):
        self.stream.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_after(number, owner, name, monkeypatch, full):
    """From call `number` on, `full` in place of a function."""
    original = getattr(owner, name)
    calls = []

    def function(*args, **kwargs):
        calls.append(name)
        return (original if len(calls) < number else full)(*args, **kwargs)

    monkeypatch.setattr(owner, name, function, raising=False)


def refuse(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("number", [1, 2, 11, 25])
def test_a_disk_that_fills_up_under_the_records(number, tmp_path, undisturbed, monkeypatch):
    path = tmp_path / "trace.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(recorder, "open", open, raising=False)
        full_after(number, recorder, "open", patch, FullDisk)
        with pytest.raises(
            LambdascopeError, match=r"\.bin could not be written \(No space left on"
        ):
            call(path)
    same_bits(call(path), undisturbed)


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_a_disk_that_fills_up_under_a_snapshot(
    number, tmp_path, undisturbed, monkeypatch, steps_taken
):
    path = tmp_path / "trace.zarr"
    with monkeypatch.context() as patch:
        full_after(number, os, "replace", patch, refuse)
        with pytest.raises(LambdascopeError, match=r"could not be written .*same call again"):
            call(path)
    assert not list(tmp_path.rglob("*.new"))
    steps_taken.clear()
    same_bits(call(path), undisturbed)
    snapshots = number - 2  # the first file is settings.json
    done = (snapshots * BLOCK if snapshots <= 4 else STEPS + (snapshots - 5) * BLOCK) * (number > 1)
    assert len(steps_taken) == 2 * STEPS - done


def test_a_disk_that_fills_up_during_the_assembly(tmp_path, undisturbed, monkeypatch, steps_taken):
    path = tmp_path / "trace.zarr"
    with monkeypatch.context() as patch:
        full_after(2, store, "by_checkpoint", patch, refuse)
        with pytest.raises(LambdascopeError, match=r"trace\.zarr could not be written \(No space"):
            call(path)
    assert not path.exists()
    assert not path.with_name("trace.zarr.new").exists()  # it gives back what it took
    steps_taken.clear()
    same_bits(call(path), undisturbed)
    assert steps_taken == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("pages", [2, 6, 10, 14, 18, 22, 26])
def test_a_small_disk(pages, tmp_path, undisturbed, monkeypatch):
    """Really full, wherever that happens to be; then there is room."""
    monkeypatch.setattr(memory, "disk_size", lambda path: None)  # it would see it coming
    command = ["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        path = tmp_path / "trace.zarr"
        with pytest.raises(
            LambdascopeError, match=r"could not be written \(No space left on device"
        ):
            call(path)
        subprocess.run(["mount", "-o", "remount,size=16m", str(tmp_path)], check=True)
        same_bits(call(path), undisturbed)
        assert list(tmp_path.iterdir()) == [path]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
