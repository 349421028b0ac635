import math

import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import (
    mode_magnitudes,
    mode_mask,
    mode_vectors,
    single_modes,
)
from lambdascope.modular_addition.projections import (
    keep_mode_span,
    keep_modes,
    remove_mode_span,
    remove_modes,
    span_basis,
)

MODULI = [2, 6, 9, 11, 53]
KEEP_AND_REMOVE = [(keep_modes, remove_modes), (keep_mode_span, remove_mode_span)]


def embedding(p, d=12, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(p, d, generator=stream, dtype=torch.float64)


def explicit_keep(e, modes):
    """The mean and the chosen terms of the Fourier series, term by term."""
    p = len(e)
    kept = e.mean(0).expand(p, -1).clone()
    for k in modes:
        weight = 1 / p if 2 * k == p else 2 / p
        for s in range(p):
            for t in range(p):
                kept[s] += weight * math.cos(2 * math.pi * k * (s - t) / p) * e[t]
    return kept


@pytest.mark.parametrize("p", [6, 9, 11])
@pytest.mark.parametrize("modes", [[1], [3], [1, 3]])
def test_keeping_in_token_space_is_the_cut_series(p, modes):
    e = embedding(p)
    torch.testing.assert_close(
        keep_modes(e, mode_mask(p, modes)), explicit_keep(e, modes), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("p", MODULI)
def test_kept_modes_are_untouched_and_the_others_gone(p):
    e = embedding(p)
    mask = mode_mask(p, [1])
    whole = mode_magnitudes(e)
    kept, removed = mode_magnitudes(keep_modes(e, mask)), mode_magnitudes(remove_modes(e, mask))
    assert kept[0].item() == pytest.approx(whole[0].item())
    torch.testing.assert_close(
        kept,
        torch.where(mask, whole, 0).index_fill(0, torch.tensor([0]), whole[0].item()),
        rtol=0,
        atol=1e-10,
    )
    torch.testing.assert_close(removed, torch.where(mask, 0, whole), rtol=0, atol=1e-10)


@pytest.mark.parametrize("p", MODULI)
@pytest.mark.parametrize(("keep", "remove"), KEEP_AND_REMOVE)
@pytest.mark.parametrize("constant", [True, False])
def test_keep_and_remove_make_up_the_whole(p, keep, remove, constant):
    e, mask = embedding(p), single_modes(p)
    total = keep(e, mask, constant=constant) + remove(e, mask, constant=constant)
    mean = e.mean(0) if constant else -e.mean(0)
    torch.testing.assert_close(total, (e + mean).expand(len(mask), -1, -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("keep", "remove"), KEEP_AND_REMOVE)
def test_doing_it_twice_changes_nothing_more(keep, remove):
    e, mask = embedding(11), mode_mask(11, [2, 4])
    once = keep_modes(e, mask)
    torch.testing.assert_close(keep_modes(once, mask), once, rtol=0, atol=1e-12)
    q = span_basis(e, mask)
    spanned = keep_mode_span(e, mask, constant=False)
    torch.testing.assert_close(spanned @ q.T @ q, spanned, rtol=0, atol=1e-12)
    assert (remove_mode_span(e, mask, constant=False) @ q.T).abs().max() < 1e-12


@pytest.mark.parametrize("p", [9, 10, 53])
def test_the_span_is_that_of_a_pseudo_inverse(p):
    e = embedding(p)
    for modes in ([1], [2, 4], list(range(1, p // 2 + 1))):
        mask = mode_mask(p, modes)
        vectors = mode_vectors(e)[mask].flatten(0, 1)
        projector = torch.linalg.pinv(vectors, rtol=1e-6) @ vectors
        centred = e - e.mean(0)
        torch.testing.assert_close(
            keep_mode_span(e, mask), e.mean(0) + centred @ projector, rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("separation", [1e-3, 1e-8, 0.0])
def test_nearly_parallel_vectors_do_no_harm(separation):
    p, t = 11, torch.arange(11, dtype=torch.float64)
    angles = 2 * math.pi * t / p
    u, v = torch.linalg.qr(embedding(4, 4))[0][:2]
    e = torch.outer(angles.cos(), u) + torch.outer(angles.sin(), u + separation * v)
    e[:, :] += torch.outer((2 * angles).cos(), v)
    kept = keep_mode_span(e, mode_mask(p, [1]))
    # One direction, u, below the tolerance; above it, v is in the span as well.
    expected = e if separation > 1e-6 else torch.outer(angles.cos() + angles.sin(), u)
    torch.testing.assert_close(kept, expected, rtol=0, atol=1e-7)


def test_at_even_p_the_last_mode_spans_one_direction():
    e = embedding(10)
    basis = span_basis(e, mode_mask(10, [5]))
    assert basis.shape == (2, 12)
    assert basis.norm(dim=1).tolist() == pytest.approx([1.0, 0.0])


def test_a_span_of_nothing_leaves_the_mean():
    e = torch.ones(7, 3)
    mask = mode_mask(7, [2])
    torch.testing.assert_close(keep_mode_span(e, mask), e)
    torch.testing.assert_close(remove_mode_span(e, mask), e)
    e = embedding(7)
    empty = mode_mask(7, [])
    for keep, remove in KEEP_AND_REMOVE:
        torch.testing.assert_close(keep(e, empty), e.mean(0).expand(7, -1))
        torch.testing.assert_close(remove(e, empty), e)


@pytest.mark.parametrize("function", [f for pair in KEEP_AND_REMOVE for f in pair])
def test_checkpoints_and_modes_are_batched(function):
    many = torch.stack([embedding(11, seed=seed) for seed in range(3)])
    masks = torch.stack([mode_mask(11, modes) for modes in ([1], [2, 5], [3, 4, 5])])
    together = function(many[:, None], masks)
    assert together.shape == (3, 3, 11, 12)
    for i, e in enumerate(many):
        for j, mask in enumerate(masks):
            torch.testing.assert_close(together[i, j], function(e, mask), rtol=0, atol=1e-12)


@pytest.mark.parametrize("function", [f for pair in KEEP_AND_REMOVE for f in pair])
def test_wrong_shapes_are_refused(function):
    with pytest.raises(LambdascopeError, match=r"embedding is .* of shape \[7\]"):
        function(torch.zeros(7), mode_mask(7, [1]))
    with pytest.raises(LambdascopeError, match=r"mask is .* of shape \[6\].* \[..., 4\].* p=7"):
        function(torch.zeros(7, 2), mode_mask(11, [1]))
