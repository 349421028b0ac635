"""SGLD once more: one chain at a time, with plain modules and plain autograd, in float64."""

import math

import torch
from torch.nn import functional

from lambdascope.sampling.randomness import ChainNoise, chain_keys


def reference_chain(
    model, data, *, names, label, chain, seed, steps, step_size, batch_size, nbeta,
    localization, weight_decay, masks=None, across_gradient=False,
):  # fmt: skip
    """Losses [step] and weights [step, param], before each step, of the parameters in `names`."""
    inputs, targets = data
    moving = [model.get_parameter(name) for name in names]
    key = chain_keys(seed, [(label, chain)])
    flat = lambda tensors: torch.cat([t.detach().reshape(-1) for t in tensors])  # noqa: E731

    def gradient(index):
        model.zero_grad()
        loss = functional.cross_entropy(model(inputs[index]), targets[index])
        loss.backward()
        return loss.item(), flat([parameter.grad for parameter in moving])

    start = flat(moving)
    mask = torch.ones_like(start)
    if masks is not None:
        mask = flat([masks.get(n, torch.zeros_like(p)) for n, p in zip(names, moving, strict=True)])
    normal = torch.zeros_like(start)
    if across_gradient:
        normal = gradient(slice(None))[1] * mask
        normal /= normal.norm()
    losses, path = [], []
    for step in range(steps):
        noise = ChainNoise(key, torch.tensor(step, dtype=torch.int32), torch.float64)
        index = noise.indices(batch_size, torch.tensor([[len(targets)]]))[0]
        loss, slope = gradient(index)
        w = flat(moving)
        losses.append(loss)
        path.append(w)
        force = nbeta * (slope + weight_decay * w) + localization * (w - start)
        w = w - step_size / 2 * force + math.sqrt(step_size) * noise.normal(len(w))[0]
        away = (w - start) * mask
        w = start + away - (away @ normal) * normal
        torch.nn.utils.vector_to_parameters(w, moving)
    return torch.tensor(losses, dtype=torch.float64), torch.stack(path)
