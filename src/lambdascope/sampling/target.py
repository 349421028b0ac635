"""The posterior of a chunk of chains, as its kernel sees it: batched gradients and restrictions."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from lambdascope.samplers.base import Evaluation
from lambdascope.sampling.randomness import ChainNoise
from lambdascope.sampling.stack import ChainTensors, PosteriorStack


@dataclass(frozen=True)
class ChunkTarget:
    """Losses and gradients of all chains of a chunk, each on its own minibatch.

    Attributes:
        stack: What the chains have in common.
        chains: What they have each.
        batch: The minibatch tensors, [chain, batch, ...], or [sample, ...] where `shared_batch`.
        shared_batch: Whether all chains see the same batch (all data).
    """

    stack: PosteriorStack
    chains: ChainTensors
    batch: tuple[Tensor, ...]
    shared_batch: bool

    @classmethod
    def on_step(
        cls, stack: PosteriorStack, chains: ChainTensors, batch_size: int | None, noise: ChainNoise
    ) -> "ChunkTarget":
        """The target of one step: draws each chain's minibatch."""
        if batch_size is None or not stack.has_data:
            return cls(stack, chains, stack.full_batch(), shared_batch=True)
        index = noise.indices(batch_size, chains.num_samples) + chains.offset
        return cls(stack, chains, tuple(t[index] for t in stack.data), shared_batch=False)

    @property
    def w_star(self) -> Tensor:
        """[chain, param]."""
        return self.chains.w_star

    @property
    def num_free(self) -> Tensor:
        """[chain]."""
        return self.chains.num_free

    def evaluate(self, w: Tensor) -> Evaluation:
        """Mean loss of the minibatch and its gradients, at `w` [chain, param]."""
        chains = self.chains
        held_dims = {name: None if name in self.stack.shared_held else 0 for name in chains.held}
        gradient = grad_and_value(self._mean_loss)
        if len(w) == 1:
            # One chain needs no vmap, and so takes models that vmap can't.
            held = {
                n: tensor if held_dims[n] is None else tensor[0]
                for n, tensor in chains.held.items()
            }
            batch = self.batch if self.shared_batch else tuple(t[0] for t in self.batch)
            one_gradient, one_loss = gradient(w[0], held, batch)
            loss_gradient, loss = one_gradient[None], one_loss[None]
        else:
            dims = (0, held_dims, None if self.shared_batch else 0)
            loss_gradient, loss = vmap(gradient, in_dims=dims)(w, chains.held, self.batch)
        potential_gradient = chains.nbeta * (
            loss_gradient + chains.weight_decay * w
        ) + chains.localization * (w - chains.w_star)
        return Evaluation(loss, loss_gradient, potential_gradient)

    def restrict(self, displacement: Tensor) -> Tensor:
        """Zero outside the mask, no component along the normal."""
        if self.chains.mask is not None:
            displacement = displacement * self.chains.mask
        normal = self.chains.normal
        if normal is not None:
            along = (displacement * normal).sum(dim=1, keepdim=True)
            displacement = displacement - along * normal
        return displacement

    def _mean_loss(self, w: Tensor, held: dict[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        return self.stack.objective(w, held, self.stack.rebuild(batch)).mean()


def distances(w: Tensor, w_star: Tensor) -> tuple[Tensor, Tensor]:
    """‖w − w*‖ and ‖w‖ of each chain, both [chain], in parameter units."""
    return torch.linalg.vector_norm(w - w_star, dim=1), torch.linalg.vector_norm(w, dim=1)
