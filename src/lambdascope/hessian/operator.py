"""The Hessian as a linear map: products with vectors, without ever forming the matrix.

    H v = ∇_w ( ∇L(w) · v )

Source: Pearlmutter 1994, "Fast exact multiplication by the Hessian".
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.local_posterior import LocalPosterior

# Samples in one graph. The graph of the gradient is kept from product to product if all samples fit
# into one; otherwise each call builds them anew, one after the other.
_SAMPLES_A_GRAPH = 8192
# Samples that keep a thread busy. The parts follow from the data alone, so the bits of a product do
# not depend on how many cores there are.
_SAMPLES_A_PART, _MOST_PARTS = 1024, 8
# Parameters times samples of a part, up to which its kernels are too short for threads of their
# own.
_SHORT = 2**25
# Between two gradients that are compared with a product, relative to the weights.
_DIFFERENCE = 1e-7


class HessianOperator:
    """The Hessian of L_n(w) + (wd/2)·‖w‖² at w*, on all data, in the directions that may move.

    Restrictions of the posterior hold here too: frozen and unselected parameters have no direction,
    masked elements neither; with `OrthogonalToGradient` the map is P·H·P, P the projection onto the
    hyperplane, so that one eigenvalue is zero by construction. nβ and γ play no part; wd is the
    posterior's.

    Args:
        posterior: Weights, data, loss, restrictions.
        dtype: Floating-point type of the products. In float32 an eigenvalue is known to some
            1e-6 of the largest one only.
        num_threads: Threads that share the parts of the data (default: as many as PyTorch's own).
        on_product: Called with the number of products done, for progress bars.

    Attributes:
        size: d, the number of directions.
        dtype: Of the products.
        device: Where they are computed.

    Raises:
        LambdascopeError: if the loss can't be differentiated twice, or not in this type. An
            operation whose second derivative is silently wrong is found in float64 only, where
            gradients are exact enough to hold a product against their difference.
    """

    def __init__(
        self,
        posterior: LocalPosterior,
        *,
        dtype: torch.dtype = torch.float64,
        num_threads: int | None = None,
        on_product: Callable[[int], None] | None = None,
    ) -> None:
        self._objective, self._samples = posterior.objective, posterior.samples
        self._weight_decay = posterior.weight_decay
        self._on_product = on_product or (lambda _: None)
        self.dtype, self.device = dtype, posterior.w_star.device
        self._w = posterior.w_star.to(dtype).requires_grad_()
        self._held = {name: _cast(tensor, dtype) for name, tensor in posterior.held.items()}
        self._tensors = [_cast(tensor, dtype) for tensor in self._samples.tensors]
        self._free = None if posterior.mask is None else posterior.mask.nonzero()[:, 0]
        self.size = self._w.numel() if self._free is None else self._free.numel()
        self._normal = None if posterior.normal is None else posterior.normal.to(dtype)
        self._num_threads = num_threads or torch.get_num_threads()
        self._kept: list[Tensor] | None = None
        if self._samples.num_samples <= _SAMPLES_A_GRAPH:
            self._kept = list(self._gradients(self._w))
        if dtype == torch.float64:
            self._check_against_differences()

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """H applied to each of `vectors` [vector, d]; the same shape."""
        full = self._project(self._expand(vectors))
        product = self._project(self._products(full) + self._weight_decay * full)
        return product if self._free is None else product[:, self._free]

    @property
    def is_fastest_on_one_thread(self) -> bool:
        """Whether PyTorch's kernels should keep to one thread while products are computed.

        Threads of this operator's own share out the data, or the kernels are so short that threads
        within them would wait for each other. It follows from the sizes alone.
        """
        if self.device.type != "cpu" or self._kept is None:
            return False
        samples = max(1, self._samples.num_samples) / len(self._kept)
        shared = len(self._kept) > 1 and self._num_threads > 1
        return shared or self._w.numel() * samples <= _SHORT

    def dense(self) -> Tensor:
        """The matrix itself, [d, d], symmetric."""
        rows = torch.eye(self.size, dtype=self.dtype, device=self.device)
        matrix = self @ rows
        return (matrix + matrix.T) / 2

    def _products(self, vectors: Tensor) -> Tensor:
        """∇²L_n times each of `vectors` [vector, param]."""
        total = torch.zeros_like(vectors)
        if self._kept is None:
            for gradient in self._gradients(self._w):
                for row, vector in enumerate(vectors):
                    total[row] += self._backward(gradient, vector)
            self._on_product(len(vectors))
            return total
        # One by one: the networks studied fill the processor with one vector, and several in one
        # vmapped pass took a third longer.
        for row, vector in enumerate(vectors):
            for part in self._parts(vector):
                total[row] += part
            self._on_product(1)
        return total

    def _parts(self, vector: Tensor) -> Iterator[Tensor]:
        """Each kept gradient's share of a product, in order; several at once where that helps."""
        assert self._kept is not None
        vectors = [vector] * len(self._kept)
        if len(self._kept) == 1 or self._num_threads == 1:
            return map(self._backward, self._kept, vectors)
        return self._pool.map(self._backward, self._kept, vectors)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # Kernels with threads of their own would wait for each other here too.
        count = min(self._num_threads, _MOST_PARTS)
        return ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def _backward(self, gradient: Tensor, vector: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in the weights
            return torch.zeros_like(vector)
        try:
            return torch.autograd.grad(
                gradient, self._w, vector, retain_graph=True, materialize_grads=True
            )[0]
        except RuntimeError as error:
            raise _not_twice(error) from error

    def _check_against_differences(self) -> None:
        """Compare a product with the difference of two gradients.

        An operation whose backward pass has no derivative of its own would otherwise go missing
        without a word.
        """
        generator = torch.Generator().manual_seed(0)
        rounding = 1e-12 * float(self._gradient(self._w).norm())
        for _ in range(2):  # a kink of a ReLU may lie between the two points by chance
            vector = torch.randn(self._w.numel(), generator=generator, dtype=self.dtype)
            vector = vector.to(self.device)
            step = _DIFFERENCE * float(1 + self._w.detach().norm()) / float(vector.norm())
            ends = [self._gradient(self._w + sign * step * vector) for sign in (1, -1)]
            difference = (ends[0] - ends[1]) / (2 * step)
            product = self._products(vector[None])[0]
            largest = max(float(difference.norm()), float(product.norm()))
            if float((difference - product).norm()) <= 0.1 * largest + rounding / step:
                return
        raise LambdascopeError(
            "the model or loss holds an operation without a second derivative: products with the "
            "Hessian are far from differences of gradients; give one that PyTorch can "
            "differentiate twice (attention written out instead of fused, for instance)."
        )

    def _gradient(self, w: Tensor) -> Tensor:
        """∇L_n(w), [param]."""
        total = torch.zeros_like(w.detach())
        for part in self._gradients(w.detach().requires_grad_()):
            total += part.detach()
        return total

    def _gradients(self, w: Tensor) -> Iterator[Tensor]:
        """Each part of the data's share of ∇L_n(w), [param], with its graph."""
        n = self._samples.num_samples
        size = self._part_size()
        for start in range(0, max(n, 1), size):
            part = [tensor[start : start + size] for tensor in self._tensors]
            batch: Any = self._samples.batch(part) if part else self._samples.batch()
            try:
                loss = self._objective(w, self._held, batch).sum() / max(n, 1)
                (gradient,) = torch.autograd.grad(
                    loss, w, create_graph=True, materialize_grads=True
                )
            except RuntimeError as error:
                raise _not_twice(error) from error
            yield gradient

    def _part_size(self) -> int:
        """Samples a graph."""
        n = self._samples.num_samples
        if n > _SAMPLES_A_GRAPH or self.device.type != "cpu":
            return _SAMPLES_A_GRAPH
        return math.ceil(max(n, 1) / max(1, min(n // _SAMPLES_A_PART, _MOST_PARTS)))

    def _expand(self, vectors: Tensor) -> Tensor:
        if self._free is None:
            return vectors
        full = vectors.new_zeros(len(vectors), self._w.numel())
        full[:, self._free] = vectors
        return full

    def _project(self, vectors: Tensor) -> Tensor:
        if self._normal is None:
            return vectors
        return vectors - torch.outer(vectors @ self._normal, self._normal)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _not_twice(error: RuntimeError) -> LambdascopeError:
    first = str(error).splitlines()[0]
    return LambdascopeError(
        f"the Hessian needs a loss that PyTorch can differentiate twice in this type, and it says: "
        f"{first} (attention written out instead of fused, and tensors that follow the type of the "
        "weights, are accepted)."
    )
