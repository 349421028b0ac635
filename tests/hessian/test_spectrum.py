"""The spectrum against dense float64 Hessians and against spectra that were planted."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import lambdascope as ls
from lambdascope.commands.hessian_tables import density_rows
from lambdascope.errors import LambdascopeError
from lambdascope.hessian import (
    HessianOperator,
    eigenpairs,
    hessian_spectrum,
    operator,
    spectrum,
)
from lambdascope.hessian.quadrature import SpectralQuadrature
from tests.problems import Quadratic, classifier, classifier_data, classifier_posterior


def dense_hessian(posterior: ls.LocalPosterior) -> np.ndarray:
    """By another road: reverse over reverse on the mean loss, row by row, by torch itself."""
    batch = posterior.samples.batch()

    def loss(w: torch.Tensor) -> torch.Tensor:
        values = posterior.objective(w, posterior.held, batch)
        return values.mean()

    return torch.autograd.functional.hessian(loss, posterior.w_star).numpy()


class Planted(nn.Module):
    """½ w·A·w with A = Q diag(curvature) Qᵀ, Q a random rotation."""

    def __init__(self, curvature: np.ndarray) -> None:
        super().__init__()
        random = np.random.default_rng(5).standard_normal((len(curvature), len(curvature)))
        rotation, _ = np.linalg.qr(random)
        self.register_buffer("matrix", torch.from_numpy(rotation * curvature @ rotation.T))
        self.w = nn.Parameter(torch.zeros(len(curvature), dtype=torch.float64))

    def forward(self) -> torch.Tensor:
        return 0.5 * self.w @ self.matrix @ self.w


def planted(curvature: np.ndarray, **settings: float) -> HessianOperator:
    posterior = ls.LocalPosterior(Planted(curvature), None, nbeta=10.0, **settings)
    return HessianOperator(posterior)


def test_leading_eigenvalues_of_a_network_are_those_of_its_dense_hessian() -> None:
    posterior = classifier_posterior(3, torch.float64, n=200)
    wide = ls.LocalPosterior(
        classifier(3, torch.float64, hidden=60),
        classifier_data(200),
        loss=ls.cross_entropy,
    )
    assert posterior.num_parameters < 600 < wide.num_parameters < 1000
    exact = np.linalg.eigvalsh(dense_hessian(wide))
    found = hessian_spectrum(HessianOperator(wide), num_largest=40, num_smallest=10)
    np.testing.assert_allclose(found.largest, exact[::-1][:40], rtol=1e-6)
    assert (abs(found.smallest - exact[:10]) <= found.smallest_residual + 1e-13).all()
    np.testing.assert_allclose(found.smallest, exact[:10], atol=1e-5 * exact[-1])
    assert found.largest_residual.max() < 1e-6 * exact[-1]
    assert abs(found.trace - exact.sum()) < 4 * found.trace_stderr
    small = hessian_spectrum(HessianOperator(posterior), num_largest=10)
    np.testing.assert_allclose(
        small.largest, np.linalg.eigvalsh(dense_hessian(posterior))[::-1][:10], rtol=1e-6
    )


def test_the_lower_end_of_a_positive_spectrum_is_its_own() -> None:
    bulk = np.random.default_rng(1).uniform(2.0, 3.0, 680)
    top, bottom = np.geomspace(300.0, 10.0, 15), np.geomspace(0.5, 1.0, 5)
    found = hessian_spectrum(planted(np.concatenate([bulk, top, bottom])), num_largest=15)
    np.testing.assert_allclose(found.smallest, bottom, rtol=1e-6)


def test_eigenvalues_come_as_often_as_they_are_there() -> None:
    # Every eigenvalue of softmax regression at equal probabilities has as many copies as there are
    # classes less one: from one start, 34 of the 60 were missed, and smaller ones took their place.
    torch.manual_seed(0)
    model = nn.Linear(20, 50, dtype=torch.float64)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    data = (torch.randn(300, 20, dtype=torch.float64), torch.randint(50, (300,)))
    posterior = ls.LocalPosterior(model, data, loss=ls.cross_entropy)
    exact = np.linalg.eigvalsh(dense_hessian(posterior))[::-1]
    found = hessian_spectrum(HessianOperator(posterior), num_largest=60, num_smallest=0)
    np.testing.assert_allclose(found.largest, exact[:60], rtol=1e-6)


@pytest.mark.parametrize("count", [10, 50])
def test_copies_at_both_ends_are_found(count: int) -> None:
    bulk = np.linspace(0.01, 0.1, 640)
    curvature = np.concatenate([bulk, np.full(30, 1.0), np.full(30, -0.5)])
    found = hessian_spectrum(planted(curvature), num_largest=count, num_smallest=count)
    descending = np.sort(curvature)[::-1]
    np.testing.assert_allclose(found.largest, descending[:count], atol=1e-6)
    np.testing.assert_allclose(found.smallest, descending[::-1][:count], atol=1e-5)


def test_a_hessian_of_zeros_is_told() -> None:
    found = hessian_spectrum(planted(np.zeros(700)), num_largest=5, num_smallest=3)
    assert (found.largest == 0).all()
    assert (found.smallest == 0).all()
    assert found.trace == 0


def test_products_do_not_depend_on_the_number_of_threads() -> None:
    posterior = ls.LocalPosterior(
        classifier(3, torch.float64, hidden=20), classifier_data(2100), loss=ls.cross_entropy
    )
    alone, shared = (HessianOperator(posterior, num_threads=count) for count in (1, 2))
    vectors = torch.randn(3, alone.size, dtype=torch.float64, generator=torch.manual_seed(0))
    products = alone @ vectors
    assert torch.equal(products, shared @ vectors)
    exact = vectors @ torch.from_numpy(dense_hessian(posterior))
    torch.testing.assert_close(products, exact, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("num_samples", "short", "count"), [(300, 2**25, 1), (2100, 1, 1), (300, 1, 2)]
)
def test_a_spectrum_of_short_kernels_is_computed_on_one_thread_and_gives_the_others_back(
    num_samples: int, short: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "_SHORT", short)
    monkeypatch.setattr(spectrum, "_DENSE_BY_CHOICE", 10)
    monkeypatch.setattr(eigenpairs, "_NARROWEST_BASIS", 20)
    posterior = ls.LocalPosterior(
        classifier(3, torch.float64, hidden=20), classifier_data(num_samples), loss=ls.cross_entropy
    )
    used = set()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        hessian = HessianOperator(posterior, on_product=lambda _: used.add(torch.get_num_threads()))
        used.clear()  # of the check when it is made
        hessian_spectrum(hessian, num_largest=2, num_smallest=0, num_probes=2, num_lanczos_steps=2)
        assert used == {count}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_planted_spectrum_is_found_at_both_ends_and_in_between() -> None:
    bulk = np.random.default_rng(1).uniform(0.0, 1.0, 680)
    top, bottom = np.geomspace(300.0, 3.0, 15), -np.geomspace(20.0, 2.0, 5)
    found = hessian_spectrum(
        planted(np.concatenate([bulk, top, bottom])), num_largest=15, num_smallest=5, num_probes=16
    )
    np.testing.assert_allclose(found.largest, top, rtol=1e-9)
    np.testing.assert_allclose(found.smallest, bottom, rtol=1e-6)
    assert found.trace_stderr > 0
    exact = bulk.sum() + top.sum() + bottom.sum()
    assert abs(found.trace - exact) < 4 * found.trace_stderr
    count, error = found.quadrature.trace_of(np.ones_like)
    assert abs(count - 700) < 4 * error
    below_half, error = found.quadrature.trace_of(lambda x: (x < 0.5).astype(float))
    assert abs(below_half - ((bulk < 0.5).sum() + 5)) < 4 * error + 680 / 40
    ratio = 0.1
    positive = np.concatenate([bulk, top])
    dimension, error = found.effective_dimension(ratio)
    assert abs(dimension - 0.5 * (positive / (positive + ratio)).sum()) < 4 * error + 1e-6


def test_knowing_the_ends_makes_the_trace_sharper() -> None:
    curvature = np.concatenate([np.geomspace(1e3, 10.0, 40), np.full(680, 0.01)])
    operator = planted(curvature)
    known = hessian_spectrum(operator, num_largest=40, num_smallest=0)
    blind = hessian_spectrum(operator, num_largest=1, num_smallest=0)
    assert known.trace_stderr < 0.05 * blind.trace_stderr
    assert abs(known.trace - curvature.sum()) < 4 * known.trace_stderr + 1e-9 * curvature.sum()


def test_the_error_of_the_trace_is_the_spread_of_the_trace() -> None:
    operator = planted(np.random.default_rng(2).uniform(-1.0, 2.0, 620))
    found = [
        hessian_spectrum(operator, num_largest=2, num_smallest=2, num_lanczos_steps=5, seed=seed)
        for seed in range(20)
    ]
    traces = np.array([one.trace for one in found])
    claimed = np.sqrt(np.mean([one.trace_stderr**2 for one in found]))
    # 20 draws know their own spread to 16 % (1 / √(2·19)); three of these either way.
    assert 0.5 < traces.std(ddof=1) / claimed < 1.5


def test_asked_for_all_it_gives_all_exactly() -> None:
    curvature = np.linspace(-1.0, 3.0, 610)
    found = hessian_spectrum(planted(curvature), num_largest=610, num_smallest=0)
    np.testing.assert_allclose(found.largest, curvature[::-1], atol=1e-12)
    assert found.trace == pytest.approx(curvature.sum(), rel=1e-12)
    assert found.trace_stderr == 0
    positive = curvature[curvature > 0]
    assert found.effective_dimension(0.5) == (
        pytest.approx(0.5 * (positive / (positive + 0.5)).sum(), rel=1e-12),
        0.0,
    )


def test_the_effective_dimension_is_the_exact_llc_of_a_localised_quadratic() -> None:
    curvature, nbeta, gamma = np.geomspace(1e-3, 10.0, 30), 50.0, 2.0
    found = hessian_spectrum(planted(curvature))
    exact = (0.5 * nbeta * curvature / (nbeta * curvature + gamma)).sum()
    assert found.effective_dimension(gamma / nbeta)[0] == pytest.approx(exact, rel=1e-10)


def test_weight_decay_moves_every_eigenvalue() -> None:
    curvature = np.linspace(0.5, 3.0, 20)
    found = hessian_spectrum(planted(curvature, weight_decay=0.25), num_largest=20)
    np.testing.assert_allclose(found.largest, curvature[::-1] + 0.25, atol=1e-12)


def test_restrictions_cut_the_matrix() -> None:
    everything = classifier_posterior(dtype=torch.float64)
    full = dense_hessian(everything)
    start = everything.layout.sizes[0]
    embedding = classifier_posterior(dtype=torch.float64, restriction=ls.Parameters("embedding*"))
    np.testing.assert_allclose(HessianOperator(embedding).dense(), full[:start, :start], atol=1e-12)
    masks = {"linear.weight": torch.zeros(6, 6, dtype=torch.bool)}
    masks["linear.weight"][2, 1:4] = True
    masked = classifier_posterior(dtype=torch.float64, restriction=ls.ElementMask(masks))
    rows = start + 2 * 6 + np.array([1, 2, 3])
    np.testing.assert_allclose(
        HessianOperator(masked).dense(), full[np.ix_(rows, rows)], atol=1e-12
    )
    across = classifier_posterior(dtype=torch.float64, restriction=ls.OrthogonalToGradient())
    assert across.normal is not None
    outer = np.eye(len(full)) - np.outer(across.normal, across.normal)
    np.testing.assert_allclose(HessianOperator(across).dense(), outer @ full @ outer, atol=1e-12)


def test_frozen_parameters_have_no_direction() -> None:
    model = classifier(dtype=torch.float64)
    model.linear.requires_grad_(False)
    posterior = ls.LocalPosterior(model, classifier_data(), loss=ls.cross_entropy)
    full = dense_hessian(classifier_posterior(dtype=torch.float64))
    kept = np.r_[0:21, 21 + 36 + 6 : len(full)]
    np.testing.assert_allclose(
        HessianOperator(posterior).dense(), full[np.ix_(kept, kept)], atol=1e-12
    )


def test_float32_weights_are_studied_in_float64() -> None:
    single = classifier_posterior(dtype=torch.float32)
    double = ls.LocalPosterior(
        classifier(dtype=torch.float32).double(), classifier_data(), loss=ls.cross_entropy
    )
    np.testing.assert_allclose(
        HessianOperator(single).dense(), HessianOperator(double).dense(), atol=1e-12
    )


def test_data_in_several_parts_give_the_same_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior = classifier_posterior(dtype=torch.float64)
    whole = HessianOperator(posterior).dense()
    monkeypatch.setattr("lambdascope.hessian.operator._SAMPLES_A_GRAPH", 7)
    np.testing.assert_allclose(HessianOperator(posterior).dense(), whole, atol=1e-13)


def test_every_product_is_told() -> None:
    told = []
    operator = HessianOperator(classifier_posterior(), on_product=told.append)
    before = sum(told)
    operator.dense()
    assert sum(told) - before == operator.size


def test_a_loss_linear_in_the_weights_has_no_curvature() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))

        def forward(self) -> torch.Tensor:
            return 2.0 * self.w.sum()

    found = hessian_spectrum(HessianOperator(ls.LocalPosterior(Linear(), None, nbeta=1.0)))
    assert found.largest.tolist() == [0.0, 0.0, 0.0]


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient * 2


class OnceOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))

    def forward(self) -> torch.Tensor:
        return (_Once.apply(self.w) ** 2).sum()


def test_a_loss_that_cannot_be_differentiated_twice_is_named() -> None:
    posterior = ls.LocalPosterior(OnceOnly(), None, nbeta=1.0)
    with pytest.raises(LambdascopeError, match="without a second derivative"):
        HessianOperator(posterior)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_largest": 0}, r"num_largest=0: a whole number ≥ 1"),
        ({"num_smallest": -1}, r"num_smallest=-1: a whole number ≥ 0"),
        ({"num_probes": 1}, r"num_probes=1: a whole number ≥ 2"),
        ({"num_lanczos_steps": 1}, r"num_lanczos_steps=1: a whole number ≥ 2"),
    ],
)
def test_impossible_counts_are_refused(settings: dict[str, int], said: str) -> None:
    operator = HessianOperator(ls.LocalPosterior(Quadratic([1.0, 2.0]), None, nbeta=1.0))
    with pytest.raises(LambdascopeError, match=said):
        hessian_spectrum(operator, **settings)


def test_more_eigenvalues_than_there_are_is_refused() -> None:
    with pytest.raises(LambdascopeError, match=r"num_largest=611: the matrix has 610 eigenvalues"):
        hessian_spectrum(planted(np.linspace(-1.0, 3.0, 610)), num_largest=611)


def test_a_whole_spectrum_too_large_to_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdascope.hessian.spectrum._DENSE_AT_MOST", 10)
    with pytest.raises(LambdascopeError, match=r"num_largest=900.*ask for fewer"):
        hessian_spectrum(planted(np.ones(20)), num_largest=900)


@pytest.mark.parametrize("ratio", [1e-1, 1e-3, 1e-5, 1e-6])
@pytest.mark.parametrize("kind", ["ten decades", "half of them zero", "both signs", "even"])
def test_the_error_holds_what_gathers_at_zero(kind: str, ratio: float) -> None:
    """Nodes lie up to 1 apart: without what is seen between them it was off by 80 errors."""
    decades = np.geomspace(1e-8, 1e2, 620)
    curvature = {
        "ten decades": decades,
        "half of them zero": np.concatenate([np.zeros(310), np.geomspace(1e-5, 1e2, 310)]),
        "both signs": np.concatenate([decades[::2], -np.geomspace(1e-6, 1.0, 310)]),
        "even": np.linspace(-0.1, 1.0, 620),
    }[kind]
    exact = 0.5 * (np.maximum(curvature, 0) / (abs(curvature) + ratio)).sum()
    found = hessian_spectrum(planted(curvature), num_largest=20)
    value, error = found.effective_dimension(ratio)
    assert abs(value - exact) < 2.5 * error
    if kind == "even":  # nothing gathers: the error is that of the random starts
        assert error < 0.02 * exact


@pytest.mark.parametrize("ratio", [1e-3, 1e-7])
def test_the_error_holds_zeros_below_the_lowest_node(ratio: float) -> None:
    """Without an eigenvalue from the lower end, nothing says how far down they reach."""
    random = np.random.default_rng(0).normal(size=(400, 620))
    curvature = np.linalg.eigvalsh(random.T @ random / 400).clip(min=0)
    exact = 0.5 * (curvature / (curvature + ratio)).sum()
    found = hessian_spectrum(planted(curvature), num_largest=20, num_smallest=0)
    value, error = found.effective_dimension(ratio)
    assert abs(value - exact) < 2.5 * error


@pytest.mark.parametrize("ratio", [1e-6, 1e-4])
def test_the_error_holds_what_lies_below_where_no_lower_end_was_asked_for(ratio: float) -> None:
    """Over nine decades: the lowest node of all starts is no end of the spectrum."""
    exact = 10 ** np.random.default_rng(3).uniform(-9, 0, 700)
    found = hessian_spectrum(planted(exact), num_largest=20, num_smallest=0, num_lanczos_steps=40)
    value, error = found.effective_dimension(ratio)
    true = 0.5 * (exact / (exact + ratio)).sum()
    assert abs(value - true) < 2 * error
    assert not found.quadrature.knows_lower_end


def test_a_spectrum_that_the_starts_exhaust_is_known() -> None:
    """Twenty eigenvalues and zeros: Lanczos ends of itself, and its nodes are eigenvalues."""
    exact = np.concatenate([np.geomspace(1, 0.1, 20), np.zeros(980)])
    for num_largest in (20, 5):
        found = hessian_spectrum(planted(exact), num_largest=num_largest, num_smallest=5)
        value, error = found.effective_dimension(1e-4)
        true = 0.5 * (exact / (exact + 1e-4)).sum()
        assert abs(value - true) < 2 * error + 1e-6
    found = hessian_spectrum(planted(exact), num_largest=20, num_smallest=5)
    assert found.effective_dimension(1e-4)[1] < 1e-6


def test_a_search_that_equal_eigenvalues_leave_too_little_for_is_told() -> None:
    curvature = np.concatenate([np.zeros(400), -np.random.default_rng(0).random(300)])
    with pytest.raises(LambdascopeError, match="to search for 200 eigenvalues in, as where most"):
        hessian_spectrum(planted(curvature), num_largest=200, num_smallest=5)


@pytest.mark.parametrize("ratio", [1e-2, 1e-3, 1e-4])
def test_what_the_nodes_do_not_resolve_is_in_the_error(ratio: float) -> None:
    """Eigenvalues over five decades: far more near zero than nodes, which lie 1e-3 apart there."""
    curvature = np.concatenate([np.geomspace(1e-5, 1.0, 640), -np.geomspace(1e-5, 1e-3, 60)])
    exact = 0.5 * (np.maximum(curvature, 0) / (abs(curvature) + ratio)).sum()
    for seed in range(3):
        found = hessian_spectrum(planted(curvature), num_largest=20, seed=seed)
        value, error = found.effective_dimension(ratio)
        assert abs(value - exact) < 2.5 * error
    assert error < 0.2 * exact


def test_no_localisation_is_no_ratio() -> None:
    found = hessian_spectrum(planted(np.ones(3)))
    assert math.isclose(found.trace, 3.0)
    with pytest.raises(LambdascopeError, match=r"ratio=0\.0"):
        found.effective_dimension(0.0)


def test_a_histogram_counts_known_eigenvalues_where_they_are_and_half_of_each_node() -> None:
    nodes = np.array([[-1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0, 2.0]])
    weights = np.array([[10.0, 10.0, 10.0, 10.0], [20.0, 20.0, 20.0, 20.0]])
    quadrature = SpectralQuadrature(np.array([5.0, 7.0, 5.5]), nodes, weights, (-1.5, 2.5))
    edges = np.array([-3.0, -1.0, 0.25, 0.3, 0.6, 1.0, 4.0, 5.2, 6.0, 6.5])
    counts, errors, resolution = quadrature.histogram(edges)
    # 3 known ones, and 40 or 80 others: what lies beyond the edges is in the outer bins.
    assert counts.sum() == pytest.approx(63.0)
    np.testing.assert_allclose(counts[6:], [1, 1, 1], rtol=1e-12)
    # An even row of nodes is level, 15 for each unit, and ends where the others end.
    np.testing.assert_allclose(
        counts[:6], 15 * np.array([0.5, 1.25, 0.05, 0.3, 0.4, 1.5]), rtol=1e-9
    )
    np.testing.assert_allclose(errors[:6], counts[:6] / 3, rtol=1e-9)
    # An eighth of the two nodes beside each edge, at -1 of the one at it; none beyond the others.
    edge = np.array([0.0, 15 / 8, 30 / 8, 30 / 8, 30 / 8, 30 / 8, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(resolution, edge[1:] + edge[:-1], rtol=1e-12)


def test_nodes_see_nothing_finer_than_their_distance() -> None:
    nodes, weights = np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])
    quadrature = SpectralQuadrature(np.array([4.0]), nodes, weights, (-0.5, 4.0))
    found = quadrature.spacing(np.array([-1.0, -0.25, 0.5, 1.5, 3.0, 4.0, 5.0]))
    np.testing.assert_allclose(found, [0.0, 0.5, 1.5, 2.5, 2.5, 0.0, 0.0])
    known = SpectralQuadrature(np.array([4.0]), np.empty((0, 0)), np.empty((0, 0)), (0.0, 0.0))
    assert not known.spacing(np.array([-1.0, 0.0, 1.0])).any()


def test_a_single_node_is_a_point_and_nodes_without_weight_widen_no_other() -> None:
    quadrature = SpectralQuadrature(
        np.array([]), np.array([[0.0, 0.0, 2.0]]), np.array([[0.0, 0.0, 6.0]]), (0.0, 3.0)
    )
    counts, errors, resolution = quadrature.histogram(np.array([0.0, 1.9, 2.1, 3.0]))
    np.testing.assert_array_equal(counts, [0, 6, 0])
    np.testing.assert_array_equal(resolution, 0)
    assert np.isnan(errors).all()


FINE = np.logspace(-3, 0, 10)


@pytest.mark.parametrize(("top", "bottom"), [(150, 5), (50, 5), (10, 0)])
def test_a_trained_looking_spectrum_lies_within_errors_and_resolution(
    top: int, bottom: int
) -> None:
    """Most of it close to zero on both sides, a long tail above, as trained networks have it."""
    random = np.random.default_rng(3)
    values = random.choice([1.0, 1.0, 1.0, -0.2], 1100) * 10 ** random.normal(-2.2, 0.8, 1100)
    exact = np.sort(values)
    found = hessian_spectrum(planted(exact), num_largest=top, num_smallest=bottom)
    rows = pd.DataFrame(density_rows(found))
    edges = np.array([-np.inf, *rows["high"][:-1], np.inf])
    true = np.diff(np.searchsorted(exact, edges))
    off = np.abs(rows["eigenvalues"].to_numpy() - true)
    stated = 3 * rows["eigenvalues_stderr"] + rows["eigenvalues_resolution"]
    assert (off <= stated + 1e-6).all(), rows.assign(true=true)
    # Though not by stating too much: the fullest bin is known to a quarter.
    assert stated[true.argmax()] < 0.25 * true.max()
    # Without bins of the nodes' distance and without the resolution they would not.
    fine = np.concatenate([-FINE[::-1], FINE]) * np.abs(exact).max()
    counts, errors, _ = found.quadrature.histogram(fine)
    true = np.diff(np.searchsorted(exact, np.concatenate([[-np.inf], fine[1:-1], [np.inf]])))
    assert (np.abs(counts - true) > 3 * errors + 1e-6).any()
    if bottom:  # nothing below the smallest, though the nodes have neighbours there
        assert (rows.loc[rows["high"] < exact[0], "eigenvalues"] == 0).all()
