"""Small problems with known answers, shared by the tests of the core."""

import torch
from torch import nn

import lambdascope as ls

TOKENS, CLASSES = 7, 5


class Classifier(nn.Module):
    """Two tokens are embedded, joined, passed through one hidden layer: [batch, 2] → [batch, 5]."""

    def __init__(self, hidden=6):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 3)
        self.linear = nn.Linear(6, hidden)
        self.unembedding = nn.Linear(hidden, CLASSES, bias=False)

    def forward(self, tokens):
        hidden = nn.functional.gelu(self.linear(self.embedding(tokens).flatten(1)))
        return self.unembedding(hidden)


class Quadratic(nn.Module):
    """K(w) = ½ Σ c_i (w_i − start_i)², a potential without data."""

    def __init__(self, curvature, start=0.0, dtype=torch.float32):
        super().__init__()
        curvature = torch.as_tensor(curvature, dtype=dtype)
        self.register_buffer("curvature", curvature)
        self.register_buffer("centre", torch.full_like(curvature, start))
        self.w = nn.Parameter(torch.full_like(curvature, start))

    def forward(self):
        return 0.5 * (self.curvature * (self.w - self.centre) ** 2).sum()


def classifier(seed=0, dtype=torch.float32, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(**settings).to(dtype)


def classifier_data(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(TOKENS, (n, 2), generator=generator)
    return tokens, tokens.sum(dim=1) % CLASSES


def classifier_posterior(seed=0, dtype=torch.float32, n=40, data_seed=0, **settings):
    settings = {"loss": ls.cross_entropy, "localization": 3.0, "nbeta": 20.0, **settings}
    return ls.LocalPosterior(classifier(seed, dtype), classifier_data(n, data_seed), **settings)


def quadratic_posterior(curvature, dtype=torch.float32, **settings):
    settings = {"nbeta": 10.0, "localization": 1.0, **settings}
    return ls.LocalPosterior(Quadratic(curvature, dtype=dtype), None, **settings)


def draw(posteriors, kernel=None, **settings):
    """`sample` with what most tests want: eager, silent, few steps."""
    settings = {
        "num_chains": 2,
        "num_steps": 20,
        "seed": 1,
        "compile": False,
        "progress": False,
        "device": "cpu",
        **settings,
    }
    return ls.sample(posteriors, kernel or ls.SGLD(step_size=1e-3, batch_size=8), **settings)


def flat_weights(parameters):
    """An observable: all the weights that move or stay, in one row."""
    return torch.cat([tensor.reshape(-1) for tensor in parameters.values()])
