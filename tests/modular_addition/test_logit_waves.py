import math

import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.clock_or_pizza import logit_formulas
from lambdascope.modular_addition.logit_waves import (
    alignment,
    alignment_p_value,
    sum_wave_shares,
)


def waves(p, k):
    """cos and sin(w_k(a + b − c)): [2, p, p, p]."""
    token = torch.arange(p, dtype=torch.float64)
    angle = 2 * math.pi * k / p * (token[:, None, None] + token[:, None] - token)
    return torch.stack([angle.cos(), angle.sin()])


@pytest.mark.parametrize("p", [9, 10])
def test_shares_are_squared_projections_on_the_waves(p):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, p, p, p, generator=random, dtype=torch.float64) + waves(p, 3)[0]
    centred = logits - logits.mean(-1, keepdim=True)
    shares = sum_wave_shares(logits)
    assert shares.shape == (2, p // 2 + 1)
    assert not shares[:, 0].any()
    for k in range(1, p // 2 + 1):
        for row in range(2):
            power = sum(
                (centred[row] * wave).sum().square() / wave.square().sum()
                for wave in waves(p, k)
                if wave.norm() > 1e-6
            )
            expected = (power / centred[row].square().sum()).item()
            assert shares[row, k].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("p", "k"), [(13, 4), (12, 6), (12, 4)])
def test_alignment_of_the_formulas(p, k):
    cos, sin = waves(p, k)
    value, phase, accompanying = alignment(5 * cos, k)
    assert (value, accompanying) == (pytest.approx(1), False)
    assert phase == pytest.approx(0, abs=1e-9)
    if 2 * k != p:
        turned = math.cos(0.3) * cos + math.sin(0.3) * sin
        assert alignment(turned, k)[1] == pytest.approx(-math.degrees(0.3))
    # Turned round it is out of phase, or what else may be seen in it is not aligned.
    value, phase, _ = alignment(-cos, k)
    assert abs(phase) > 90 or value < 1e-6


def test_alignment_of_an_accompanying_circle():
    value, phase, accompanying = alignment(logit_formulas(13, 4)["accompanying"], 4)
    assert (value, accompanying) == (pytest.approx(1), True)
    assert phase == pytest.approx(0, abs=1e-9)


def test_nothing_is_aligned_with_nothing():
    assert alignment(torch.zeros(7, 7, 7, dtype=torch.float64), 2)[:2] == (0.0, 0.0)


@pytest.mark.parametrize(("p", "k"), [(53, 5), (30, 15), (12, 5)])
def test_p_values_hold_under_permutations_of_the_classes(p, k):
    """Classes that lie in groups, as trained ones do, named at random 2,000 times."""
    random = torch.Generator().manual_seed(0)
    trials = 2000
    cos, sin = waves(p, k)
    strength = torch.randint(1, 5, (p,), generator=random).double()
    logits = strength * cos + strength.flip(0) * sin
    found = []
    for _ in range(trials):
        named = logits[..., torch.randperm(p, generator=random)]
        found.append(alignment_p_value(alignment(named, k)[0], p, k))
    for level in (0.1, 0.01):
        rate = sum(value < level for value in found) / trials
        assert rate <= level + 3 * math.sqrt(level / trials)


def test_what_is_in_phase_is_preferred():
    """A circle that adds, and disturbs an accompanying one's frequency against its phase."""
    both = waves(13, 4)[0] - 3 * logit_formulas(13, 4)["accompanying"]
    value, phase, accompanying = alignment(both, 4)
    assert (value, accompanying) == (pytest.approx(1), False)
    assert phase == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alignment(torch.zeros(7, 7, 6).double(), 1), r"shape \[7, 7, 6\]: .*p, p, p\]"),
        (lambda: alignment(torch.zeros(7, 7, 7).double(), 9), r"modes=\[9\]: .* modes 1 to 3"),
        (lambda: sum_wave_shares(torch.zeros(7, 6, 7)), r"shape \[7, 6, 7\]: .*p, p, p\]"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(LambdascopeError, match=message):
        call()
