import torch

import lambdascope as ls
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.modes import mode_magnitudes
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.observables import EmbeddingModes
from lambdascope.sampling import PointSamples


def test_magnitudes_along_a_chain_are_those_of_its_embeddings():
    config = TrainConfig(p=7, embed_dim=3, hidden_size=5)
    posterior = ls.LocalPosterior(
        ModularAdditionMLP(config), make_data(config).train, loss=ls.cross_entropy, localization=5.0
    )
    trace = ls.sample(
        posterior,
        ls.SGLD(step_size=1e-3, batch_size=8),
        num_chains=2,
        num_steps=30,
        thinning=7,
        observables={
            "modes": EmbeddingModes(7),
            "embedding": PointSamples("embedding", precision="float32"),
        },
        compile=False,
        progress=False,
        device="cpu",
    )
    embeddings = torch.from_numpy(trace["embedding"].values).unflatten(-1, (7, 3))
    expected = mode_magnitudes(embeddings)[..., 1:]
    torch.testing.assert_close(torch.from_numpy(trace["modes"].values), expected)
    assert trace["modes"].shape == (1, 2, 5, 3) or trace["modes"].shape == (2, 5, 3)


def test_rows_beyond_the_numbers_are_left_out():
    embedding = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    found = EmbeddingModes(7)({"embedding.weight": embedding})
    torch.testing.assert_close(found, mode_magnitudes(embedding[:7])[1:])
