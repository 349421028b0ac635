import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.modular_addition import evaluation
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.evaluation import evaluate, pair_losses
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.probing import losses_with

SIZES = {"p": 7, "embed_dim": 3, "hidden_size": 5}


@pytest.mark.parametrize("max_logits", [1, 700, 10**9])
@pytest.mark.parametrize("ties", [{}, {"tie_linear": True, "tie_unembed": True}])
def test_metrics_are_those_of_each_network_alone(max_logits, ties, monkeypatch):
    # However the runs are cut into chunks: one by one, in twos, all at once.
    monkeypatch.setattr(evaluation, "_MAX_LOGITS", max_logits)
    configs = [
        TrainConfig(**SIZES, **ties, seed=seed, task=task, train_fraction=fraction)
        for seed, (task, fraction) in enumerate(
            [("addition", 0.5), ("random", 0.9), ("commutative_random", 0.2)]
        )
    ]
    networks = [ModularAdditionMLP(config) for config in configs]
    data = [make_data(config) for config in configs]
    stacked = {
        name: torch.stack([network.state_dict()[name] for network in networks])
        for name in networks[0].state_dict()
    }
    for network, part, metrics in zip(
        networks, data, evaluate(networks[0], stacked, data), strict=True
    ):
        for (inputs, targets), loss, accuracy in (
            (part.train, metrics.train_loss, metrics.train_accuracy),
            (part.test, metrics.test_loss, metrics.test_accuracy),
        ):
            logits = network(inputs)
            assert loss == pytest.approx(cross_entropy(logits, targets).item(), rel=1e-5)
            right = (logits.argmax(1) == targets).double().mean().item()
            assert accuracy == pytest.approx(right, abs=1e-12)
        squares = sum(w.square().sum().item() for w in network.parameters())
        assert metrics.weight_norm == pytest.approx(math.sqrt(squares), rel=1e-6)


def test_a_network_whose_logits_all_tie_gets_nothing_right():
    config = TrainConfig(**SIZES)
    network = ModularAdditionMLP(config)
    with torch.no_grad():
        network.unembedding.weight.zero_()
    stacked = {name: tensor[None] for name, tensor in network.state_dict().items()}
    (metrics,) = evaluate(network, stacked, [make_data(config)])
    assert metrics.train_loss == pytest.approx(math.log(7))
    assert metrics.train_accuracy == metrics.test_accuracy == 0
    loss, accuracy = losses_with(network, network.embedding.weight.detach().double()[None])
    assert loss.item() == pytest.approx(math.log(7))
    assert accuracy.item() == 0


def test_an_empty_test_set_has_no_loss():
    config = TrainConfig(**SIZES, train_fraction=1.0)
    network = ModularAdditionMLP(config)
    weights = {name: weight[None] for name, weight in network.state_dict().items()}
    (metrics,) = evaluate(network, weights, [make_data(config)])
    assert math.isnan(metrics.test_loss)
    assert math.isnan(metrics.test_accuracy)
    assert math.isfinite(metrics.train_loss)


def test_losses_below_the_rounding_of_float32_are_seen():
    class Sure:
        p = 3

        def stacked_logits(self, weights, tokens):
            return torch.tensor([20.0, 0.0, 0.0]).expand(1, len(tokens[0]), 3).mT.clone()

    inputs = torch.zeros(4, 2, dtype=torch.int64)
    loss, correct = pair_losses(Sure(), {}, inputs, torch.zeros(1, 4, dtype=torch.int64))
    assert correct.all()
    torch.testing.assert_close(loss, torch.full((1, 4), 2 * math.exp(-20)).double())
