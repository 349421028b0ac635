"""Networks for tests: the two that are kept, and logits and weights made by formula."""

import json
import math
from pathlib import Path

import torch

from lambdascope.modular_addition.architectures import Network, make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.runs.checkpoints import load_checkpoint, load_metadata

FOLDER = Path(__file__).parent / "data" / "clock_and_pizza"


def kept(name: str) -> Network:
    """A (constant attention) or B (softmax attention), as examples/clock_and_pizza.py made them."""
    path = FOLDER / f"{name}.safetensors"
    network = make_network(TrainConfig(**json.loads(load_metadata(path)["config"])))
    network.load_state_dict({n: t.float() for n, t in load_checkpoint(path).items()})
    return network


def planted_pizza(p: int, mode: int, *, num_angles: int = 32) -> ModularAdditionMLP:
    """A pizza by formula: ReLUs of the sum's projection on many angles, read at twice the angle.

    |E_a + E_b| is 2|cos(w(a − b)/2)|, and its projection on φ goes as |cos(w(a + b)/2 − φ)|, of
    which reading with cos(wc − 2φ) leaves cos(w(a + b − c)).
    """
    config = TrainConfig(p=p, embed_dim=2, hidden_size=2 * num_angles, activation="relu")
    network = ModularAdditionMLP(config).double()
    turn = 2 * math.pi * mode / p * torch.arange(p, dtype=torch.float64)
    angles = math.pi / num_angles * torch.arange(num_angles, dtype=torch.float64)
    planes = torch.stack([angles.cos(), angles.sin()], dim=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.embedding.weight.copy_(torch.stack([turn.cos(), turn.sin()], dim=1))
        for linear in (network.linear_left, network.linear_right):
            linear.weight.copy_(torch.cat([planes, -planes]))
        network.unembedding.weight.copy_(torch.cos(turn[:, None] - 2 * angles).repeat(1, 2))
    return network
