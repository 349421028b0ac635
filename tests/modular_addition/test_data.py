import hashlib

import pytest
import torch

from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import label_table, make_data


@pytest.mark.parametrize("p", [2, 4, 53])
def test_addition_over_all_pairs(p):
    data = make_data(TrainConfig(p=p, train_fraction=0.75))
    assert data.inputs.shape == (p * p, 2)
    assert data.inputs.dtype == data.targets.dtype == torch.int64
    for row, (a, b) in enumerate(data.inputs.tolist()):
        assert row == a * p + b
        assert data.targets[row] == (a + b) % p


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.95, 1.0])
def test_the_split_is_a_partition(fraction):
    data = make_data(TrainConfig(p=53, train_fraction=fraction))
    assert len(data.train_index) == int(fraction * 53 * 53)
    both = torch.cat([data.train_index, data.test_index])
    assert torch.equal(both.sort().values, torch.arange(53 * 53))
    inputs, targets = data.train
    assert torch.equal(inputs.sum(1) % 53, targets)
    assert [len(part) for part in data.test] == [len(data.test_index)] * 2


def test_the_split_belongs_to_the_data_seed():
    def split(**seeds):
        return make_data(TrainConfig(p=11, train_fraction=0.5, **seeds)).train_index.tolist()

    assert split(seed=3) == split(seed=3) == split(seed=5, data_seed=3)
    assert split(seed=3) != split(seed=4)


def test_every_pair_is_as_likely_to_be_trained_on():
    counts = torch.zeros(25)
    for seed in range(2000):
        counts[make_data(TrainConfig(p=5, train_fraction=0.4, seed=seed)).train_index] += 1
    # Each count is binomial (2000, 0.4) with standard deviation 21.9; five of them cover 25 draws.
    assert ((counts - 800).abs() < 5 * 21.9).all()


@pytest.mark.parametrize("p", [2, 7, 53])
def test_random_labels_are_the_stated_hash(p):
    labels = label_table(p, "random", 12)
    a, b = p - 1, 1
    digest = hashlib.sha256(str(12).encode() + str(2 * a * p + b).encode()).hexdigest()
    assert labels[a, b] == int(digest, 16) % p
    assert labels.shape == (p, p)


def test_random_labels_to_the_number():
    # From `printf 02 | sha256sum` and its like, taken mod 53: seed 0 with v = 0, 1, 2 …
    assert label_table(53, "random", 0)[0, :3].tolist() == [38, 14, 12]
    # … and `printf 1641 | sha256sum`: seed 1, v = 2·2·3·53 + 2 + 3.
    assert label_table(53, "commutative_random", 1)[2, 3] == 47


def test_commutative_labels_are_symmetric_and_plain_ones_are_not():
    commutative = label_table(53, "commutative_random", 3)
    assert torch.equal(commutative, commutative.T)
    plain = label_table(53, "random", 3)
    assert not torch.equal(plain, plain.T)
    # A fair share of every label: 2,809 pairs over 53 labels is 53 ± 7.2 each.
    assert (torch.bincount(plain.reshape(-1), minlength=53) - 53).abs().max() < 36


def test_labels_depend_on_the_seed():
    assert not torch.equal(label_table(11, "random", 0), label_table(11, "random", 1))
