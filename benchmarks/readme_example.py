"""The README example as plain PyTorch, the same for us and for every peer.

p = 53, embedding 12, hidden 48, GELU, untied: 4,428 parameters; 2,668 training pairs. This file
imports torch and nothing of lambdascope, so that it runs in the peers' environment too; before
anything is timed, `assert_same_network` compares it with the network that the library samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

P, EMBED_DIM, HIDDEN_SIZE = 53, 12, 48
STEP_SIZE, LOCALIZATION, BATCH_SIZE = 1e-3, 5.0, 64
BURNIN = 0.25

State = dict[str, Tensor]


class ExampleNetwork(nn.Module):
    """logits = W gelu(L_left e_a + b_left + L_right e_b + b_right), feature-major as the library's.

    The form matters to every runner alike: with activations as [hidden, batch] the matrix products
    need no transposed copies, which under torch.compile is worth some 30 % on a CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(P, EMBED_DIM)
        self.linear_left = nn.Linear(EMBED_DIM, HIDDEN_SIZE)
        self.linear_right = nn.Linear(EMBED_DIM, HIDDEN_SIZE)
        self.unembedding = nn.Linear(HIDDEN_SIZE, P, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `tokens: [batch, 2]` to logits: [batch, p]."""
        embedded = self.embedding.weight[tokens].reshape(tokens.shape[0], 2 * EMBED_DIM)
        weight = torch.cat([self.linear_left.weight, self.linear_right.weight], 1)
        bias = self.linear_left.bias + self.linear_right.bias
        hidden = functional.gelu(weight @ embedded.T + bias[:, None])  # [hidden, batch]
        return (self.unembedding.weight @ hidden).T


class OrdinaryNetwork(ExampleNetwork):
    """The same function of the same weights, as usually written: one linear layer after another.

    What a user's own module looks like; `torch.nn.functional.cross_entropy` is its loss.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `tokens: [batch, 2]` to logits: [batch, p]."""
        left = self.linear_left(self.embedding(tokens[:, 0]))
        right = self.linear_right(self.embedding(tokens[:, 1]))
        return self.unembedding(functional.gelu(left + right))


@dataclass(frozen=True)
class Example:
    """Data and checkpoints: `inputs: [n, 2]`, `targets: [n]`, one state dict a checkpoint."""

    inputs: Tensor
    targets: Tensor
    states: list[State]

    @property
    def nbeta(self) -> float:
        """N / log n, set explicitly in every runner (one peer would take batch / log batch)."""
        return len(self.inputs) / math.log(len(self.inputs))

    def network(self, checkpoint: int = -1, *, ordinary: bool = False) -> ExampleNetwork:
        """A fresh network with the weights of one checkpoint, in one of its two forms."""
        network = OrdinaryNetwork() if ordinary else ExampleNetwork()
        network.load_state_dict(self.states[checkpoint])
        return network

    def initial_loss(self, checkpoint: int = -1) -> float:
        """Mean cross-entropy over all training pairs at w*, in float64."""
        network = self.network(checkpoint).double()
        with torch.no_grad():
            return float(functional.cross_entropy(network(self.inputs), self.targets))

    def llc(self, losses: Tensor, checkpoint: int = -1) -> Tensor:
        """λ̂ of each chain from `losses: [chain, step]`, burn-in already removed; shape [chain]."""
        return self.nbeta * (losses.double().mean(1) - self.initial_loss(checkpoint))

    def save(self, path: Path) -> None:
        """Write the example so that another environment can read it."""
        torch.save({"inputs": self.inputs, "targets": self.targets, "states": self.states}, path)


def load_example(path: Path) -> Example:
    """Read what `Example.save` wrote, without executing pickled code."""
    content = torch.load(path, weights_only=True)
    return Example(content["inputs"], content["targets"], content["states"])
