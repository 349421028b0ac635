"""Networks for tests: the two that are kept, and logits and weights made by formula."""

import json
from pathlib import Path

from lambdascope.modular_addition.architectures import Network, make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.runs.checkpoints import load_checkpoint, load_metadata

FOLDER = Path(__file__).parent / "data" / "clock_and_pizza"


def kept(name: str) -> Network:
    """A (constant attention) or B (softmax attention), as examples/clock_and_pizza.py made them."""
    path = FOLDER / f"{name}.safetensors"
    network = make_network(TrainConfig(**json.loads(load_metadata(path)["config"])))
    network.load_state_dict({n: t.float() for n, t in load_checkpoint(path).items()})
    return network
