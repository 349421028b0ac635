import io
import math
import sys
import threading

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.progress import Progress
from lambdascope.sampling import loop
from lambdascope.sampling import runner as runner_module
from tests.problems import (
    Quadratic,
    classifier,
    classifier_data,
    classifier_posterior,
    draw,
    flat_weights,
    quadratic_posterior,
)


def posteriors(dtype=torch.float64, count=3, **settings):
    return [classifier_posterior(seed=s, dtype=dtype, **settings) for s in range(count)]


def relative_difference(one, other):
    return float(np.max(np.abs(one - other) / np.abs(other)))


# --- what a chain's result depends on ------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 2, 4, 5, 100])
def test_the_cut_into_chunks_does_not_matter(chunk_size):
    whole = draw(posteriors(), num_steps=60, chunk_size=6)
    cut = draw(posteriors(), num_steps=60, chunk_size=chunk_size)
    for name in ("loss", "distance", "weight_norm"):
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-9)


def test_in_float32_the_cut_matters_by_rounding_only():
    kernel = ls.SGLD(step_size=1e-3, batch_size=8)
    whole, cut = (
        draw(posteriors(torch.float32), kernel, num_steps=200, num_chains=8, chunk_size=size)
        for size in (24, 5)
    )
    # Measured: 6e-7 after 200 steps, of single losses of minibatches of 8.
    assert relative_difference(cut.loss.values, whole.loss.values) < 1e-5
    # Beside it, another noise: the same measure is of order 1.
    other = draw(posteriors(torch.float32), kernel, num_steps=200, num_chains=8, seed=2)
    assert relative_difference(other.loss.values, whole.loss.values) > 0.1


def test_other_checkpoints_and_chains_do_not_matter():
    many = draw(posteriors(), num_chains=4, num_steps=100, checkpoints=[7, -2, 9])
    alone = draw(posteriors()[1], num_chains=1, num_steps=100, checkpoints=[-2])
    np.testing.assert_allclose(alone.loss[0, 0], many.loss[1, 0], rtol=1e-9)
    reversed_order = draw(posteriors()[::-1], num_chains=4, num_steps=100, checkpoints=[9, -2, 7])
    np.testing.assert_allclose(reversed_order.loss[::-1], many.loss, rtol=1e-9)


def test_a_longer_run_begins_like_a_shorter_one():
    short, long = (draw(posteriors(), num_steps=steps) for steps in (20, 40))
    np.testing.assert_array_equal(long.loss[..., :20], short.loss)


def test_streams_differ_by_seed_checkpoint_and_chain():
    # The same weights three times: whatever differs, the streams make differ.
    same = [classifier_posterior(dtype=torch.float64)] * 3
    loss = draw(same, num_chains=3, seed=5).loss.values[..., -1].ravel()
    others = draw(same, num_chains=3, seed=6).loss.values[..., -1].ravel()
    assert len(np.unique(np.concatenate([loss, others]))) == 18


@pytest.mark.parametrize("seed", [-1, 0, 2**80, np.int64(3)])
def test_any_integer_is_a_seed(seed):
    one, other = draw(posteriors(count=1), seed=seed), draw(posteriors(count=1), seed=seed)
    xr.testing.assert_identical(one.drop_attrs(deep=False), other.drop_attrs(deep=False))


def test_each_checkpoint_draws_from_its_own_data():
    sets = [(40, 0), (25, 1), (1, 2), (40, 0)]
    several = [
        classifier_posterior(seed=s, dtype=torch.float64, n=n, data_seed=data)
        for s, (n, data) in enumerate(sets)
    ]
    together = draw(several, num_steps=60, checkpoints=[0, 1, 2, 3])
    for label, posterior in enumerate(several):
        alone = draw(posterior, num_steps=60, checkpoints=[label])
        np.testing.assert_allclose(alone.loss[0], together.loss[label], rtol=1e-9)
    assert together.num_samples.values.tolist() == [40, 25, 1, 40]


@pytest.mark.parametrize("counts", [(10, 40), (40, 10)])
def test_data_sets_that_begin_at_the_same_place_are_told_apart(counts):
    tokens, targets = classifier_data(40)
    several = [
        ls.LocalPosterior(
            classifier(dtype=torch.float64), (tokens[:n], targets[:n]), loss=ls.cross_entropy
        )
        for n in counts
    ]
    together = draw(several, num_steps=30)
    for label, posterior in enumerate(several):
        alone = draw(posterior, num_steps=30, checkpoints=[label])
        np.testing.assert_allclose(alone.loss[0], together.loss[label], rtol=1e-9)
    with pytest.raises(LambdascopeError, match=r"full batch\) with 2 different data sets"):
        draw(several, ls.SGLD(step_size=1e-3))


def test_equal_data_given_twice_are_one_data_set():
    full = ls.SGLD(step_size=1e-3)
    same = [classifier_posterior(seed=s, dtype=torch.float64) for s in range(2)]
    assert same[0].samples.tensors[0].data_ptr() != same[1].samples.tensors[0].data_ptr()
    trace = draw(same, full, observables={"w": flat_weights}, thinning=1)
    for posterior, row in zip(
        same, trace.isel(chain=1).transpose("checkpoint", ...).w, strict=True
    ):
        expected = [posterior.mean_loss(torch.tensor(w)) for w in row.values]
        found = trace.loss.sel(checkpoint=row.checkpoint, chain=1)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- chains that diverge -------------------------------------------------------------------------


def test_an_exploding_chain_leaves_the_others_bit_for_bit():
    # Beyond 2 ÷ step_size the iteration is unstable: the last one is at infinity in 60 steps.
    tame, wild = [1.0, 4.0, 9.0], [1.0, 4.0, 1e6]
    settings = {"num_steps": 300, "num_chains": 3, "chunk_size": 12}
    kernel = ls.SGLD(step_size=0.01)
    calm, torn = (
        draw([quadratic_posterior(c) for c in (tame, tame, last, tame)], kernel, **settings)
        for last in (tame, wild)
    )
    lost = ~np.isfinite(torn.loss.values)
    assert lost[2, :, -1].all()
    assert lost[2].any(axis=-1).all()
    assert not lost[[0, 1, 3]].any()
    for name in ("loss", "distance", "weight_norm"):
        np.testing.assert_array_equal(torn[name][[0, 1, 3]], calm[name][[0, 1, 3]])


def test_weights_that_are_lost_in_a_classifier_leave_the_others_bit_for_bit():
    several = posteriors(torch.float32)
    calm = draw(several, num_steps=60, chunk_size=6)
    several[1] = classifier_posterior(seed=1, nbeta=1e25)
    torn = draw(several, num_steps=60, chunk_size=6)
    assert np.isnan(torn.loss[1, :, -1]).all()
    np.testing.assert_array_equal(torn.loss[::2], calm.loss[::2])


def test_a_nan_stays_in_the_trace():
    class Cliff(Quadratic):
        def forward(self):
            w = self.w.sum()
            return torch.where(w.abs() > 0.05, w * torch.nan, super().forward())

    trace = draw(
        ls.LocalPosterior(Cliff([1.0]), None, nbeta=1.0),
        ls.SGLD(step_size=1e-2),
        num_chains=8,
        num_steps=300,
    )
    bad = np.isnan(trace.loss.values[0])
    assert bad.any(axis=1).all()
    assert not bad[:, 0].any()
    assert (np.diff(bad.astype(int), axis=1) >= 0).all()  # once lost, lost


# --- restrictions --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_may_not_move_stays_bit_for_bit(dtype):
    bias = torch.tensor([True, False, False, True, False, True])
    posterior = classifier_posterior(
        dtype=dtype, weight_decay=0.3, restriction=ls.ElementMask({"linear.bias": bias})
    )
    trace = draw(
        posterior,
        num_steps=100,
        thinning=1,
        observables={"w": lambda p: flat_weights({n: p[n] for n in posterior.layout.names})},
    )
    moved = (trace.w.values != posterior.w_star.numpy()).any(axis=(0, 1, 2))
    np.testing.assert_array_equal(moved, posterior.mask.numpy())


def test_frozen_parameters_stay_and_are_not_counted():
    model = classifier()
    model.embedding.requires_grad_(False)
    posterior = ls.LocalPosterior(model, classifier_data(), loss=ls.cross_entropy)
    trace = draw(
        posterior,
        num_steps=50,
        observables={"frozen": lambda p: p["embedding.weight"], "free": lambda p: p["linear.bias"]},
    )
    frozen = model.embedding.weight.detach().numpy()
    assert (trace.frozen.values == frozen).all()
    assert (trace.free.values[:, :, 1:] != model.linear.bias.detach().numpy()).all()
    norm = math.sqrt(sum((p**2).sum().item() for p in model.parameters() if p.requires_grad))
    assert trace.weight_norm[0, :, 0].values == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-15)])
def test_a_chain_stays_in_the_hyperplane(dtype, tolerance):
    several = posteriors(dtype, restriction=ls.OrthogonalToGradient())
    trace = draw(several, num_steps=500, observables={"w": flat_weights})
    for row, posterior in zip(trace.w, several, strict=True):
        away = row.values - posterior.w_star.numpy()
        along = away @ posterior.normal.numpy()
        assert np.abs(along).max() < tolerance
        assert np.linalg.norm(away[:, -1], axis=-1).min() > 1


def test_restricted_and_free_posteriors_may_run_together():
    several = [
        classifier_posterior(dtype=torch.float64, restriction=one)
        for one in (
            None,
            ls.OrthogonalToGradient(),
            ls.ElementMask({"linear.bias": torch.ones(6) > 0}),
        )
    ]
    together = draw(several, num_steps=40)
    for label, posterior in enumerate(several):
        alone = draw(posterior, num_steps=40, checkpoints=[label])
        np.testing.assert_allclose(alone.loss[0], together.loss[label], rtol=1e-9)


# --- the trace -----------------------------------------------------------------------------------


def test_the_loss_is_that_of_the_weights_before_the_step():
    posterior = quadratic_posterior([1.0, 5.0], dtype=torch.float64)
    trace = draw(
        posterior,
        ls.SGLD(step_size=0.02),
        num_steps=30,
        thinning=1,
        observables={"w": lambda p: p["w"], "energy": lambda p: (p["w"] ** 2).sum()},
    )
    expected = 0.5 * (np.array([1.0, 5.0]) * trace.w.values**2).sum(axis=-1)
    np.testing.assert_allclose(trace.loss.values, expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(trace.energy, (trace.w.values**2).sum(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(trace.distance, np.sqrt(trace.energy), rtol=1e-12)
    assert (trace.loss[..., 0] == posterior.initial_loss).all()
    assert (trace.distance[..., 0] == 0).all()


@pytest.mark.parametrize("block", [1, 7, 20])
@pytest.mark.parametrize("thinning", [1, 3, 8, 19, 50])
def test_draws_are_taken_at_their_step(block, thinning, monkeypatch):
    every = draw(posteriors(), num_steps=20, thinning=1, observables={"w": flat_weights})
    monkeypatch.setattr(runner_module, "BLOCK", block)
    trace = draw(posteriors(), num_steps=20, thinning=thinning, observables={"w": flat_weights})
    assert trace.draw.values.tolist() == list(range(0, 20, thinning))
    for name in ("w", "distance", "weight_norm"):
        np.testing.assert_array_equal(trace[name], every[name][:, :, ::thinning])
    np.testing.assert_array_equal(trace.loss, every.loss)


def test_shapes_labels_and_columns():
    several = [classifier_posterior(seed=s, nbeta=10.0 + s, localization=1.0 + s) for s in range(3)]
    trace = draw(
        several,
        num_chains=2,
        num_steps=21,
        thinning=5,
        checkpoints=[10, 4, 99],
        observables={"bias": lambda p: p["linear.bias"], "a matrix": lambda p: p["linear.weight"]},
    )
    assert trace.loss.dims == ("checkpoint", "chain", "step")
    assert trace.loss.shape == (3, 2, 21)
    assert trace.distance.dims == ("checkpoint", "chain", "draw")
    assert trace.distance.shape == (3, 2, 5)
    assert trace.bias.shape == (3, 2, 5, 6)
    assert trace["a matrix"].shape == (3, 2, 5, 6, 6)
    assert trace.checkpoint.values.tolist() == [10, 4, 99]
    assert trace.nbeta.values.tolist() == [10.0, 11.0, 12.0]
    assert trace.localization.values.tolist() == [1.0, 2.0, 3.0]
    assert trace.initial_loss.values.tolist() == [p.initial_loss for p in several]
    assert trace.loss.dtype == np.float32
    assert draw(posteriors()).loss.dtype == np.float64
    # The middle checkpoint's nbeta is recorded as its own, the common step size once.
    assert '"nbeta": [10.0, 11.0, 12.0]' in trace.attrs["settings"]
    assert '"step_size": 0.001' in trace.attrs["settings"]
    assert trace.attrs["lambdascope_version"] == ls.__version__
    assert trace.attrs["single"] == 0
    assert draw(several[0]).attrs["single"] == 1


def test_a_potential_takes_no_minibatches():
    with_size, without = (
        draw(quadratic_posterior([1.0]), ls.SGLD(step_size=0.01, batch_size=size))
        for size in (8, None)
    )
    np.testing.assert_array_equal(with_size.loss, without.loss)


def test_a_model_that_vmap_cannot_take_runs_one_chain_at_a_time():
    class Branching(Quadratic):
        def forward(self):
            if self.w.detach().sum() > 0:
                return super().forward()
            return 2 * super().forward()

    posterior = ls.LocalPosterior(Branching([1.0, 2.0]), None, nbeta=3.0)
    with pytest.raises(
        LambdascopeError,
        match=r"several chains at once by torch\.func\.vmap \(.*chunk_size=1\) runs",
    ):
        draw(posterior, ls.SGLD(step_size=0.1), chunk_size=2)
    assert np.isfinite(draw(posterior, ls.SGLD(step_size=0.1), chunk_size=1).loss).all()


@pytest.mark.parametrize("chunk_size", [1, 2])
def test_a_loss_without_a_gradient_is_refused(chunk_size):
    class Numpy(Quadratic):
        def forward(self):
            return torch.as_tensor(float(self.w.detach().numpy().sum()))

    class OwnGradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    class Custom(Quadratic):
        def forward(self):
            return OwnGradient.apply(super().forward())

    for model, reason in ((Numpy, "storage"), (Custom, "setup_context")):
        posterior = ls.LocalPosterior(model([1.0, 2.0]), None, nbeta=3.0)
        with pytest.raises(
            LambdascopeError, match=rf"the gradient of the loss can't be taken \(.*{reason}"
        ):
            draw(posterior, ls.SGLD(step_size=0.1), chunk_size=chunk_size)


def test_a_sampler_that_fails_by_itself_is_not_blamed_on_the_model():
    class Failing(ls.SGLD):
        def step(self, state, target, noise):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        draw(classifier_posterior(), Failing(step_size=1e-3))


# --- the compiler --------------------------------------------------------------------------------


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_a_step_compiled_before_is_fed_the_new_weights_and_data():
    # Two chunks, on two threads where there are two cores.
    for seed in range(2):
        posterior = classifier_posterior(seed=seed, data_seed=seed, localization=2.0 + seed)
        settings = {"num_chains": 4, "num_steps": 30, "chunk_size": 2}
        compiled = draw(posterior, compile=True, **settings)
        np.testing.assert_allclose(compiled.loss, draw(posterior, **settings).loss, rtol=1e-5)
        assert compiled.attrs["compiled"] == 1


@pytest.mark.usefixtures("two_threads")
def test_eager_chunks_do_not_meet_in_the_one_module():
    many, one = (draw(posteriors(), num_steps=60, chunk_size=size) for size in (1, 6))
    np.testing.assert_allclose(many.loss, one.loss, rtol=1e-9)


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("lambdascope.sampling.compiler.shutil.which", lambda name: None)


def test_without_a_compiler_there_is_one_warning_and_the_same_numbers(no_compiler):
    with pytest.warns() as caught:
        trace = draw(posteriors(), compile="auto", chunk_size=2)
    assert [one.category for one in caught] == [ls.EagerModeWarning]
    text = str(caught[0].message)
    assert "no C++ compiler was found (install g++ or clang++, or set CXX)" in text
    assert "several times slower" in text
    assert caught[0].filename == sys.modules["tests.problems"].__file__  # who called `sample`
    assert trace.attrs["compiled"] == 0
    np.testing.assert_array_equal(trace.loss, draw(posteriors(), chunk_size=2).loss)


def test_a_compiler_named_by_cxx_counts(monkeypatch):
    from lambdascope.sampling.compiler import compiler_missing

    monkeypatch.setenv("CXX", f"{sys.executable} -O3")
    monkeypatch.setenv("PATH", "")
    assert compiler_missing(torch.device("cpu")) is None
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "set CXX" in compiler_missing(torch.device("cpu"))


def test_without_a_compiler_compile_true_is_refused(no_compiler):
    with pytest.raises(LambdascopeError, match=r"compile=True: no C\+\+ compiler.*compile='auto'"):
        draw(posteriors(), compile=True)


class Breaking(Quadratic):
    def forward(self):
        torch._dynamo.graph_break()
        return super().forward()


def test_a_model_that_cannot_be_compiled_runs_eagerly_with_one_warning():
    posterior = ls.LocalPosterior(Breaking([1.0]), None, nbeta=1.0)
    with pytest.warns() as caught:
        trace = draw(posterior, compile="auto")
    # Whatever PyTorch's compiler, imported here for the first time, deprecates of its own.
    ours = [one for one in caught if one.category is not DeprecationWarning]
    assert [one.category for one in ours] == [ls.EagerModeWarning]
    assert "torch.compile failed (" in str(ours[0].message)
    np.testing.assert_array_equal(trace.loss, draw(posterior).loss)
    with pytest.raises(LambdascopeError, match=r"compile=True: torch\.compile failed"):
        draw(posterior, compile=True)


@pytest.fixture
def only_traced(monkeypatch):
    """PyTorch's tracer at work, without the C++ compiler behind it, which would take its time."""

    def traced(function=None, **settings):
        return original(function, **{**settings, "backend": "eager", "options": None})

    original = torch.compile
    monkeypatch.setattr(torch, "compile", traced)


@pytest.mark.usefixtures("only_traced")
def test_the_ninth_kind_of_call_is_compiled_too():
    for size in range(1, 11):
        trace = draw(quadratic_posterior([1.0] * size), compile=True, num_steps=4)
        assert trace.attrs["compiled"] == 1


# --- progress, threads, failures -----------------------------------------------------------------


def test_no_progress_bar_where_the_output_is_no_terminal(capfd):
    draw(posteriors(), progress=True)
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_progress_bar_where_it_is_one(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    draw(posteriors(), progress=False)
    assert terminal.getvalue() == ""
    draw(posteriors(), progress=True, chunk_size=4)
    # Six chains of 20 steps; the two fillers of the second chunk are not counted.
    assert "120/120" in terminal.getvalue()


@pytest.mark.usefixtures("only_traced")
def test_while_the_compiler_runs_the_bar_says_so(monkeypatch):
    message = "compiling the sampling step (once per shape; some 20 s the first time)"
    for compiled, progress in ((True, True), (True, False), (False, True)):
        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        draw(quadratic_posterior([1.0]), compile=compiled, progress=progress)
        assert (message in terminal.getvalue()) == (compiled and progress)


def test_what_a_snapshot_is_ahead_counts_as_done_and_not_as_fast(tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "BLOCK", 5)
    settings = {"store": tmp_path / "trace.zarr", "chunk_size": 2}
    finish = "lambdascope.sampling.store.TraceStore.finish"
    with monkeypatch.context() as patch:
        patch.setattr(finish, lambda self, facts: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            draw(classifier_posterior(), **settings)
    calls = []
    monkeypatch.setattr(Progress, "skip", lambda self, count: calls.append(("skip", count)))
    monkeypatch.setattr(Progress, "update", lambda self, count: calls.append(("update", count)))
    draw(classifier_posterior(), **settings)
    assert calls == [("skip", 40)]


@pytest.mark.parametrize(
    ("seconds", "writing", "expected"),
    [
        (1e-4, 0.0, [10, 260, 300]),
        (0.125, 0.0, [10, *range(26, 300, 16), 300]),
        (0.125, 0.625, [10, *range(60, 300, 50), 300]),
        (100.0, 0.0, [10, *range(11, 301)]),
    ],
)
def test_slow_steps_are_recorded_and_may_be_interrupted_every_two_seconds(
    seconds, writing, expected, monkeypatch
):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock, ends = Clock(), []

    def advance(self):
        clock.now += seconds
        original(self)

    def commit(self, chunk, step, state):
        clock.now += writing
        ends.append(step)

    original = loop.DirectLoop.advance
    whole = draw(quadratic_posterior([1.0]), num_steps=300, thinning=7)
    monkeypatch.setattr(runner_module, "time", clock)
    monkeypatch.setattr(loop.DirectLoop, "advance", advance)
    monkeypatch.setattr("lambdascope.sampling.recorder.MemoryRecorder.commit", commit)
    trace = draw(quadratic_posterior([1.0]), num_steps=300, thinning=7, chunk_size=2)
    assert ends == expected
    for name in ("loss", "distance"):
        np.testing.assert_array_equal(trace[name], whole[name])


def test_a_failure_in_one_chunk_ends_the_call(monkeypatch):
    threads, running = torch.get_num_threads(), threading.active_count()

    class Full(Exception):
        pass

    written = []

    def refuse(self, chunk, name, start, values):
        written.append(chunk)
        if chunk == 1:
            raise Full("no more")

    monkeypatch.setattr("lambdascope.sampling.recorder.MemoryRecorder.write", refuse)
    monkeypatch.setattr(runner_module, "BLOCK", 5)
    with pytest.raises(Full, match="no more"):
        draw(posteriors(count=10), num_steps=10, num_chains=1, chunk_size=1)
    assert 9 not in written
    assert torch.get_num_threads() == threads
    assert threading.active_count() == running


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_chains": 0}, r"num_chains=0: an integer ≥ 1 is accepted"),
        ({"num_chains": 2.0}, r"num_chains=2\.0: an integer ≥ 1"),
        ({"num_chains": True}, r"num_chains=True: an integer ≥ 1"),
        ({"num_steps": 3}, r"num_steps=3: an integer ≥ 4"),
        ({"num_steps": -5}, r"num_steps=-5: an integer ≥ 4"),
        ({"num_steps": "100"}, r"num_steps='100': an integer ≥ 4"),
        ({"thinning": 0}, r"thinning=0: an integer ≥ 1"),
        ({"observables": {"a": flat_weights, "a_0": flat_weights}}, "observable 'a_0' beside 'a'"),
        ({"seed": 1.5}, r"seed=1\.5: an integer is accepted"),
        ({"seed": None}, r"seed=None: an integer is accepted"),
        ({"seed": 2**200}, r"seed=1606938\d+: an integer of at most 128 bits"),
        (
            {"seed": 10**5000},
            r"seed=a number of thousands of digits: an integer of at most 128 bits",
        ),
        ({"num_steps": 2**31}, r"num_steps=2147483648: an integer ≤ 2147483647 is accepted"),
        ({"num_chains": 10**30}, r"num_chains=10+: an integer ≤ 2147483647 is accepted"),
        ({"thinning": 10**5000}, r"thinning=a number of thousands of digits: an integer ≤ 21474"),
        ({"num_steps": np.bool_(True)}, r"num_steps=(np\.)?True_?: an integer ≥ 4"),
        ({"chunk_size": 0}, r"chunk_size=0: an integer ≥ 1"),
        ({"overwrite": "no"}, r"overwrite='no': True or False is accepted"),
        ({"progress": None}, r"progress=None: True or False is accepted"),
        ({"store": 3}, r"store=3: a path ending in \.zarr, or None, is accepted"),
        ({"checkpoints": 3}, r"checkpoints=3: a list of integers is accepted"),
        ({"observables": {"w": lambda p: [1.0]}}, r"observable 'w' failed \(it returned a list\)"),
        ({"device": 10**30}, r"device=10+: auto, cpu, cuda or cuda:N"),
        ({"compile": "yes"}, r"compile='yes': True, False or 'auto'"),
        ({"compile": 0}, r"compile=0: True, False or 'auto'"),
        ({"device": "gpu"}, r"device='gpu': auto, cpu, cuda or cuda:N"),
        ({"device": "mps"}, r"device='mps': auto, cpu, cuda or cuda:N"),
        ({"device": None}, r"device=None: auto, cpu, cuda or cuda:N"),
        ({"checkpoints": [0]}, r"checkpoints=\[0\]: 2 different integers"),
        ({"checkpoints": [3, 3]}, r"checkpoints=\[3, 3\]: 2 different integers"),
        ({"checkpoints": [0, 1.5]}, r"checkpoints=1\.5: an integer is accepted"),
        ({"checkpoints": [0, 2**64]}, r"2 different integers of 64 bits"),
        ({"observables": [len]}, r"observables is a list; a dict from names"),
        (
            {"observables": {"loss": flat_weights}},
            r"observable 'loss': a name .* none of the trace",
        ),
        ({"observables": {"nbeta": flat_weights}}, r"observable 'nbeta'"),
        ({"observables": {"draw": flat_weights}}, r"observable 'draw'"),
        ({"observables": {"a/b": flat_weights}}, r"observable 'a/b': a name of letters"),
        ({"observables": {"": flat_weights}}, r"observable '': a name of letters"),
        ({"observables": {3: flat_weights}}, r"observable 3: a name of letters"),
        ({"observables": {"w": "weights"}}, r"observable 'w' is a str; a function"),
        (
            {"observables": {"w": lambda p: p["nope"]}},
            r"observable 'w' failed \(there is no parameter 'nope', there are embedding.weight, ",
        ),
        (
            {"observables": {"w": lambda p: p["linear.bias"].sum().item()}},
            r"'w' failed .*torch ope",
        ),
        ({"observables": {"w": lambda p: 3.0}}, r"observable 'w' failed"),
        (
            {"observables": {"w": lambda p: torch.fft.fft(p["linear.bias"])}},
            r"observable 'w' returns torch\.complex64; real numbers",
        ),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(LambdascopeError, match=message):
        draw([classifier_posterior(seed=s) for s in range(2)], **settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(LambdascopeError, match="this machine shows no CUDA device; cpu works"):
        draw(classifier_posterior(), device="cuda")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "posteriors is empty"),
        (None, "posteriors holds a NoneType; LocalPosterior objects"),
        (classifier(), "posteriors holds a Classifier; LocalPosterior objects"),
        ([classifier()], "posteriors holds a Classifier; LocalPosterior objects"),
    ],
)
def test_what_is_no_posterior_is_refused(given, message):
    with pytest.raises(LambdascopeError, match=message):
        draw(given)


@pytest.mark.parametrize("kernel", [ls.SGLD, "sgld", {"step_size": 1e-3}])
def test_what_is_no_sampler_is_refused(kernel):
    with pytest.raises(LambdascopeError, match=r"kernel=.*: a sampler such as SGLD\(\.\.\.\)"):
        draw(classifier_posterior(), kernel)


@pytest.mark.parametrize("step_size", [1e300, 1e-300])
def test_a_step_size_that_the_weights_type_cannot_hold_is_refused(step_size):
    with pytest.raises(LambdascopeError, match=r"step_size=1e.300: .* type, torch\.float32, can"):
        draw(classifier_posterior(), ls.SGLD(step_size=step_size))
    draw(classifier_posterior(dtype=torch.float64), ls.SGLD(step_size=1e-300))


class Exponent(Quadratic):
    def __init__(self, exponent):
        super().__init__([1.0])
        self.exponent = exponent

    def forward(self):
        return (self.w**self.exponent).sum()


def of_dicts(*dicts):
    def loss(model, batch):
        first, *rest = batch.values()
        return (model.weight.sum() * 0 + batch.get("a", first) - 2 * rest[0]).mean(dim=1)

    return [ls.LocalPosterior(nn.Linear(1, 1), data, loss=loss, nbeta=1.0) for data in dicts]


def test_the_order_of_a_dict_of_data_does_not_matter():
    x = torch.zeros(4, 1)
    trace = draw(of_dicts({"a": x, "b": x + 1}, {"b": x + 1, "a": x}))
    assert (trace.loss == -2.0).all()


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            lambda: [
                classifier_posterior(),
                ls.LocalPosterior(classifier(hidden=7), classifier_data(), loss=ls.cross_entropy),
            ],
            r"posterior 1 samples parameters .*\[7, 6\].*the first one .*\[6, 6\].*equal shape",
        ),
        (
            lambda: [classifier_posterior(restriction=ls.Parameters(p)) for p in ("*", "lin*")],
            r"posterior 1 samples parameters",
        ),
        (
            lambda: [classifier_posterior(), classifier_posterior(loss=ls.CrossEntropy(2.0))],
            r"posterior 1 has another model structure or loss .*\(loss\.logit_scale: 1\.0 → 2\.0\)",
        ),
        (
            lambda: [ls.LocalPosterior(Exponent(e), None, nbeta=1.0) for e in (2, 2, 4)],
            r"posterior 2 has another model structure .*\(model\.exponent: 2 → 4\)",
        ),
        (
            lambda: posteriors(torch.float32, 1) + posteriors(torch.float64, 1),
            r"posterior 1 (is torch\.float64|has another model structure)",
        ),
        (
            lambda: [
                ls.LocalPosterior(nn.Linear(2, 2), (torch.ones(4, n, 2), torch.ones(4, n, 2)),
                                  loss=ls.gaussian_nll)
                for n in (3, 4)
            ],
            r"posterior 1 has data of another shape, type or structure",
        ),
        (
            lambda: of_dicts(
                {"a": torch.zeros(4, 1), "b": torch.zeros(4, 1)},
                {"a": torch.zeros(4, 1), "c": torch.zeros(4, 1)},
            ),
            r"posterior 1 has data of another shape, type or structure",
        ),
        (lambda: [Quadratic([1.0]), None], "posteriors holds a Quadratic"),
    ],
)  # fmt: skip
def test_posteriors_that_do_not_fit_each_other_are_refused(others, message):
    with pytest.raises(LambdascopeError, match=message):
        draw(others())


@pytest.mark.parametrize("kernel", [ls.SGLD, ls.BAOAB])
def test_a_step_factor_is_a_step_size_of_the_chains_own(kernel):
    posterior = quadratic_posterior([1.0, 4.0], dtype=torch.float64)
    both = draw(posterior, kernel(step_size=1e-3), num_chains=2, step_factors=[[1.0, 3.0]])
    assert both.step_factor.values.tolist() == [[1.0, 3.0]]
    for chain, step_size in enumerate((1e-3, 3e-3)):
        alone = draw(posterior, kernel(step_size=step_size), num_chains=2)
        np.testing.assert_allclose(both.loss[0, chain], alone.loss[0, chain], rtol=1e-12)


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        ([1.0], r"shape \[1\]: .*shape \[1, 2\]"),
        ([[1.0, -1.0]], r"positive numbers of shape"),
        ([["x", 1j]], r"step_factors=\[\['x', 1j\]\]: positive numbers of shape"),
    ],
)
def test_impossible_step_factors_are_refused(factors, sentence):
    with pytest.raises(LambdascopeError, match=sentence):
        draw(quadratic_posterior([1.0]), num_chains=2, step_factors=factors)
