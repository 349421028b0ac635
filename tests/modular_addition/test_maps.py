import pytest
import torch

from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import all_pairs
from lambdascope.modular_addition.maps import token_maps
from lambdascope.modular_addition.network import ModularAdditionMLP


@pytest.mark.parametrize("tie_linear", [False, True])
@pytest.mark.parametrize("tie_unembed", [False, True])
def test_the_network_is_made_of_its_maps(tie_linear, tie_unembed):
    config = TrainConfig(
        p=7, embed_dim=3, hidden_size=5, tie_linear=tie_linear, tie_unembed=tie_unembed
    )
    network = ModularAdditionMLP(config).double()
    weights = network.state_dict()
    maps = token_maps(weights)
    left = maps["linear_left"]
    right = left if tie_linear else maps["linear_right"]
    bias = weights["linear_left.bias"] * (2 if tie_linear else 1)
    if not tie_linear:
        bias = bias + weights["linear_right.bias"]
    pairs = all_pairs(7)
    hidden = torch.nn.functional.gelu(left[pairs[:, 0]] + right[pairs[:, 1]] + bias)
    logits = hidden @ maps["unembedding"].T
    if tie_unembed:
        logits = logits + weights["embedding.weight"] @ weights["unembedding.bias"]
    torch.testing.assert_close(logits, network(pairs), rtol=1e-10, atol=1e-10)
    assert set(maps) == {"embedding", "linear_left", "unembedding"} | (
        set() if tie_linear else {"linear_right"}
    )


def test_maps_of_many_networks_at_once():
    networks = [ModularAdditionMLP(TrainConfig(p=5, seed=seed)) for seed in range(3)]
    states = [network.state_dict() for network in networks]
    together = token_maps({name: torch.stack([s[name] for s in states]) for name in states[0]})
    for name, many in together.items():
        alone = torch.stack([token_maps(state)[name] for state in states])
        torch.testing.assert_close(many, alone)


def test_a_transformer_has_an_embedding_and_an_unembedding_of_its_numbers():
    config = TrainConfig(
        p=7, network="transformer", embed_dim=8, num_heads=2, hidden_size=6, equals_token=True
    )
    weights = make_network(config).state_dict()
    maps = token_maps(weights)
    assert set(maps) == {"embedding", "unembedding"}
    torch.testing.assert_close(maps["embedding"], weights["embedding.weight"][:7])
