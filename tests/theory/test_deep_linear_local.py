from itertools import pairwise

import numpy as np
import pytest

import lambdascope as ls
from lambdascope.theory import deep_linear_network, deep_linear_network_at, reduced_rank_regression
from lambdascope.theory.deep_linear_local import generic_ranks
from tests.theory.codimension import twice_the_coefficient_at


def random_points(count, deepest=5, widest=6):
    """Widths, layers of random rank, and the ranks of all their products, measured."""
    rng = np.random.default_rng(2)
    for _ in range(count):
        widths = rng.integers(1, widest + 1, size=rng.integers(2, deepest + 1)).tolist()
        own = [int(rng.integers(0, min(pair) + 1)) for pair in pairwise(widths)]
        layers = [
            rng.normal(size=(b, rank)) @ rng.normal(size=(rank, a))
            for a, b, rank in zip(widths, widths[1:], own, strict=False)
        ]
        yield widths, own, layers


def measured_ranks(widths, layers):
    ranks = np.zeros((len(widths), len(widths)), dtype=int)
    for i in range(len(layers)):
        running = np.eye(widths[i])
        for j in range(i, len(layers)):
            running = layers[j] @ running
            ranks[i, j + 1] = np.linalg.matrix_rank(running)
    return ranks


def degenerate_points(count):
    """Layers of zeros and ones whose products lose rank beyond the layers' own."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        widths = rng.integers(1, 6, size=rng.integers(3, 6)).tolist()
        layers = []
        for a, b in pairwise(widths):
            layer, few = np.zeros((b, a)), int(rng.integers(0, min(a, b) + 1))
            layer[rng.permutation(b)[:few], rng.permutation(a)[:few]] = 1
            layers.append(layer)
        yield widths, layers


def differential_rank(layers):
    """Rank of the differential of the product, layer by layer, by the singular values."""
    columns = []
    for which, layer in enumerate(layers):
        before, after = np.eye(layers[0].shape[1]), np.eye(layer.shape[0])
        for one in layers[:which]:
            before = one @ before
        for one in layers[which + 1 :]:
            after = one @ after
        columns.append(np.kron(after, before.T))
    return np.linalg.matrix_rank(np.concatenate(columns, axis=1))


def test_ranks_of_random_layers_are_the_generic_ones():
    for widths, own, layers in random_points(200):
        upper = np.triu_indices(len(widths), 1)
        assert (measured_ranks(widths, layers) == generic_ranks(widths, own))[upper].all()


def test_agrees_with_trying_all_strata():
    points = [(w, layers) for w, _, layers in random_points(150)] + list(degenerate_points(250))
    for widths, layers in points:
        ranks = measured_ranks(widths, layers)
        assert 2 * deep_linear_network_at(widths, ranks).llc == twice_the_coefficient_at(
            widths, ranks
        )


def test_transposing_the_network_changes_nothing():
    # The strata are defined from the input's side, so this tests their closure relations.
    for widths, layers in degenerate_points(250):
        transposed = [layer.T for layer in layers[::-1]]
        one = deep_linear_network_at(widths, measured_ranks(widths, layers))
        other = deep_linear_network_at(widths[::-1], measured_ranks(widths[::-1], transposed))
        assert one.llc == other.llc


def test_lies_between_the_differential_and_the_most_singular_point():
    kinds = set()
    for widths, layers in degenerate_points(300):
        ranks = measured_ranks(widths, layers)
        found, slope = deep_linear_network_at(widths, ranks), differential_rank(layers)
        assert 2 * found.llc >= slope
        assert found.llc >= deep_linear_network(widths, int(ranks[0, -1])).llc
        assert ("smooth" in found.source) == (2 * found.llc == slope)
        kinds.add(found.source)
    assert len(kinds) == 3


def test_two_layers_reduce_to_the_part_that_gauss_elimination_leaves():
    # B A near (B*, A*) of ranks b and a: the image of the differential is eliminated, and a product
    # of [N−b, H−a−b+r] and [H−a−b+r, M−a] matrices around zero remains.
    for m, h, n in [(6, 4, 6), (5, 5, 5), (3, 6, 4), (6, 3, 2)]:
        for a in range(min(m, h) + 1):
            for b in range(min(h, n) + 1):
                r = max(0, a + b - h)
                for rank in range(r, min(a, b) + 1):
                    ranks = np.array([[0, a, rank], [0, 0, b], [0, 0, 0]])
                    left = m - a, h - a - b + rank, n - b
                    rest = reduced_rank_regression(*left, 0).llc if min(left) > 0 else 0
                    expected = (m * n - left[0] * left[2]) / 2 + rest
                    assert deep_linear_network_at([m, h, n], ranks).llc == expected


def test_at_zero_it_is_the_coefficient_of_the_model():
    for widths in ([3, 4, 2], [2, 2, 2, 2], [5, 3, 5], [4, 4, 4, 4, 4]):
        ranks = np.zeros((len(widths), len(widths)), dtype=int)
        found, everywhere = deep_linear_network_at(widths, ranks), deep_linear_network(widths, 0)
        assert (found.llc, found.multiplicity) == (everywhere.llc, everywhere.multiplicity)


def test_impossible_points_are_refused():
    with pytest.raises(ls.LambdascopeError, match=r"ranks has shape \[2, 2\]: \[3, 3\]"):
        deep_linear_network_at([2, 2, 2], np.zeros((2, 2), dtype=int))
    with pytest.raises(ls.LambdascopeError, match=r"ranks\[0, 1\]=3: an integer ≥ 0 and ≤ 2"):
        deep_linear_network_at([2, 4], np.array([[0, 3], [0, 0]]))
    with pytest.raises(ls.LambdascopeError, match=r"layer_ranks=\[1\]: 2 ranks, one a layer"):
        generic_ranks([2, 2, 2], [1])
    with pytest.raises(ls.LambdascopeError, match=r"layer_ranks\[1\]=3: an integer ≥ 0 and ≤ 2"):
        generic_ranks([2, 3, 2], [2, 3])
