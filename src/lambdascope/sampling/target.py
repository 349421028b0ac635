"""The posterior of a chunk of chains, as its kernel sees it: batched gradients and restrictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from lambdascope.samplers.base import Evaluation, Kernel
from lambdascope.sampling.randomness import ChainNoise
from lambdascope.sampling.stack import ChainTensors, PosteriorStack


@dataclass(frozen=True)
class ChunkTarget:
    """Losses and gradients of all chains of a chunk, each on its own minibatch.

    Attributes:
        stack: What the chains have in common.
        chains: What they have each.
        batches: The minibatch in parts that are evaluated one after the other, each the tensors
            [chain, batch, ...], or [sample, ...] where `shared_batch`.
        shared_batch: Whether all chains see the same batch (all data).
    """

    stack: PosteriorStack
    chains: ChainTensors
    batches: Sequence[tuple[Tensor, ...]]
    shared_batch: bool

    @classmethod
    def on_step(
        cls, stack: PosteriorStack, chains: ChainTensors, kernel: Kernel, noise: ChainNoise
    ) -> "ChunkTarget":
        """The target of one step of `kernel`: draws each chain's minibatch."""
        batch_size, part = kernel.batch_size, kernel.microbatch_size
        if not stack.has_data:
            return cls(stack, chains, [()], shared_batch=True)
        if batch_size is None:
            whole = stack.full_batch()
            pieces = [t.split(part or len(t)) for t in whole]
            return cls(stack, chains, list(zip(*pieces, strict=True)), shared_batch=True)
        index = noise.indices(batch_size, chains.num_samples) + chains.offset
        parts = index.split(part or batch_size, dim=1)
        batches = [tuple(t[one] for t in stack.data) for one in parts]
        return cls(stack, chains, batches, shared_batch=False)

    @property
    def w_star(self) -> Tensor:
        """[chain, param]."""
        return self.chains.w_star

    @property
    def num_free(self) -> Tensor:
        """[chain]."""
        return self.chains.num_free

    @property
    def step_factor(self) -> Tensor | None:
        """[chain, 1], or None."""
        return self.chains.step_factor

    def evaluate(self, w: Tensor) -> Evaluation:
        """Mean loss of the minibatch and its gradients, at `w` [chain, param]."""
        loss, loss_gradient = self._of_part(w, self.batches[0])
        if len(self.batches) > 1:
            sizes = [one[0].shape[0 if self.shared_batch else 1] for one in self.batches]
            shares = [size / sum(sizes) for size in sizes]
            loss, loss_gradient = shares[0] * loss, shares[0] * loss_gradient
            for share, batch in zip(shares[1:], self.batches[1:], strict=True):
                part_loss, part_gradient = self._of_part(w, batch)
                loss = loss + share * part_loss
                loss_gradient = loss_gradient + share * part_gradient
        chains = self.chains
        potential_gradient = chains.nbeta * (
            loss_gradient + chains.weight_decay * w
        ) + chains.localization * (w - chains.w_star)
        return Evaluation(loss, loss_gradient, potential_gradient)

    def potential(self, w: Tensor, loss: Tensor) -> Tensor:
        """U [chain], in float64: differences of U decide, and U grows with the parameters."""
        chains = self.chains
        decay = chains.weight_decay[:, 0] / 2 * _squares(w)
        pull = chains.localization[:, 0] / 2 * _squares(w - chains.w_star)
        return chains.nbeta[:, 0].double() * (loss + decay) + pull

    def restrict(self, displacement: Tensor) -> Tensor:
        """Zero outside the mask, no component along the normal."""
        if self.chains.mask is not None:
            displacement = displacement * self.chains.mask
        normal = self.chains.normal
        if normal is not None:
            along = (displacement * normal).sum(dim=1, keepdim=True)
            displacement = displacement - along * normal
        return displacement

    def _of_part(self, w: Tensor, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Mean loss [chain] and its gradient [chain, param], on one part of the minibatch."""
        chains = self.chains
        held_dims = {name: None if name in self.stack.shared_held else 0 for name in chains.held}
        gradient = grad_and_value(self._mean_loss)
        if len(w) == 1:
            # One chain needs no vmap, and so takes models that vmap can't.
            held = {
                n: tensor if held_dims[n] is None else tensor[0]
                for n, tensor in chains.held.items()
            }
            batch = batch if self.shared_batch else tuple(t[0] for t in batch)
            one_gradient, one_loss = gradient(w[0], held, batch)
            return one_loss[None], one_gradient[None]
        dims = (0, held_dims, None if self.shared_batch else 0)
        loss_gradient, loss = vmap(gradient, in_dims=dims)(w, chains.held, batch)
        return loss, loss_gradient

    def _mean_loss(self, w: Tensor, held: dict[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        return self.stack.objective(w, held, self.stack.rebuild(batch)).mean()


def _squares(x: Tensor) -> Tensor:
    """‖x‖² of each chain, [chain], summed in float64."""
    return (x * x).sum(dim=1, dtype=torch.float64)


def distances(w: Tensor, w_star: Tensor) -> tuple[Tensor, Tensor]:
    """‖w − w*‖ and ‖w‖ of each chain, both [chain], in parameter units."""
    return torch.linalg.vector_norm(w - w_star, dim=1), torch.linalg.vector_norm(w, dim=1)
