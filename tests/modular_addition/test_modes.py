import math

import pytest
import torch
from torch.func import vmap

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import (
    mode_coordinates,
    mode_magnitudes,
    mode_mask,
    mode_vectors,
    num_modes,
    real_components,
    single_modes,
)

MODULI = [2, 3, 6, 8, 9, 11, 53]


def embedding(p, d=5, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(p, d, generator=stream, dtype=torch.float64)


def explicit_vectors(e):
    """The sums of the definition, term by term."""
    p, d = e.shape
    return torch.tensor(
        [
            [
                [
                    sum(f(2 * math.pi * k * t / p) * e[t, j].item() for t in range(p))
                    for j in range(d)
                ]
                for f in (math.cos, math.sin)
            ]
            for k in range(p // 2 + 1)
        ],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("p", MODULI)
def test_vectors_and_magnitudes_are_the_sums_of_the_definition(p):
    e = embedding(p)
    expected = explicit_vectors(e)
    torch.testing.assert_close(mode_vectors(e), expected, rtol=0, atol=1e-11)
    # The older code's formula: √Σ_j (Σ_t cos(2πkt/p) E_tj)² + (Σ_t sin(2πkt/p) E_tj)².
    older = (expected[:, 0].square() + expected[:, 1].square()).sum(-1).sqrt()
    torch.testing.assert_close(mode_magnitudes(e), older, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("p", MODULI)
def test_parseval(p):
    e = embedding(p)
    counts = torch.full((p // 2 + 1,), 2.0, dtype=torch.float64)
    counts[0] = 1
    if p % 2 == 0:
        counts[-1] = 1
    total = (counts * mode_magnitudes(e).square()).sum() / p
    assert total.item() == pytest.approx(e.square().sum().item(), rel=1e-12)
    assert real_components(e).square().sum().item() == pytest.approx(
        e.square().sum().item(), rel=1e-12
    )


@pytest.mark.parametrize("p", MODULI)
def test_real_components_are_those_of_an_orthonormal_basis(p):
    # The components of the identity are the basis itself.
    basis = real_components(torch.eye(p, dtype=torch.float64))
    torch.testing.assert_close(basis @ basis.T, torch.eye(p).double(), rtol=0, atol=1e-12)
    assert basis.shape == (p, p)


@pytest.mark.parametrize("p", [8, 9, 53])
def test_planted_modes_are_recovered_exactly(p):
    planted = {1: 3.0, 3: 0.5}
    t = torch.arange(p, dtype=torch.float64)
    u, v = embedding(2, d=6, seed=1)
    e = sum(
        size
        * (
            torch.outer((2 * math.pi * k * t / p).cos(), u)
            + torch.outer((2 * math.pi * k * t / p).sin(), v)
        )
        for k, size in planted.items()
    )
    vectors, magnitudes = mode_vectors(e), mode_magnitudes(e)
    for k in range(p // 2 + 1):
        size = planted.get(k, 0.0) * p / 2
        torch.testing.assert_close(vectors[k], size * torch.stack([u, v]), rtol=0, atol=1e-10)
        length = size * torch.stack([u, v]).norm().item()
        assert magnitudes[k].item() == pytest.approx(length, abs=1e-10)


def test_at_even_p_the_last_mode_has_a_cosine_only():
    p = 10
    t = torch.arange(p)
    e = torch.outer((-1.0) ** t, torch.tensor([3.0, 4.0]))
    vectors = mode_vectors(e)
    torch.testing.assert_close(vectors[5, 0], torch.tensor([30.0, 40.0]))
    assert vectors[5, 1].abs().max() == 0
    assert mode_magnitudes(e)[5].item() == pytest.approx(50.0)
    coordinates = mode_coordinates(e)[5]
    torch.testing.assert_close(coordinates[:, 0], 5.0 * (-1.0) ** t)
    assert coordinates[:, 1].abs().max() == 0


@pytest.mark.parametrize("p", [9, 10, 53])
def test_a_circle_puts_each_token_at_its_angle(p):
    t = torch.arange(p, dtype=torch.float64)
    angles = 2 * math.pi * 2 * t / p
    # Two directions at right angles in five dimensions.
    frame, _ = torch.linalg.qr(embedding(5, 2))
    e = 1.5 * torch.stack([angles.cos(), angles.sin()], 1) @ frame.T + 7.0
    coordinates = mode_coordinates(e - e.mean(0))
    expected = 1.5 * torch.stack([angles.cos(), angles.sin()], 1)
    torch.testing.assert_close(coordinates[2], expected, rtol=0, atol=1e-10)
    # All other modes are zero, but for rounding, which has no direction.
    assert coordinates[1].abs().max() == 0


def test_the_plane_of_a_mode_is_not_sheared():
    # Cosine and sine at 60 degrees and of different lengths: distances between tokens stay.
    p, t = 11, torch.arange(11, dtype=torch.float64)
    u = torch.tensor([2.0, 0.0, 0.0]).double()
    v = torch.tensor([0.5, math.sqrt(0.75), 0.0]).double()
    e = torch.outer((2 * math.pi * t / p).cos(), u) + torch.outer((2 * math.pi * t / p).sin(), v)
    flat = mode_coordinates(e)[1]
    torch.testing.assert_close(torch.cdist(flat, flat), torch.cdist(e, e), rtol=0, atol=1e-6)
    # The axes lie to both sides of u and v, as near to the one as to the other.
    axes = (torch.linalg.pinv(e) @ flat).T
    angles = [
        torch.dot(a / a.norm(), x / x.norm()).item() for a, x in zip(axes, (u, v), strict=True)
    ]
    assert min(angles) > 0.8


def test_at_composite_p_a_mode_that_shares_a_factor_takes_fewer_values():
    t = torch.arange(12, dtype=torch.float64)
    angles = 2 * math.pi * 4 * t / 12
    coordinates = mode_coordinates(torch.stack([angles.cos(), angles.sin()], 1))[4]
    assert len({tuple(point) for point in coordinates.round(decimals=9).tolist()}) == 3


@pytest.mark.parametrize("function", [mode_vectors, mode_magnitudes, mode_coordinates])
def test_leading_dimensions_and_vmap_change_nothing(function):
    many = torch.stack([embedding(11, seed=seed) for seed in range(6)])
    alone = torch.stack([function(e) for e in many])
    shaped = function(many.view(2, 3, 11, 5))
    torch.testing.assert_close(shaped.flatten(0, 1), alone, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(vmap(function)(many), alone, rtol=1e-12, atol=1e-12)
    assert function(many.float()).dtype == torch.float32


def test_masks_name_modes_from_one_on():
    assert mode_mask(7, [1, 3]).tolist() == [False, True, False, True]
    assert single_modes(7).tolist() == [mode_mask(7, [k]).tolist() for k in (1, 2, 3)]
    assert [num_modes(p) for p in (2, 3, 6, 7)] == [1, 1, 3, 3]


@pytest.mark.parametrize(
    ("modes", "message"),
    [([0], "modes 1 to 5$"), ([1, 7], r"modes 1 to 5 \(mode 7 is mode 4\)$"), ([11], "1 to 5$")],
)
def test_modes_that_do_not_exist_are_refused(modes, message):
    with pytest.raises(LambdascopeError, match=message):
        mode_mask(11, modes)


@pytest.mark.parametrize(
    "wrong", [torch.zeros(5), torch.zeros(1, 5), torch.zeros(4, 2, dtype=torch.int64)]
)
@pytest.mark.parametrize("function", [mode_vectors, mode_magnitudes, mode_coordinates])
def test_what_is_no_embedding_is_refused(function, wrong):
    with pytest.raises(LambdascopeError, match=r"embedding is .* of shape .*: real numbers of"):
        function(wrong)
