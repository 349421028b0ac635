import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.circuit_measures import measure_modes
from lambdascope.modular_addition.circuit_null import power_ratio_threshold, power_ratios
from lambdascope.modular_addition.circuits import find_circuits
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.logit_waves import sum_wave_shares
from lambdascope.modular_addition.neurons import dominant_frequencies, frequency_shares
from lambdascope.modular_addition.planted import planted_network
from lambdascope.modular_addition.probing import (
    logits_with,
    losses_with,
    neurons_of,
    token_embedding,
)
from lambdascope.modular_addition.training import train
from tests.networks import kept


@pytest.mark.parametrize(("p", "embed_dim"), [(53, 12), (12, 5), (5, 3)])
def test_the_null_threshold_is_that_of_random_embeddings(p, embed_dim):
    trials, rate = 4000, 0.05
    random = torch.Generator().manual_seed(1)
    embeddings = 7 * torch.randn(trials, p, embed_dim, generator=random)
    threshold = power_ratio_threshold(p, embed_dim, rate)
    beyond = sum(bool((power_ratios(each) > threshold).any()) for each in embeddings)
    # Standard errors of this count and of the threshold's own 20,000 draws.
    error = (rate / trials + rate / 20_000) ** 0.5
    assert beyond / trials == pytest.approx(rate, abs=3 * error)


@pytest.mark.parametrize(
    ("p", "frequencies"), [(53, [7]), (53, [3, 11, 24]), (49, [7, 1]), (30, [4, 9, 14, 5])]
)
def test_planted_circuits_are_found_and_no_others(p, frequencies):
    network = planted_network(p, frequencies, embed_dim=16, signal_to_noise=2.0, seed=3)
    found = find_circuits(network)
    assert sorted(found.frequencies) == sorted(frequencies)
    assert found.loss < torch.tensor(p).log()
    assert found.loss_kept < found.loss < found.loss_removed
    for circuit in found.circuits:
        assert abs(circuit.phase_error) < 20
        assert circuit.loss_removed > found.loss
        assert circuit.loss_without > found.loss_kept
        assert not circuit.accompanying
        assert circuit.num_neurons > 0
    assert found.effective_number <= len(frequencies) + 1e-9


@pytest.mark.parametrize("signal_to_noise", [5.0, 10.0, 50.0])
@pytest.mark.parametrize("count", [3, 6])
def test_circuits_that_others_could_replace_are_counted(signal_to_noise, count):
    """The network is right, and sure, without any one of them."""
    frequencies = [2, 7, 10, 13, 16, 24][:count]
    network = planted_network(
        53, frequencies, embed_dim=16, signal_to_noise=signal_to_noise, seed=4
    )
    found = find_circuits(network)
    assert sorted(found.frequencies) == frequencies
    assert found.accuracy_kept >= found.accuracy > 0.9
    assert found.accuracy_removed < 1 / 53 + 0.03
    if signal_to_noise == 50:
        assert max(circuit.loss_removed for circuit in found.circuits) < 1e-6


def planted_at_31():
    return planted_network(31, [3, 5, 8], embed_dim=8, signal_to_noise=4, seed=0)


@pytest.mark.parametrize("scale", [0.03, 30.0, 1e4])
def test_the_count_does_not_depend_on_the_logits_size(scale):
    network = planted_at_31()
    as_it_is = find_circuits(network)
    with torch.no_grad():
        network.unembedding.weight.mul_(scale)
    scaled = find_circuits(network)
    assert scaled.frequencies == as_it_is.frequencies
    assert sorted(scaled.frequencies) == [3, 5, 8]
    assert scaled.accuracy == pytest.approx(as_it_is.accuracy)


@pytest.mark.parametrize("loss_share", [0.1, 0.25, 0.75, 0.9])
def test_the_count_hardly_depends_on_the_loss_it_is_made_at(loss_share):
    found = find_circuits(planted_at_31(), loss_share=loss_share)
    assert sorted(found.frequencies) == [3, 5, 8]


@pytest.mark.parametrize(("scale", "loss_share"), [(1.0, 0.5), (10.0, 0.25)])
def test_a_trained_network_keeps_its_circuits_at_any_scale(scale, loss_share):
    network = kept("B")
    with torch.no_grad():
        network.unembedding.weight.mul_(scale)
    found = find_circuits(network, loss_share=loss_share)
    assert found.frequencies == (14, 23, 12, 16, 27, 13, 24)
    assert found.accuracy_kept >= 0.99
    assert abs(found.accuracy_removed - 1 / 59) < 0.03


def test_planted_signal_to_noise_is_the_stated_one():
    for snr in (0.0, 2.0):
        ratios = []
        for seed in range(40):
            network = planted_network(53, [9], embed_dim=8, signal_to_noise=snr, seed=seed)
            power = torch.fft.rfft(token_embedding(network), dim=0).abs().square().sum(1)[1:]
            ratios.append((power[8] / power[torch.arange(26) != 8].mean()).item())
        mean = torch.tensor(ratios).mean().item()
        # Signal 4 and noise 1; each ratio has a spread of √(2·(1 + 2·4)/16) ≈ 1.1.
        assert mean == pytest.approx(1 + snr**2, abs=3 * 1.1 / 40**0.5)


def test_random_networks_hold_none():
    for seed in range(20):
        config = TrainConfig(p=31, embed_dim=8, hidden_size=16, seed=seed)
        assert find_circuits(make_network(config)).circuits == ()
    transformer = TrainConfig(network="transformer", p=13, embed_dim=8, num_heads=2)
    assert find_circuits(make_network(transformer)).circuits == ()


def test_memorised_labels_hold_none():
    configs = [
        TrainConfig(
            p=23, task="random", num_steps=1500, num_checkpoints=2, train_fraction=1, seed=seed
        )
        for seed in range(5)
    ]
    for run in train(configs):
        assert run.metrics[-1].train_accuracy > 0.8
        network = make_network(run.config)
        network.load_state_dict(run.weights[-1])
        assert find_circuits(network).circuits == ()


def test_a_trained_network_lives_by_its_circuits():
    (run,) = train([TrainConfig(num_steps=1500, num_checkpoints=2, seed=1)])
    network = make_network(run.config)
    network.load_state_dict(run.weights[-1])
    found = find_circuits(network)
    # An independent measure: what has a hundredth of the logits is a circuit.
    shares = sum_wave_shares(logits_with(network, token_embedding(network)[None])[0])
    strong = {int(mode) for mode in (shares > 0.01).nonzero()}
    assert 3 <= len(strong) <= 6
    assert {circuit.frequency for circuit in found.circuits if circuit.logit_share > 0.01} == strong
    assert len(found.circuits) <= len(strong) + 2
    assert found.accuracy > 0.9
    assert found.accuracy_kept >= 0.95 * found.accuracy
    assert abs(found.accuracy_removed - 1 / 53) < 0.03
    strongest = found.circuits[0]
    assert strongest.num_neurons == max(circuit.num_neurons for circuit in found.circuits)


def test_circles_that_accompany_a_pizza_are_circuits():
    found = find_circuits(kept("A"))
    assert set(found.frequencies) == {14, 23, 10, 16, 28, 13, 20, 27}
    doubles = {circuit.frequency for circuit in found.circuits if circuit.accompanying}
    assert doubles == {28, 13, 20, 27}
    assert found.accuracy_kept == 1
    assert found.accuracy_removed < 1 / 59 + 0.03


def test_losses_are_those_of_the_network():
    network = make_network(TrainConfig(p=7, embed_dim=3, hidden_size=5))
    embedding = token_embedding(network)
    pairs = torch.cartesian_prod(torch.arange(7), torch.arange(7))
    answers = pairs.sum(1) % 7
    logits = network(pairs)
    loss, accuracy = losses_with(network, embedding[None])
    expected = torch.nn.functional.cross_entropy(logits, answers).item()
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert accuracy.item() == (logits.argmax(1) == answers).double().mean().item()


@pytest.mark.parametrize("p", [9, 10])
def test_neurons_are_known_by_their_frequency(p):
    token = torch.arange(p, dtype=torch.float64)
    w = 2 * torch.pi / p
    a, b = token[:, None].expand(p, p), token.expand(p, p)
    neurons = [
        (2 * w * a).cos() + (2 * w * b).sin(),
        (3 * w * (a + b)).cos() + 0.1 * (w * a).cos(),
        (w * (a - b)).cos() ** 2,
        torch.full((p, p), 4.0, dtype=torch.float64),
    ]
    stacked = torch.stack(neurons, dim=-1)
    assert dominant_frequencies(stacked).tolist() == [2, 3, 2, 0]
    assert frequency_shares(stacked)[0, 2].item() == pytest.approx(1)


def test_a_planted_network_has_its_neurons():
    network = planted_network(53, [9, 20], embed_dim=16, signal_to_noise=1e3, seed=0)
    counts = dominant_frequencies(neurons_of(network)).bincount()
    # cos² of a sum has twice the frequency: the squares of a and of b count for 2k.
    assert int(counts[[9, 20, 18, 13]].sum()) == 16


def with_embedding(rows):
    network = make_network(TrainConfig(p=7, embed_dim=3, hidden_size=5))
    network.embedding.weight = torch.nn.Parameter(rows)
    return network


def test_noise_alone_holds_none():
    network = planted_network(31, [4, 9], embed_dim=8, signal_to_noise=0.0, seed=0)
    assert find_circuits(network).circuits == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: find_circuits(make_network(TrainConfig(p=4))),
            r"p=4 has too few Fourier modes \(2\) .*at least 5",
        ),
        (lambda: find_circuits(torch.nn.Linear(2, 2)), "network is a Linear, an architecture not"),
        (lambda: measure_modes(torch.nn.Linear(2, 2), [1]), "network is a Linear"),
        (
            lambda: find_circuits(with_embedding(torch.randn(5, 3))),
            r"embedding has shape \[5, 3\]: \[7, 3\], a row for each token, is accepted at p=7",
        ),
        (
            lambda: find_circuits(with_embedding(torch.full((7, 3), torch.nan))),
            r"the network's embedding\.weight hold NaN or infinity: finite weights are needed",
        ),
        (
            lambda: power_ratios(torch.randn(2, 7, 3)),
            r"embedding has shape \[2, 7, 3\]: \[p, embed_dim\] with p ≥ 5 is accepted",
        ),
        (
            lambda: planted_network(7, [1], embed_dim=4, signal_to_noise=-1, seed=0),
            "signal_to_noise=-1: a number from 0 on",
        ),
        (
            lambda: find_circuits(make_network(TrainConfig(p=7)), error_rate=0.0),
            r"error_rate=0.0: it should be above 5e-05 and below 1",
        ),
        (
            lambda: find_circuits(make_network(TrainConfig(p=7)), loss_share=1.0),
            r"loss_share=1.0: it should be above 0 and below 1",
        ),
        (
            lambda: planted_network(7, [4], embed_dim=4, signal_to_noise=2, seed=0),
            "modes 1 to 3",
        ),
        (
            lambda: planted_network(7, [2, 2], embed_dim=4, signal_to_noise=2, seed=0),
            r"frequencies=\[2, 2\]: .*each once",
        ),
        (
            lambda: planted_network(7, [1, 2], embed_dim=3, signal_to_noise=2, seed=0),
            "embed_dim=3 has no room for 2 circles: .*at least 4",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(LambdascopeError, match=message):
        call()
