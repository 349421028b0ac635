"""The network: a shared embedding, one hidden layer over both operands, an unembedding."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lambdascope.modular_addition.config import Activation, TrainConfig
from lambdascope.modular_addition.streams import Stream, generator

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "quadratic": torch.square,
}


class Affine(nn.Module):
    """The numbers of a linear map; the network multiplies.

    Attributes:
        weight: [out, in].
        bias: [out], or None.
    """

    def __init__(self, num_out: int, num_in: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_out, num_in))
        self.bias: nn.Parameter | None = nn.Parameter(torch.empty(num_out)) if bias else None


class ModularAdditionMLP(nn.Module):
    """Logits for c from a pair (a, b): U·act(L e_a + b_l + R e_b + b_r), e_t the embedding of t.

    Parameters:
        embedding.weight: [p, embed_dim].
        linear_left, linear_right: weight [hidden_size, embed_dim] and bias [hidden_size]. Tied,
            `linear_left` serves both operands and there is no `linear_right`.
        unembedding.weight: [p, hidden_size], without bias. Tied, [embed_dim, hidden_size] with
            `unembedding.bias` [embed_dim], and the embedding transposed comes after it.

    The initial weights are a function of the settings alone: embedding N(0, 1)·embed_scale; maps
    from m inputs uniform on ±1/√m (torch's default for a linear layer), their weights times
    linear_scale for `linear_left` and `linear_right`.

    Args:
        config: sizes, activation, ties, scales and the seed.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        # Of the settings only what the map depends on: networks that differ in their seed alone
        # are the same function of their weights, and may run as one batch.
        self.p, self.embed_dim = config.p, config.embed_dim
        self.tie_linear, self.tie_unembed = config.tie_linear, config.tie_unembed
        self.embedding = Affine(config.p, config.embed_dim, bias=False)
        self.linear_left = Affine(config.hidden_size, config.embed_dim, bias=True)
        if not config.tie_linear:
            self.linear_right = Affine(config.hidden_size, config.embed_dim, bias=True)
        num_out = config.embed_dim if config.tie_unembed else config.p
        self.unembedding = Affine(num_out, config.hidden_size, bias=config.tie_unembed)
        self._activation = ACTIVATIONS[config.activation]
        self._initialise(config)
        if config.freeze_middle:
            for affine in self._linear:
                affine.requires_grad_(False)
            # Tied, the map back to the embedding space lies in the middle too.
            self.unembedding.requires_grad_(not config.tie_unembed)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits.

        Args:
            tokens: [batch, 2] int64, the pairs (a, b), each 0 … p − 1.

        Returns:
            [batch, p].
        """
        # Feature-major: compiled for a CPU, [hidden, batch] is a third faster than [batch, hidden].
        batch = tokens.shape[0]
        operands = self.embedding.weight[tokens].reshape(batch, 2 * self.embed_dim)
        left, right = self._linear
        weight = torch.cat([left.weight, right.weight], dim=1)  # [hidden, 2·embed_dim]
        bias = left.bias + right.bias  # type: ignore[operator]
        hidden = self._activation(weight @ operands.T + bias[:, None])  # [hidden, batch]
        out = self.unembedding.weight @ hidden
        if self.unembedding.bias is None:
            return out.T
        # [embed_dim, batch] → [p, batch]
        return (self.embedding.weight @ (out + self.unembedding.bias[:, None])).T

    def stacked_logits(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Compute the logits of many networks of this shape at once, by batched products.

        The same map as `forward`, as training uses it: run eagerly, this form is a third faster
        than `forward` under vmap, mostly in the backward pass of the embedding.

        Args:
            weights: parameter name → [run, …], in place of this network's own.
            tokens: [run, batch, 2] int64.

        Returns:
            [run, p, batch].
        """
        return self.stacked_read(weights, self.stacked_features(weights, tokens))

    def stacked_features(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """What the unembedding reads: the neurons; see below."""
        return self.stacked_neurons(weights, tokens)

    def stacked_neurons(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """The hidden layer after its activation.

        Args:
            weights: parameter name → [run, …].
            tokens: [run, batch, 2] int64.

        Returns:
            [run, hidden_size, batch].
        """
        embedding = weights["embedding.weight"]
        num_runs, p, embed_dim = embedding.shape
        rows = tokens + p * torch.arange(num_runs, device=tokens.device)[:, None, None]
        # An expanded index takes the kernels whose backward pass adds whole rows.
        operands = embedding.reshape(-1, embed_dim).gather(
            0, rows.reshape(-1, 1).expand(-1, embed_dim)
        )
        operands = operands.view(num_runs, -1, 2 * embed_dim)
        right = "linear_left" if self.tie_linear else "linear_right"
        weight = torch.cat([weights["linear_left.weight"], weights[f"{right}.weight"]], dim=2)
        bias = weights["linear_left.bias"] + weights[f"{right}.bias"]
        return self._activation(torch.baddbmm(bias[:, :, None], weight, operands.mT))

    def stacked_read(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Logits [run, p, batch] from `stacked_features`."""
        if not self.tie_unembed:
            return torch.bmm(weights["unembedding.weight"], features)
        out_bias = weights["unembedding.bias"][:, :, None]
        out = torch.baddbmm(out_bias, weights["unembedding.weight"], features)
        return torch.bmm(weights["embedding.weight"], out)

    @property
    def _linear(self) -> tuple[Affine, Affine]:
        return self.linear_left, self.linear_left if self.tie_linear else self.linear_right

    @torch.no_grad()
    def _initialise(self, config: TrainConfig) -> None:
        stream = generator(Stream.INITIAL_WEIGHTS, config.seed)
        self.embedding.weight.normal_(generator=stream).mul_(config.embed_scale)
        for affine in dict.fromkeys([*self._linear, self.unembedding]):
            bound = 1 / math.sqrt(affine.weight.shape[1])
            affine.weight.uniform_(-bound, bound, generator=stream)
            if affine.bias is not None:
                affine.bias.uniform_(-bound, bound, generator=stream)
            if affine is not self.unembedding:
                affine.weight.mul_(config.linear_scale)
