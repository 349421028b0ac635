import math

import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.progress import (
    excluded_logits,
    gini,
    restricted_logits,
    spectrum_gini,
)


def logits(p, classes=4, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(p, p, classes, generator=stream, dtype=torch.float64)


@pytest.mark.parametrize("p", [4, 5, 9, 12])
@pytest.mark.parametrize("modes", [[], [1], [1, 2]])
def test_restricted_and_excluded_are_parts_of_the_transform_over_both_operands(p, modes):
    table = logits(p)
    spectrum = torch.fft.fft2(table, dim=(0, 1))
    kept = torch.zeros(p, p, 1)
    for k in modes:
        kept[k, k] = kept[-k, -k] = 1
    directions = torch.fft.ifft2(spectrum * kept, dim=(0, 1)).real
    mask = mode_mask(p, modes)
    torch.testing.assert_close(excluded_logits(table, mask), table - directions)
    kept[0, 0] = 1
    with_constant = torch.fft.ifft2(spectrum * kept, dim=(0, 1)).real
    torch.testing.assert_close(restricted_logits(table, mask), with_constant)


def test_a_clock_is_all_that_is_kept_and_none_that_is_left():
    p, k = 11, 3
    token = torch.arange(p, dtype=torch.float64)
    clock = (2 * math.pi * k * (token[:, None, None] + token[:, None] - token) / p).cos()
    noise = (2 * math.pi * k * (token[:, None, None] - token[:, None] - token) / p).cos()
    mask = mode_mask(p, [k])
    torch.testing.assert_close(restricted_logits(clock + noise, mask), clock)
    torch.testing.assert_close(excluded_logits(clock + noise, mask), noise)


def test_checkpoints_are_batched():
    many = torch.stack([logits(5, seed=seed) for seed in range(3)])
    masks = torch.stack([mode_mask(5, modes) for modes in ([1], [2], [1, 2])])
    for function in (restricted_logits, excluded_logits):
        alone = torch.stack([function(t, m) for t, m in zip(many, masks, strict=True)])
        torch.testing.assert_close(function(many, masks), alone)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([1, 2, 3], 8 / 36), ([5], 0.0)],
)
def test_gini_by_hand(values, expected):
    assert gini(torch.tensor(values).double()).item() == pytest.approx(expected, abs=1e-12)


def test_gini_is_its_definition_in_any_order():
    x = torch.rand(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_pairs = (x[:, None] - x).abs().sum() / (2 * 20 * x.sum())
    assert gini(x).item() == pytest.approx(by_pairs.item(), rel=1e-12)
    assert gini(3 * x.flip(0)).item() == pytest.approx(by_pairs.item(), rel=1e-12)
    assert math.isnan(gini(torch.zeros(3)).item())


@pytest.mark.parametrize("p", [8, 53])
def test_the_spectrum_of_one_wave_is_as_unequal_as_can_be(p):
    wave = (2 * math.pi * torch.arange(p, dtype=torch.float64) / p).cos()
    # One of p components.
    assert spectrum_gini(wave[:, None]).item() == pytest.approx(1 - 1 / p, abs=1e-9)
    single = torch.zeros(p, 1, dtype=torch.float64)
    single[0] = 1
    assert spectrum_gini(single).item() < 0.6


def test_wrong_shapes_are_refused():
    with pytest.raises(LambdascopeError, match=r"logits have shape \[5, 4, 3\]"):
        restricted_logits(torch.zeros(5, 4, 3), mode_mask(5, [1]))
    with pytest.raises(LambdascopeError, match=r"mask is .* of shape \[4\].* at p=5"):
        excluded_logits(torch.zeros(5, 5, 3), mode_mask(7, [1]))
