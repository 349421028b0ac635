"""Moves of all chains that keep to the restrictions and to the bounding box."""

import torch
from torch import Tensor

from lambdascope.samplers.base import Target


def placed(target: Target, displacement: Tensor, box: float | None) -> Tensor:
    """The weights at a displacement from w* [chain, param], restricted and folded into the box.

    The displacement is restricted as a whole, as the older code does: the restrictions are linear,
    so restricting what is added would be the same, but here rounding can't add up and carry the
    chain out of its plane.
    """
    displacement = target.restrict(displacement)
    if box is not None:
        displacement, _ = folded(displacement, box)
    return target.w_star + displacement


def drifted(
    target: Target, w: Tensor, v: Tensor, time: Tensor | float, box: float | None
) -> tuple[Tensor, Tensor]:
    """Weights and velocities after moving freely for `time`, which broadcasts to [chain, param].

    Where an element meets a wall of the box its velocity is turned round. So the move keeps
    volumes and is its own inverse under v → −v, as without a box.
    """
    displacement = target.restrict((w - target.w_star) + time * v)
    if box is not None:
        displacement, sign = folded(displacement, box)
        v = v * sign
    return target.w_star + displacement, v


def folded(displacement: Tensor, box: float) -> tuple[Tensor, Tensor]:
    """Reflect each element at ±box, as often as it takes.

    Returns:
        The elements within [−box, box], and −1 where the direction is turned round, else 1.
    """
    along = torch.remainder(displacement + box, 4 * box)
    back = along > 2 * box
    inside = displacement.abs() <= box  # kept to the bit
    reflected = torch.where(back, 3 * box - along, along - box)
    sign = torch.where(back & ~inside, -1.0, 1.0).to(displacement.dtype)
    return torch.where(inside, displacement, reflected), sign
