"""The search for circuits where the embedding reads the answer, too."""

import math

import torch

from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.circuits import (
    alignment_alone,
    find_circuits,
    on_their_circles,
)
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.logit_waves import (
    alignment,
    alignment_p_value,
    tied_alignment_p_value,
)
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.probing import logits_with, token_embedding
from lambdascope.modular_addition.projections import keep_modes
from lambdascope.modular_addition.training import train


def _tied(seed: int) -> ModularAdditionMLP:
    return make_network(
        TrainConfig(p=31, embed_dim=16, hidden_size=48, tie_unembed=True, seed=seed)
    )


def test_where_the_embedding_reads_the_answer_chance_is_that_of_a_random_direction():
    """The classes lie on a kept circle by themselves: named at random they would not."""
    named, directed = [], []
    for seed in range(40):
        network = _tied(seed)
        for mode in (1, 5, 9):
            alone = keep_modes(token_embedding(network), mode_mask(31, [mode]))[None]
            both, end = (logits_with(network, alone, at_both_ends=b)[0] for b in (True, False))
            value, phase, _ = alignment(both, mode, end)
            named.append(alignment_p_value(value, 31, mode) < 0.01)
            directed.append(tied_alignment_p_value(value, phase, 31, mode) < 0.05)
    assert sum(named) > 30
    assert sum(directed) <= 13  # 6 are expected; 14 or more come about in 0.2 % of cases


def test_a_circle_in_a_tied_embedding_alone_is_no_circuit():
    found = 0
    for seed in range(30):
        network, mode = _tied(100 + seed), 1 + seed % 15
        angle = 2 * math.pi * mode / 31 * torch.arange(31)
        plane, _ = torch.linalg.qr(
            torch.randn(16, 2, generator=torch.Generator().manual_seed(seed))
        )
        with torch.no_grad():
            network.embedding.weight += 3 * torch.stack([angle.cos(), angle.sin()], 1) @ plane.T
        found += mode in find_circuits(network).frequencies
    assert found <= 2  # 12 of 30 with classes named at random


def test_a_circle_of_two_points_tells_nothing_of_a_tied_network():
    """Whatever reads it, it has no sine: alignment 1, and a phase of 0 or 180°."""
    for seed in range(10):
        network = make_network(TrainConfig(p=14, tie_unembed=True, seed=seed))
        aligned = {7: alignment_alone(network, token_embedding(network), 7)}
        assert abs(aligned[7][0] - 1) < 1e-9
        assert not on_their_circles(network, aligned, 0.4)


def test_a_tied_network_that_adds_shows_its_circuits():
    config = TrainConfig(
        p=23, embed_dim=16, hidden_size=64, tie_unembed=True, num_steps=2000, num_checkpoints=2
    )
    (run,) = train([config])
    network = make_network(config)
    network.load_state_dict(run.weights[-1])
    found = find_circuits(network)
    assert run.metrics[-1].train_accuracy > 0.99
    assert len(found.circuits) >= 2
    assert found.accuracy_kept > 0.95 * found.accuracy


def test_the_networks_own_embedding_reads_what_another_one_puts_in():
    network = _tied(0)
    other = torch.randn(1, 31, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits = logits_with(network, other, at_both_ends=False)[0]
    with torch.no_grad():
        own = network.embedding.weight.double()
        left = other[0] @ network.linear_left.weight.double().T + network.linear_left.bias.double()
        right = other[0] @ network.linear_right.weight.double().T
        right += network.linear_right.bias.double()
        hidden = network._activation(left[:, None] + right[None])
        back = hidden @ network.unembedding.weight.double().T + network.unembedding.bias.double()
    torch.testing.assert_close(logits, back @ own.T)
