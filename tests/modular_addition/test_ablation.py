import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.ablation import (
    losses_with_modes_kept,
    losses_with_modes_removed,
)
from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.modes import mode_mask, single_modes
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.projections import (
    keep_mode_span,
    keep_modes,
    remove_mode_span,
    remove_modes,
)

ABLATIONS = [
    (losses_with_modes_kept, "tokens", keep_modes),
    (losses_with_modes_removed, "tokens", remove_modes),
    (losses_with_modes_kept, "embedding", keep_mode_span),
    (losses_with_modes_removed, "embedding", remove_mode_span),
]


def checkpoints(**settings):
    """Three networks of one shape, their stacked weights, and the data of the first."""
    configs = [
        TrainConfig(**{"embed_dim": 5, "hidden_size": 6, "train_fraction": 0.6, **settings}, seed=s)
        for s in range(3)
    ]
    networks = [ModularAdditionMLP(config) for config in configs]
    states = [network.state_dict() for network in networks]
    weights = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    return networks, weights, make_data(configs[0])


@pytest.mark.parametrize(("ablate", "space", "project"), ABLATIONS)
@pytest.mark.parametrize("settings", [{"p": 7, "tie_unembed": True}, {"p": 8}])
@pytest.mark.parametrize("threads", [1, 2])
def test_losses_are_those_of_each_changed_network(ablate, space, project, settings, threads):
    networks, weights, data = checkpoints(**settings)
    p = settings["p"]
    mask = torch.cat([single_modes(p), mode_mask(p, [1, 3])[None]])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        metrics = ablate(networks[0], weights, data, mask, space=space)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for i, network in enumerate(networks):
        whole = network.embedding.weight.detach().clone()
        for j, modes in enumerate(mask):
            network.embedding.weight.data = project(whole, modes)
            for part, loss, accuracy in (
                (data.train, metrics.train_loss, metrics.train_accuracy),
                (data.test, metrics.test_loss, metrics.test_accuracy),
            ):
                logits = network(part[0])
                expected = cross_entropy(logits, part[1]).item()
                assert loss[i, j].item() == pytest.approx(expected, rel=1e-4)
                right = (logits.argmax(1) == part[1]).double().mean().item()
                assert accuracy[i, j].item() == pytest.approx(right, abs=1e-12)


def test_sets_may_differ_between_checkpoints():
    networks, weights, data = checkpoints(p=7)
    masks = torch.stack([mode_mask(7, modes) for modes in ([1], [2, 3], [1, 2, 3])])
    own = losses_with_modes_kept(networks[0], weights, data, masks[:, None])
    every = losses_with_modes_kept(networks[0], weights, data, masks)
    torch.testing.assert_close(own.train_loss[:, 0], every.train_loss.diagonal())


def test_an_empty_test_set_has_no_loss():
    networks, weights, data = checkpoints(p=7, train_fraction=1.0)
    metrics = losses_with_modes_kept(networks[0], weights, data, single_modes(7))
    assert metrics.test_loss.isnan().all()
    assert metrics.train_loss.isfinite().all()


def test_keeping_all_modes_changes_nothing():
    networks, weights, data = checkpoints(p=7)
    everything = mode_mask(7, [1, 2, 3])[None]
    metrics = losses_with_modes_kept(networks[0], weights, data, everything)
    expected = cross_entropy(networks[2](data.test[0]), data.test[1]).item()
    assert metrics.test_loss[2, 0].item() == pytest.approx(expected, rel=1e-5)
    removed = losses_with_modes_removed(networks[0], weights, data, everything)
    # The mean embedding says nothing of the tokens: no better than a fixed guess.
    assert removed.train_loss[2, 0].item() > 0.9 * math.log(7)


def test_an_unknown_space_is_refused():
    networks, weights, data = checkpoints(p=7)
    with pytest.raises(LambdascopeError, match="space='weights': tokens or embedding"):
        losses_with_modes_kept(networks[0], weights, data, single_modes(7), space="weights")


def test_the_token_that_is_no_number_stays_as_it_is():
    config = TrainConfig(
        p=7, network="transformer", embed_dim=8, num_heads=2, hidden_size=6, equals_token=True
    )
    network, data = make_network(config), make_data(config)
    weights = {name: tensor[None] for name, tensor in network.state_dict().items()}
    metrics = losses_with_modes_removed(network, weights, data, mode_mask(7, [2])[None])
    whole = network.embedding.weight.data
    network.embedding.weight.data = torch.cat(
        [remove_modes(whole[:7], mode_mask(7, [2])), whole[7:]]
    )
    expected = cross_entropy(network(data.train[0]), data.train[1]).item()
    assert metrics.train_loss.item() == pytest.approx(expected, rel=1e-5)
