"""Known answers, distributions and independence of the counter-based streams."""

import hashlib
import itertools
import struct

import numpy as np
import pytest
import torch
from scipy import stats

from lambdascope.sampling.randomness import (
    ChainNoise,
    chain_key,
    chain_keys,
    threefry,
)

# `kat_vectors` of Random123 1.14 (Salmon et al. 2011), threefry4x32 with 20 rounds.
KNOWN = [
    ("00000000 " * 4, "00000000 " * 4, "9c6ca96a e17eae66 fc10ecd4 5256a7d8"),
    ("ffffffff " * 4, "ffffffff " * 4, "2a881696 57012287 f6c7446e a16a6732"),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0 082efa98 ec4e6c89",
        "59cd1dbb b8879579 86b5d00c ac8b6d84",
    ),
]


def words(text):
    """Hexadecimal words as int32 tensors of shape [1]."""
    unsigned = np.array([int(word, 16) for word in text.split()], dtype=np.uint32)
    return list(torch.from_numpy(unsigned.view(np.int32)).split(1))


def noise(chains=1, step=0, seed=0, dtype=torch.float32, first=0):
    keys = chain_keys(seed, [(0, first + chain) for chain in range(chains)])
    return ChainNoise(keys, torch.tensor(step, dtype=torch.int32), dtype)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_threefry_gives_the_known_answers(counter, key, answer):
    got = threefry(words(key), words(counter), rounds=20)
    assert torch.equal(torch.cat(got), torch.cat(words(answer)))


@pytest.mark.parametrize("rounds", [1, 4, 5, 12, 13, 20])
def test_threefry_follows_a_plain_implementation_for_any_number_of_rounds(rounds):
    _, key, _ = KNOWN[2]
    counter = "00000007 ffffffff 80000000 7fffffff"
    expected = plain_threefry(
        [int(word, 16) for word in key.split()], [int(word, 16) for word in counter.split()], rounds
    )
    got = threefry(words(key), words(counter), rounds=rounds)
    assert [int(word) & 0xFFFFFFFF for word in got] == expected


def plain_threefry(key, counter, rounds):
    """Integers, one word at a time, after the pseudo-code of Salmon et al., section 2."""
    rotations = [(10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20)]
    schedule = [*key, key[0] ^ key[1] ^ key[2] ^ key[3] ^ 0x1BD11BDA]
    x = [(word + k) % 2**32 for word, k in zip(counter, schedule, strict=False)]

    def mix(a, b, bits):
        x[a] = (x[a] + x[b]) % 2**32
        x[b] = ((x[b] << bits) | (x[b] >> (32 - bits))) % 2**32 ^ x[a]

    for index in range(rounds):
        near, far = ((0, 1), (2, 3)) if index % 2 == 0 else ((0, 3), (2, 1))
        mix(*near, rotations[index % 8][0])
        mix(*far, rotations[index % 8][1])
        if index % 4 == 3:
            turn = index // 4 + 1
            x = [(word + schedule[(turn + i) % 5]) % 2**32 for i, word in enumerate(x)]
            x[3] = (x[3] + turn) % 2**32
    return x


def test_threefry_broadcasts():
    keys = [torch.arange(3, dtype=torch.int32)[:, None] + word for word in range(4)]
    position = torch.arange(5, dtype=torch.int32)[None]
    zero = torch.zeros_like(position)
    many = threefry(keys, (position, zero, zero, zero))
    assert all(word.shape == (3, 5) and word.dtype == torch.int32 for word in many)
    one = threefry([k[2] for k in keys], [position[0, 4:], zero[0, :1], zero[0, :1], zero[0, :1]])
    assert [int(word[2, 4]) for word in many] == [int(word) for word in one]


def test_every_flipped_bit_flips_half_of_the_output():
    zeros = [torch.zeros(1, dtype=torch.int32)] * 4
    start = torch.cat(threefry(zeros, zeros))
    changed = []
    for which, word, bit in itertools.product(range(2), range(4), range(32)):
        inputs = [list(zeros), list(zeros)]
        inputs[which][word] = torch.tensor([1 << bit if bit < 31 else -(1 << 31)]).int()
        difference = torch.cat(threefry(*inputs)) ^ start
        changed.append(sum(bin(int(d) & 0xFFFFFFFF).count("1") for d in difference))
    changed = np.array(changed)  # binomial(128, ½) each: 64 ± 5.7
    assert 36 < changed.min() < changed.max() < 92
    assert abs(changed.mean() - 64) < 4 * 5.66 / 16


def test_keys_are_told_apart_by_each_of_their_numbers():
    numbers = [0, 1, -1, 10, 2**31, 2**70]
    keys = {tuple(chain_key(*three)) for three in itertools.product(numbers, repeat=3)}
    assert len(keys) == len(numbers) ** 3
    assert all(-(2**31) <= word < 2**31 for key in keys for word in key)


def test_keys_stay_what_they_are():
    # Traces that were begun with an older version are resumed on these.
    digest = hashlib.sha256(b"lambdascope 0 5 -3").digest()
    assert chain_key(0, 5, -3) == list(struct.unpack("<4i", digest[:16]))


# --- normals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_moments_of_normals(dtype):
    x = noise(50, dtype=dtype).normal(40_000).double().numpy().ravel()
    n = x.size
    # Standard errors of the first four moments of a normal: √(E x²ᵏ − (E xᵏ)²) / √n.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - moment) < 4 * np.sqrt(variance / n)
    assert np.abs(x).max() < 6.7
    assert np.isfinite(x).all()


def test_normals_pass_kolmogorov_smirnov_chain_by_chain():
    x = noise(60).normal(5_000).double().numpy()
    p = np.array([stats.kstest(one, "norm").pvalue for one in x])
    assert p.min() > 1e-4
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_each_of_the_four_words_makes_normals():
    # The four pieces of Box and Muller lie one after the other.
    x = noise(1).normal(40_000).double().numpy().reshape(4, -1)
    for piece in x:
        assert stats.kstest(piece, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(x) - np.eye(4)).max() < 4 / np.sqrt(10_000)
    # cos and sin of one angle are uncorrelated but share their radius: squares must be too.
    assert np.abs(np.corrcoef(x**2) - np.eye(4)).max() < 4 / np.sqrt(10_000)


def test_tails_of_normals():
    x = noise(50, seed=5).normal(40_000).double().numpy().ravel()
    for level in (2.0, 3.0, 4.0):
        expected = x.size * stats.norm.sf(level)
        for beyond in ((x > level).sum(), (x < -level).sum()):
            assert abs(beyond - expected) < 4 * np.sqrt(expected)


STREAMS = {
    "steps": lambda: [noise(step=step).normal(20_000) for step in range(8)],
    "chains": lambda: list(noise(8).normal(20_000)[:, None]),
    "purposes": lambda: [noise().normal(20_000, purpose) for purpose in range(8)],
    "seeds": lambda: [noise(seed=seed).normal(20_000) for seed in range(8)],
    "checkpoints": lambda: [
        ChainNoise(chain_keys(0, [(label, 0)]), torch.tensor(0).int(), torch.float32).normal(20_000)
        for label in range(8)
    ],
}


@pytest.mark.parametrize("what", STREAMS)
@pytest.mark.parametrize("shift", [0, 1])
def test_normals_of_different_streams_do_not_correlate(what, shift):
    x = torch.cat(STREAMS[what]()).double().numpy()
    assert len(np.unique(x[:, 0])) == 8
    x[::2] = np.roll(x[::2], shift, axis=1)
    bound = 4.5 / np.sqrt(x.shape[1])
    for form in (x, x**2, np.abs(x) * np.roll(x, 1, axis=1)):
        assert np.abs(np.corrcoef(form) - np.eye(8)).max() < bound


def test_positions_of_one_stream_do_not_correlate():
    x = noise().normal(100_000).double().numpy()[0]
    for lag in (1, 2, 3, 4, 25_000, 50_000):
        assert abs((x[lag:] * x[:-lag]).mean()) < 4 / np.sqrt(x.size - lag)


def test_a_chains_numbers_do_not_depend_on_its_neighbours():
    many, alone = noise(7, step=3), noise(1, step=3, first=4)
    assert torch.equal(many.normal(33)[4], alone.normal(33)[0])
    assert torch.equal(many.uniform(33)[4], alone.uniform(33)[0])
    upper = torch.full((7, 1), 1000)
    assert torch.equal(many.indices(33, upper)[4], alone.indices(33, upper[:1])[0])


def test_the_same_call_gives_the_same_numbers():
    source = noise(3, step=9)
    assert torch.equal(source.normal(10), source.normal(10))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 4429])
def test_any_size(size):
    source = noise(3)
    assert source.normal(size).shape == source.uniform(size).shape == (3, size)
    assert source.indices(size, torch.full((3, 1), 9)).shape == (3, size)


# --- uniforms and indices ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniforms_lie_inside_the_open_interval(dtype):
    x = noise(50, dtype=dtype).uniform(40_000)
    assert x.min() > 0
    assert x.max() < 1
    assert stats.kstest(x.double().numpy().ravel()[:200_000], "uniform").pvalue > 1e-3


def test_the_extreme_words_stay_inside_the_open_interval(monkeypatch):
    extremes = torch.tensor([[0, -1, 0x7FFFFFFF, -(2**31)]], dtype=torch.int32)
    for dtype in (torch.float32, torch.float64):
        source = noise(dtype=dtype)
        monkeypatch.setattr(ChainNoise, "_words", lambda self, size, stream: [extremes] * 4)
        uniform = source.uniform(16)
        assert uniform.min() > 0
        assert uniform.max() < 1
        assert (uniform + uniform.flip(1)).sum() == 16  # symmetric about ½
        assert torch.isfinite(source.normal(16)).all()


@pytest.mark.parametrize("upper", [1, 2, 7, 64, 2668])
def test_indices_are_uniform_and_in_range(upper):
    draws = noise(4, step=11).indices(50_000, torch.full((4, 1), upper)).numpy()
    assert draws.dtype == np.int64
    assert draws.min() >= 0
    assert draws.max() < upper
    if upper > 1:
        for chain in draws:
            assert stats.chisquare(np.bincount(chain, minlength=upper)).pvalue > 1e-4


def test_each_chain_draws_from_its_own_range():
    upper = torch.tensor([[1], [3], [2**31 - 1], [2**31]])
    draws = noise(4).indices(4000, upper)
    assert (draws < upper).all()
    assert draws.min() == 0 == draws[0].max()
    assert draws[1].unique().tolist() == [0, 1, 2]
    assert draws[2].double().mean() / 2**31 == pytest.approx(0.5, abs=4 * 0.29 / 63)


def test_indices_repeat_as_draws_with_replacement_do():
    draws = noise().indices(1000, torch.tensor([[1000]]))
    # E = n(1 − 1/e), standard deviation √(n(1/e − 2/e²)): 632 ± 9.9.
    assert abs(len(draws.unique()) - 632) < 4 * 9.9


def test_normals_uniforms_and_indices_are_independent():
    source, n = noise(step=2), 100_000
    streams = {
        "normal": source.normal(n),
        "normal 1": source.normal(n, purpose=1),
        "uniform": source.uniform(n),
        "uniform 1": source.uniform(n, purpose=1),
        "indices": source.indices(n, torch.tensor([[10_000]])),
    }
    x = torch.cat([values.double() for values in streams.values()]).numpy()
    assert np.abs(np.corrcoef(x) - np.eye(5)).max() < 4.5 / np.sqrt(n)
    # Beyond correlation: deciles of each pair fill a table evenly.
    ranks = (stats.rankdata(x, axis=1) - 1) * 10 // n
    for one, other in itertools.combinations(ranks.astype(int), 2):
        table = np.bincount(10 * one + other, minlength=100)
        assert stats.chisquare(table).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_purposes_are_numbered_from_0(kind):
    # A negative one would reach into the stream of the minibatches.
    with pytest.raises(AssertionError, match="purposes are numbered from 0"):
        getattr(noise(), kind)(4, purpose=-1)
