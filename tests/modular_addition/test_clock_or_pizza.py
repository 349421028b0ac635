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
    waves_read,
)
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.logit_waves import sum_wave_shares
from lambdascope.modular_addition.planted import planted_network
from lambdascope.modular_addition.probing import logits_with, neurons_of, token_embedding
from lambdascope.modular_addition.training import train
from lambdascope.modular_addition.verdicts import classify, classify_circle
from lambdascope.runs.checkpoints import load_metadata
from tests.networks import FOLDER, kept, planted_pizza

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


def test_doubling_looks_at_what_is_read():
    """A clock that squares has mode 2k among its neurons; the unembedding cancels it."""
    network = planted_network(53, [3], embed_dim=2, signal_to_noise=1e9, seed=0)
    logits = logits_with(network, token_embedding(network)[None])[0]
    # Of a neuron (x ± y)², y a cosine or sine of wb: y² has amplitude 1/2 at mode 2k, 2xy the mean
    # square amplitude 2 at mode k.
    assert doubling(neurons_of(network), 3) == pytest.approx(1 / 9)
    assert doubling(waves_read(logits, 3), 3) == pytest.approx(0, abs=1e-12)
    pizza = logit_formulas(59, 7)["pizza"]
    assert doubling(waves_read(pizza, 7), 7) == pytest.approx(0.0996, rel=0.01)


@pytest.mark.parametrize(("p", "mode"), [(51, 17), (9, 3), (22, 11)])
def test_a_mode_that_is_its_own_double_has_no_doubling(p, mode):
    features = torch.randn(p, p, 4, generator=torch.Generator().manual_seed(0))
    assert math.isnan(doubling(features, mode))
    assert not math.isnan(doubling(features, mode - 1))


@pytest.mark.parametrize("signal_to_noise", [2.0, 10.0, 1e3])
def test_a_planted_clock_is_a_clock(signal_to_noise):
    modes = [1, 3, 5]
    network = planted_network(53, modes, embed_dim=8, signal_to_noise=signal_to_noise, seed=0)
    found = classify(network, modes)
    assert found.verdict == "clock"
    assert [circle.kind for circle in found.circles] == ["clock"] * 3
    assert all(circle.score < -0.9 for circle in found.circles)


def test_a_planted_pizza_is_a_pizza():
    found = classify(planted_pizza(53, 7), [7])
    assert found.verdict == "pizza"
    assert found.circles[0].score > 0.9
    assert found.symmetricity == pytest.approx(1)
    assert found.logit_share > 0.7


def test_a_clock_on_a_mode_that_is_its_own_double_is_a_clock():
    network = planted_network(51, [17], embed_dim=2, signal_to_noise=1e9, seed=0)
    circle = classify_circle(network, 17)
    assert math.isnan(circle.doubling)
    assert circle.kind == "clock"
    # With a pizza's doubling of 0.5 for its own, it would be +0.21.
    near = circle.fits_at_frequency
    assert circle.score == pytest.approx((near["pizza"] - near["clock"]) / 0.19, abs=1e-6)


def test_a_verdict_names_the_share_of_the_logits_it_rests_on():
    network = planted_network(53, [3, 5], embed_dim=8, signal_to_noise=1e6, seed=0)
    assert classify(network, [3, 5]).logit_share == pytest.approx(1, abs=1e-4)
    # Two circles of the same size: one has half of the logits.
    assert classify(network, [5]).logit_share == pytest.approx(0.5, abs=1e-3)
    assert classify(network, [7]).logit_share == 0
    # Circles that only accompany have no share in the mean logits.
    assert classify(kept("A"), [28, 13]).logit_share == 0


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


def test_circularity_is_that_of_the_components_there_are():
    angle = 2 * math.pi * 2 / 13 * TOKEN
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    turned = circle @ torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))[0][:2] + 7
    assert circularity(turned) == pytest.approx(1)
    assert math.isnan(circularity(torch.full((13, 4), 2.0)))


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
    assert classify(network, [1]).symmetricity_weight == 0


def test_one_mlp_may_have_any_symmetricity():
    """Maps that differ where no token lies give the same logits."""
    config = TrainConfig(p=7, embed_dim=9, hidden_size=5)
    network = make_network(config).double()
    with torch.no_grad():
        network.embedding.weight[:, 3:] = 0
        network.linear_right.weight.copy_(network.linear_left.weight)
    alike, logits = gradient_symmetricity(network), network(torch.tensor([[1, 2], [3, 6]]))
    with torch.no_grad():
        network.linear_left.weight[:, 3:] *= 10
        network.linear_right.weight[:, 3:] *= -10
    torch.testing.assert_close(network(torch.tensor([[1, 2], [3, 6]])), logits)
    assert alike == pytest.approx(1)
    assert gradient_symmetricity(network) < -0.9
    assert classify(network, [1]).symmetricity_weight == 0


@pytest.mark.parametrize("rate", [0.0, 0.01, 1.0])
def test_the_symmetricity_weighs_as_much_as_the_attention_is_not_constant(rate):
    network = kept("B")
    network.attention_rate = rate
    found = classify(network, [14, 23])
    assert found.symmetricity_weight == rate
    judged = [c for c in found.circles if not math.isnan(c.score)]
    logits = logits_with(network, token_embedding(network)[None])[0]
    shares = sum_wave_shares(logits)[[c.mode for c in judged]]
    circles = sum(s.item() * c.score for s, c in zip(shares, judged, strict=True)) / shares.sum()
    scales = [
        max(-1.0, min(1.0, 2 * (value - clock) / (pizza - clock) - 1))
        for value, clock, pizza in (
            (found.distance_irrelevance, 0.8, 0.4),
            (found.symmetricity, 0.334, 0.994),
        )
    ]
    expected = (2 * circles + scales[0] + rate * scales[1]) / (3 + rate)
    assert found.score == pytest.approx(expected.item())


def test_network_a_is_a_pizza():
    found = classify(kept("A"), [14, 23, 28])
    assert found.verdict == "pizza"
    assert found.symmetricity >= 0.98
    assert found.symmetricity_weight == 0
    assert found.distance_irrelevance <= 0.35
    assert found.circularity >= 0.995
    assert max(circle.fits["pizza"] for circle in found.circles) >= 0.95
    assert [circle.kind for circle in found.circles] == ["pizza", "pizza", "accompanying"]


def test_network_b_is_a_clock_that_holds_a_small_pizza():
    found = classify(kept("B"), [14, 23, 16])
    assert found.verdict == "clock"
    assert found.symmetricity <= 0.6
    assert found.symmetricity_weight == 1
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
        (lambda: waves_read(torch.zeros(7, 7, 7), 4), r"modes=\[4\]: .* modes 1 to 3"),
        (lambda: waves_read(torch.zeros(7, 7, 2), 1), r"shape \[7, 7, 2\]: .*p, p, p\]"),
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


def test_a_circle_that_carries_logits_is_no_accompanying_one_for_a_trace_elsewhere():
    config = TrainConfig(
        p=23, embed_dim=32, network="transformer", attention_rate=0.0, num_steps=1500,
        num_checkpoints=2, seed=0,
    )  # fmt: skip
    (run,) = train([config])
    network = make_network(config)
    network.load_state_dict(run.weights[-1])
    circle = classify_circle(network, 8)
    # The trace fits its formula best; of the whole logits it explains next to nothing.
    assert circle.fits_at_frequency["accompanying"] > circle.fits_at_frequency["pizza"] > 0.9
    assert circle.fits["pizza"] > 0.8 > 0.2 > circle.fits["accompanying"]
    assert circle.kind == "pizza"
    assert [classify_circle(network, mode).kind for mode in (7, 10)] == ["accompanying"] * 2
