import itertools
import json
import math

import pytest
import torch

from examples.clock_and_pizza import settings
from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.clock_or_pizza import (
    circularity,
    distance_irrelevance,
    doubling,
    gradient_symmetricity,
    logit_fits,
    logit_formulas,
    served_frequency,
)
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.verdicts import classify, classify_circle
from lambdascope.runs.checkpoints import load_metadata
from tests.networks import FOLDER, kept

TOKEN = torch.arange(13, dtype=torch.float64)


@pytest.mark.parametrize("p", [13, 12])
@pytest.mark.parametrize("at_frequency", [False, True])
def test_each_formula_fits_itself(p, at_frequency):
    formulas = logit_formulas(p, 4)
    assert set(formulas) == {"clock", "pizza"} | ({"accompanying"} if p % 2 else set())
    for name, logits in formulas.items():
        fits = logit_fits(3 * logits + torch.randn(p, p, 1).double(), 4, at_frequency=at_frequency)
        assert fits[name] == pytest.approx(1)
        assert all(fit < 0.9 for other, fit in fits.items() if other != name)


def test_a_fit_is_the_square_of_the_correlation():
    random = torch.Generator().manual_seed(0)
    for p in (12, 13):
        logits = torch.randn(p, p, p, generator=random, dtype=torch.float64)
        logits += logit_formulas(p, 3)["clock"]
        for name, formula in logit_formulas(p, 3).items():
            both = torch.stack([x - x.mean(-1, keepdim=True) for x in (logits, formula)])
            expected = max(0, torch.corrcoef(both.flatten(1))[0, 1].item()) ** 2
            assert logit_fits(logits, 3)[name] == pytest.approx(expected, abs=1e-12)


def test_a_formula_turned_round_does_not_fit():
    assert logit_fits(-logit_formulas(13, 4)["clock"], 4)["clock"] == 0


def test_the_accompanying_frequency_is_half():
    for p, mode in itertools.product((5, 13, 59), (1, 2)):
        assert 2 * served_frequency(p, mode) % p in (mode, p - mode)


def test_doubling_of_the_formulas():
    """The logits themselves as features: a clock has no mode 2k, a pizza the share of its series.

    |cos(x/2)| = 2/π + (4/π) Σ_n (−1)^{n+1} cos(nx)/(4n² − 1): over b, with x = w(a − b) and times
    cos(w(a + b)), mode 2k has (2/3π)² and mode k (2/π)² + (2/15π)², but for aliases.
    """
    p = 59
    token = torch.arange(p, dtype=torch.float64)
    a, b, c = token[:, None, None], token[:, None], token
    w = 2 * math.pi * 7 / p
    clock = torch.cos(w * (a + b - c))
    assert doubling(clock, 7) == pytest.approx(0, abs=1e-20)
    expected = (1 / 9) / (1 / 9 + 1 + 1 / 225)
    lengths = torch.cos(w * (a - b) / 2).abs()
    assert doubling(lengths * clock, 7) == pytest.approx(expected, rel=0.01)
    assert expected == pytest.approx(0.0996, abs=5e-5)


def test_distance_irrelevance_by_hand():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 5, 5, generator=random, dtype=torch.float64)

    def by_hand(pick):
        table = {(a, b): pick(a, b) for a in range(5) for b in range(5)}
        rows = [[table[i, (i + d) % 5] for i in range(5)] for d in range(5)]
        spread = [torch.tensor(row).std(correction=0) for row in rows]
        return torch.stack(spread).mean() / torch.tensor(rows).std(correction=0)

    right = by_hand(lambda a, b: logits[a, b, (a + b) % 5].item())
    wrong = by_hand(lambda a, b: max(logits[a, b, c].item() for c in range(5) if c != (a + b) % 5))
    assert distance_irrelevance(logits).item() == pytest.approx(right.item(), rel=1e-6)
    other = distance_irrelevance(logits, "largest_wrong").item()
    assert other == pytest.approx(wrong.item(), rel=1e-6)


def test_a_pizza_depends_on_the_distance_alone():
    formulas = logit_formulas(13, 3)
    assert distance_irrelevance(formulas["pizza"]).item() == pytest.approx(0, abs=1e-12)


def test_circularity_of_circles_and_of_noise():
    angle = 2 * math.pi / 13 * TOKEN
    circles = [f(k * angle) for k in (2, 5) for f in (torch.cos, torch.sin)]
    embedding = torch.stack(circles, dim=1) * torch.tensor([3.0, 3.0, 2.0, 2.0])
    turned = embedding @ torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0] + 7
    assert circularity(turned) == pytest.approx(1)
    assert circularity(torch.randn(59, 128, generator=torch.Generator().manual_seed(0))) < 0.5


def test_symmetricity_against_a_triple_at_a_time():
    network = make_network(TrainConfig(p=7, embed_dim=3, hidden_size=5)).double()
    random = torch.Generator().manual_seed(4)
    cosines = []
    while len(cosines) < 20:
        a, b, c = torch.randint(7, (3,), generator=random).tolist()
        if len({a, b, c}) == 3 and c != (a + b) % 7:
            logit = network(torch.tensor([[a, b]]))[0, c]
            (gradient,) = torch.autograd.grad(logit, [network.embedding.weight])
            cosines.append(torch.cosine_similarity(gradient[a], gradient[b], dim=0))
    expected = torch.stack(cosines).mean().item()
    assert gradient_symmetricity(network, num_triples=20, seed=4) == pytest.approx(expected)


def test_tied_linear_maps_force_the_symmetricity():
    network = make_network(TrainConfig(p=7, embed_dim=3, hidden_size=5, tie_linear=True))
    assert gradient_symmetricity(network) == pytest.approx(1)
    assert classify(network, [1]).symmetricity_forced


def test_network_a_is_a_pizza():
    found = classify(kept("A"), [14, 23, 28])
    assert found.verdict == "pizza"
    assert found.symmetricity >= 0.98
    assert found.symmetricity_forced
    assert found.distance_irrelevance <= 0.35
    assert found.circularity >= 0.995
    assert max(circle.fits["pizza"] for circle in found.circles) >= 0.95
    assert [circle.kind for circle in found.circles] == ["pizza", "pizza", "accompanying"]


def test_network_b_is_a_clock_that_holds_a_small_pizza():
    found = classify(kept("B"), [14, 23, 16])
    assert found.verdict == "clock"
    assert found.symmetricity <= 0.6
    assert not found.symmetricity_forced
    assert found.distance_irrelevance >= 0.6
    assert [circle.kind for circle in found.circles] == ["clock", "clock", "pizza"]


def test_a_network_without_circles_is_neither():
    network = make_network(TrainConfig(p=13, embed_dim=4, hidden_size=8))
    assert classify_circle(network, 3).kind == "neither"
    assert classify(network, [3]).verdict == "neither"
    assert classify(network, []).verdict == "neither"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_symmetricity(torch.nn.Linear(2, 2)), "network is a Linear"),
        (
            lambda: gradient_symmetricity(make_network(TrainConfig(p=4))),
            "p=4 leaves no triples .*at least 5",
        ),
        (lambda: distance_irrelevance(torch.zeros(3, 3, 2)), r"shape \[3, 3, 2\]: .*p, p, p\]"),
        (
            lambda: distance_irrelevance(torch.zeros(3, 3, 3), "wrong"),
            "version='wrong': correct or largest_wrong",
        ),
        (lambda: circularity(torch.zeros(4, 2)), r"shape \[4, 2\]: .*p ≥ 5"),
        (lambda: logit_fits(torch.zeros(7, 7, 7).double(), 9), r"modes=\[9\]: .* modes 1 to 3"),
        (lambda: doubling(torch.zeros(7, 7, 2), 0), r"modes=\[0\]: .* modes 1 to 3"),
        (
            lambda: gradient_symmetricity(make_network(TrainConfig(p=7)), num_triples=0),
            "num_triples=0: at least 1",
        ),
        (lambda: classify(torch.nn.Linear(2, 2), [1]), "network is a Linear"),
        (lambda: doubling(torch.zeros(3, 4, 2), 1), r"shape \[3, 4, 2\]: \[p, p, features\]"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(LambdascopeError, match=message):
        call()


@pytest.mark.parametrize("name", ["A", "B"])
def test_the_kept_networks_have_the_settings_of_the_script(name):
    held = load_metadata(FOLDER / f"{name}.safetensors")["config"]
    assert TrainConfig(**json.loads(held)) == settings(name)
