import math

import pytest
import torch

from lambdascope.modular_addition.architectures import make_network
from lambdascope.modular_addition.circuit_effects import doubtful_scale, modes_that_matter
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.modes import mode_mask
from lambdascope.modular_addition.planted import planted_network
from lambdascope.modular_addition.probing import losses_with, token_embedding
from lambdascope.modular_addition.projections import keep_modes, remove_modes


def loss_at(network, embedding, scale):
    """One at a time, by torch's own cross-entropy."""
    p = network.p
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    changed = make_network(network_config(network)).double()
    changed.load_state_dict(network.state_dict())
    with torch.no_grad():
        changed.embedding.weight.copy_(embedding)
        logits = scale * changed(pairs)
    return torch.nn.functional.cross_entropy(logits, pairs.sum(1) % p).item()


def network_config(network):
    return TrainConfig(
        p=network.p,
        embed_dim=network.embed_dim,
        hidden_size=len(network.linear_left.weight),
        activation="quadratic",
    )


def random_network(seed):
    config = TrainConfig(p=11, embed_dim=4, hidden_size=6, activation="quadratic", seed=seed)
    return make_network(config).double()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_the_answer_is_in_doubt_at_the_scale(share, size):
    network = planted_network(13, [2, 5], embed_dim=4, signal_to_noise=20, seed=0)
    with torch.no_grad():
        network.unembedding.weight.mul_(size)
    embedding = token_embedding(network)
    scale = doubtful_scale(network, embedding, share)
    assert loss_at(network, embedding, scale) == pytest.approx(share * math.log(13), rel=1e-4)
    # The smallest such factor: below it the loss is larger.
    assert loss_at(network, embedding, scale / 2) > 1.05 * share * math.log(13)


def test_where_the_loss_never_falls_so_far_it_is_least():
    network = random_network(3)
    embedding = token_embedding(network)
    scale = doubtful_scale(network, embedding, 0.5)
    here = loss_at(network, embedding, scale)
    assert 0.5 * math.log(11) < here < math.log(11)
    assert here <= min(loss_at(network, embedding, scale * factor) for factor in (0.9, 1.1))


def test_equal_logits_are_in_doubt_as_they_are():
    network = random_network(0)
    with torch.no_grad():
        network.unembedding.weight.zero_()
    assert doubtful_scale(network, token_embedding(network), 0.5) == 1.0
    assert modes_that_matter(network, token_embedding(network), [1, 2], [3, 4, 5], 0.5) == []


def test_a_scale_multiplies_the_logits():
    network = random_network(1)
    embedding = token_embedding(network)
    loss, accuracy = losses_with(network, embedding[None], scale=3.0)
    assert loss.item() == pytest.approx(loss_at(network, embedding, 3.0))
    assert accuracy.item() == losses_with(network, embedding[None])[1].item()


def by_hand(network, modes, noise):
    """The rule, a loss at a time: what failed when removed, what when kept, what matters."""
    embedding = token_embedding(network)

    def kept(chosen):
        return keep_modes(embedding, mode_mask(11, chosen))

    def removed(mode):
        return remove_modes(embedding, mode_mask(11, [mode]))

    scale = doubtful_scale(network, embedding, 0.5)
    whole = loss_at(network, embedding, scale)
    rise = {k: loss_at(network, removed(k), scale) - whole for k in [*modes, *noise]}
    chosen = [k for k in modes if rise[k] > max(0.0, *(rise[n] for n in noise))]
    failed_removed = [k for k in modes if k not in chosen]
    failed_kept = []
    while chosen:
        scale = doubtful_scale(network, kept(chosen), 0.5)
        base = loss_at(network, kept(chosen), scale)
        without = {k: loss_at(network, kept([m for m in chosen if m != k]), scale) for k in chosen}
        gain = max(0.0, *(base - loss_at(network, kept([*chosen, n]), scale) for n in noise))
        weakest = min(chosen, key=without.__getitem__)
        if without[weakest] - base > gain:
            break
        failed_kept.append(weakest)
        chosen.remove(weakest)
    return failed_removed, failed_kept, chosen


def test_modes_matter_when_removed_and_when_kept():
    """On networks without circuits, where every case of the rule comes up."""
    modes, noise = [1, 2, 3], [4, 5]
    cases = []
    for seed in range(40):
        network = random_network(seed)
        cases.append(by_hand(network, modes, noise))
        found = modes_that_matter(network, token_embedding(network), modes, noise, 0.5)
        assert found == cases[-1][2]
    for outcome in zip(*cases, strict=True):
        assert any(outcome)


def test_no_modes_and_no_noise():
    network = planted_network(13, [2, 5], embed_dim=4, signal_to_noise=20, seed=0)
    embedding = token_embedding(network)
    assert modes_that_matter(network, embedding, [], [1, 3], 0.5) == []
    assert modes_that_matter(network, embedding, [2, 5], [], 0.5) == [2, 5]
