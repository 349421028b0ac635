from itertools import pairwise

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.theory import deep_linear_network, reduced_rank_regression
from lambdascope.toys import NETWORK_CLASSES, deep_linear, reduced_rank


def ranks_of(toy):
    """Rank of every product of consecutive layers, measured."""
    layers = [layer.detach().double().numpy() for layer in toy.module.layers]
    ranks = {}
    for i in range(len(layers)):
        running = np.eye(layers[i].shape[1])
        for j in range(i, len(layers)):
            running = layers[j] @ running
            ranks[i, j + 1] = np.linalg.matrix_rank(running, rtol=1e-9)
    return ranks


def test_layers_drawn_independently_have_the_ranks_asked_for():
    toy = deep_linear((6, 8, 5, 7), layer_ranks=(3, 5, 4), dtype=torch.float64)
    assert ranks_of(toy) == {(0, 1): 3, (1, 2): 5, (2, 3): 4, (0, 2): 3, (1, 3): 4, (0, 3): 3}
    assert toy.model == deep_linear_network((6, 8, 5, 7), 3)
    assert toy.exact.llc >= toy.model.llc


def test_with_one_rank_the_point_is_the_most_singular_one():
    toy = deep_linear((6, 8, 5, 7), rank=2, dtype=torch.float64)
    assert set(ranks_of(toy).values()) == {2}
    assert (toy.exact.llc, toy.exact.multiplicity) == (toy.model.llc, toy.model.multiplicity)


@pytest.mark.parametrize("sizes", [(5, 3, 5, 1), (2, 2, 7, 1), (7, 2, 2, 1), (3, 8, 4, 3)])
def test_reduced_rank_over_the_four_cases(sizes):
    toy = reduced_rank(*sizes)
    assert toy.exact.llc == reduced_rank_regression(*sizes).llc


def test_the_teacher_is_where_the_loss_is_that_of_the_noise():
    silent = deep_linear((4, 6, 3), layer_ranks=(4, 3), num_samples=500, seed=3)
    assert silent.posterior().initial_loss < 1e-12
    noisy = deep_linear(
        (4, 6, 3), layer_ranks=(4, 3), num_samples=4000, noise_std=0.5, loss_std=0.5, seed=3
    )
    # ½ a squared normal for each output: 3/2 ± √(3/2)/√n.
    assert noisy.posterior().initial_loss == pytest.approx(1.5, abs=4 * np.sqrt(1.5 / 4000))
    again = deep_linear((4, 6, 3), layer_ranks=(4, 3), num_samples=500, seed=3)
    assert torch.equal(silent.data[0], again.data[0])


def test_the_curvature_has_as_many_directions_as_the_exact_answer_says():
    # Where the fibre is smooth, 2λ directions are curved and the others are exactly flat.
    toy = deep_linear((4, 5, 3), layer_ranks=(2, 3), num_samples=200, dtype=torch.float64)
    assert "smooth" in toy.exact.source
    posterior = toy.posterior()
    batch = posterior.samples.batch()
    slope = torch.func.grad(lambda w: posterior.objective(w, posterior.held, batch).mean())
    values = torch.linalg.eigvalsh(torch.func.jacrev(slope)(posterior.w_star))
    assert int((values > 1e-9).sum()) == 2 * toy.exact.llc
    assert values.min() > -1e-9


def test_classes_are_within_their_ranges():
    rng = np.random.default_rng(0)
    for kind in NETWORK_CLASSES.values():
        reduced = total = 0
        for _ in range(300):
            widths, ranks = kind.draw(rng)
            assert kind.layers[0] <= len(ranks) == len(widths) - 1 <= kind.layers[1]
            assert kind.widths[0] <= min(widths) <= max(widths) <= kind.widths[1]
            full = [min(pair) for pair in pairwise(widths)]
            assert all(0 <= r <= f for r, f in zip(ranks, full, strict=True))
            reduced += sum(r < f for r, f in zip(ranks, full, strict=True))
            total += len(ranks)
        # Half of the layers, less those whose uniform rank happens to be the full one.
        assert 0.38 < reduced / total < 0.54


def test_bad_input():
    with pytest.raises(ls.LambdascopeError, match="rank=None with layer_ranks=None: exactly one"):
        deep_linear((3, 3))
    with pytest.raises(ls.LambdascopeError, match=r"rank=1 with layer_ranks=\[1\]: exactly one"):
        deep_linear((3, 3), rank=1, layer_ranks=[1])
    with pytest.raises(ls.LambdascopeError, match="rank=4: an integer ≥ 0 and ≤ 3"):
        deep_linear((3, 5), rank=4)
    with pytest.raises(ls.LambdascopeError, match="num_samples=0: an integer ≥ 1"):
        deep_linear((3, 3), rank=1, num_samples=0)
    with pytest.raises(ls.LambdascopeError, match="noise_std=-1: a finite number ≥ 0"):
        reduced_rank(3, 3, 3, 1, noise_std=-1)
    with pytest.raises(ls.LambdascopeError, match="loss_std=0: a positive finite number"):
        reduced_rank(3, 3, 3, 1, loss_std=0)
