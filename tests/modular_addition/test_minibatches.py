import torch

from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.minibatches import Minibatches


def batches(*configs):
    return Minibatches(configs, [make_data(config) for config in configs])


def test_minibatches_are_training_pairs_with_their_labels():
    config = TrainConfig(p=7, train_fraction=0.3, task="random", batch_size=50)
    data = make_data(config)
    tokens, labels = batches(config).at(3)
    assert tokens.shape == (1, 50, 2)
    rows = tokens[0] @ torch.tensor([7, 1])
    assert torch.isin(rows, data.train_index).all()
    assert torch.equal(labels[0], data.targets[rows])


def test_a_run_draws_the_same_whatever_its_neighbours_and_whatever_came_before():
    alone = TrainConfig(p=11, seed=4, batch_size=1000)
    other = TrainConfig(p=11, seed=5, batch_size=1000, train_fraction=0.2)
    by_itself, beside = batches(alone), batches(other, alone)
    # 1,000 pairs a batch make blocks of 16 steps; both orders cross several of them.
    straight = [by_itself.at(step) for step in range(50)]
    for step in reversed(range(50)):
        tokens, labels = beside.at(step)
        assert torch.equal(tokens[1], straight[step][0][0])
        assert torch.equal(labels[1], straight[step][1][0])
        assert not torch.equal(tokens[0], tokens[1])


def test_every_step_draws_anew():
    stream = batches(TrainConfig(p=11, batch_size=4096))
    drawn = {tuple(stream.at(step)[1][0].tolist()) for step in range(20)}
    assert len(drawn) == 20


def test_training_pairs_are_drawn_uniformly_with_replacement():
    config = TrainConfig(p=5, train_fraction=0.8, batch_size=10_000)
    tokens, _ = batches(config).at(0)
    counts = torch.bincount(tokens[0] @ torch.tensor([5, 1]), minlength=25)
    counts = counts[make_data(config).train_index]
    # Twenty pairs, each binomial (10,000, 1/20): mean 500, standard deviation 21.8.
    assert counts.sum() == 10_000
    assert ((counts - 500).abs() < 5 * 21.8).all()
