from itertools import pairwise

import numpy as np
import pytest
import torch

import lambdascope as ls
from lambdascope.toys import NETWORK_CLASSES, padded_networks, random_networks
from tests.problems import draw


def test_a_padded_network_is_the_network_in_its_corner():
    toys = padded_networks([((3, 5, 4), [3, 2]), ((6, 2), 1)], num_samples=50, seed=1)
    # Gauss elimination leaves nothing singular of the first: [M−a, H−a−b+r, N−b] = [0, 2, 2].
    assert toys[0].exact.llc == 3 * 4 / 2
    assert toys[1].exact.llc == 6 * 2 / 2
    posteriors = [toy.posterior(nbeta=10.0) for toy in toys]
    assert [p.num_free for p in posteriors] == [3 * 5 + 5 * 4, 6 * 2]
    assert all(p.initial_loss < 1e-10 for p in posteriors)
    rng = torch.Generator().manual_seed(0)
    for toy, posterior, widths in zip(toys, posteriors, [(3, 5, 4), (6, 2)], strict=True):
        move = 0.1 * torch.randn(posterior.num_parameters, generator=rng) * posterior.mask
        layers = posterior.layout.unravel(posterior.w_star + move)
        outputs = toy.data[0][:, : widths[0]]
        for i, (before, after) in enumerate(pairwise(widths)):
            outputs = outputs @ layers[f"layers.{i}"][:after, :before].T
        misses = outputs - toy.data[1][:, : widths[-1]]
        loss = 0.5 * (misses**2).sum(dim=1).mean().item()
        assert posterior.mean_loss(posterior.w_star + move) == pytest.approx(loss, rel=1e-4)


def test_networks_of_a_class_run_as_one_batch_and_stay_in_their_corners():
    toys = random_networks(NETWORK_CLASSES["1K"], 3, num_samples=100, seed=2)
    posteriors = [toy.posterior(nbeta=1e4, localization=1.0) for toy in toys]
    trace = draw(
        posteriors,
        ls.SGLD(step_size=1e-6, batch_size=10),
        num_steps=20,
        thinning=19,
        observables={"w": lambda p: torch.cat([p[name].reshape(-1) for name in sorted(p)])},
    )
    last = torch.tensor(trace["w"].values[:, 0, -1])
    for posterior, w in zip(posteriors, last, strict=True):
        moved = (w - posterior.w_star) != 0
        assert moved[posterior.mask].float().mean() > 0.99
        assert not moved[~posterior.mask].any()


def test_the_loss_is_curved_by_one_or_more_or_not_at_all():
    (toy,) = padded_networks([((4, 5, 3), [2, 3])], num_samples=4000)
    posterior = toy.posterior(nbeta=1.0)
    batch = posterior.samples.batch()
    slope = torch.func.grad(lambda w: posterior.objective(w, posterior.held, batch).mean())
    free = posterior.mask.nonzero()[:, 0]
    hessian = torch.func.jacrev(slope)(posterior.w_star)[free][:, free]
    values = torch.linalg.eigvalsh(hessian).numpy()
    curved = values[values > 1e-3]
    assert len(curved) == 2 * toy.exact.llc
    # Up to the scatter of the sample's second moments around the identity, some √(d/n).
    assert 0.85 < curved.min() <= curved.max() < 2.3
    assert np.abs(values[values <= 1e-3]).max() < 1e-4
