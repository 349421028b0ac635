"""The transformer of the clock-and-pizza study: one layer, attention from constant to softmax."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.network import ACTIVATIONS, Affine
from lambdascope.modular_addition.streams import Stream, generator


class ModularAdditionTransformer(nn.Module):
    """Logits for c from the tokens (a, b) or (a, b, =), read at the last position.

    With x_i = E_token(i) + P_i, heads h, d_head = embed_dim / num_heads, and A_hi the attention of
    the last position::

        A_hi = α · softmax_i(q_h · k_hi / √d_head) + (1 − α) · 1
        r    = x_last + W_O · concat_h(Σ_i A_hi v_hi)
        f    = r + W_out · act(W_in r + b_in) + b_out,      logits = W_U f

    without LayerNorm, mask, or biases in attention and unembedding (Zhong et al. 2023, arXiv
    2306.17844). At α = 0 the weights are 1 each, not shares of 1. Only the last position is read,
    so only its attention and MLP are computed.

    Parameters:
        embedding.weight: [p, embed_dim]; with `equals_token` one row more, the last, for =.
        position.weight: [2 or 3, embed_dim].
        query, key, value, attention_out: weight [embed_dim, embed_dim]; of the first three, head h
            has the rows h·d_head … (h + 1)·d_head − 1, of the last those columns.
        mlp_in, mlp_out: weights [hidden_size, embed_dim] and [embed_dim, hidden_size], and biases.
        unembedding.weight: [p, embed_dim].

    The initial weights are normal, of standard deviation 1/√embed_dim for embedding (times
    embed_scale), positions, attention and W_out, 1/√hidden_size for W_in, 1/√p for W_U; biases 0.

    Args:
        config: sizes, activation, attention rate, tokens and the seed.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        # Of the settings only what the map depends on, as in `ModularAdditionMLP`.
        self.p, self.embed_dim = config.p, config.embed_dim
        self.attention_rate, self.num_heads = config.attention_rate, config.num_heads
        self.num_tokens = 3 if config.equals_token else 2
        d, hidden = config.embed_dim, config.hidden_size
        self.embedding = Affine(config.p + self.num_tokens - 2, d, bias=False)
        self.position = Affine(self.num_tokens, d, bias=False)
        self.query, self.key = Affine(d, d, bias=False), Affine(d, d, bias=False)
        self.value, self.attention_out = Affine(d, d, bias=False), Affine(d, d, bias=False)
        self.mlp_in, self.mlp_out = Affine(hidden, d, bias=True), Affine(d, hidden, bias=True)
        self.unembedding = Affine(config.p, d, bias=False)
        self._activation = ACTIVATIONS[config.activation]
        self._initialise(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the logits.

        Args:
            tokens: [batch, 2] int64, the pairs (a, b), each 0 … p − 1.

        Returns:
            [batch, p].
        """
        weights = {name: tensor[None] for name, tensor in self.named_parameters()}
        return self.stacked_logits(weights, tokens[None])[0].T

    def stacked_logits(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Compute the logits of many networks of this shape at once.

        Args:
            weights: parameter name → [run, …], in place of this network's own.
            tokens: [run, batch, 2] int64.

        Returns:
            [run, p, batch].
        """
        return self.stacked_read(weights, self.stacked_features(weights, tokens))

    def stacked_features(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """What the unembedding reads: the residual stream f of the last position.

        Args:
            weights: parameter name → [run, …].
            tokens: [run, batch, 2] int64.

        Returns:
            [run, embed_dim, batch].
        """
        stream = self._after_attention(weights, tokens)
        neurons = self._neurons(weights, stream)
        out = weights["mlp_out.weight"] @ neurons.mT + weights["mlp_out.bias"][:, :, None]
        return stream.mT + out

    def stacked_neurons(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """The MLP's hidden layer after its activation, at the last position.

        Args:
            weights: parameter name → [run, …].
            tokens: [run, batch, 2] int64.

        Returns:
            [run, hidden_size, batch].
        """
        return self._neurons(weights, self._after_attention(weights, tokens)).mT

    def stacked_read(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Logits [run, p, batch] from `stacked_features`."""
        return weights["unembedding.weight"] @ features

    def _neurons(self, weights: Mapping[str, Tensor], stream: Tensor) -> Tensor:
        hidden = stream @ weights["mlp_in.weight"].mT + weights["mlp_in.bias"][:, None]
        return self._activation(hidden)

    def _after_attention(self, weights: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """The residual stream r of the last position: [run, batch, embed_dim]."""
        # [run, position, token, embed_dim]: every token at every position.
        embedded = weights["embedding.weight"][:, None] + weights["position.weight"][:, :, None]
        if self.num_tokens == 3:
            equals = torch.full_like(tokens[..., :1], self.p)
            tokens = torch.cat([tokens, equals], dim=-1)
        last = _rows(embedded[:, -1:], tokens[..., -1:])[:, :, 0]
        attended = self._attend(weights, embedded, tokens)
        return last + attended @ weights["attention_out.weight"].mT

    def _attend(self, weights: Mapping[str, Tensor], embedded: Tensor, tokens: Tensor) -> Tensor:
        """What the heads read, before W_O: [run, batch, embed_dim]."""
        # The maps act on each token once, not on each pair: there are far fewer.
        values = self._heads(_rows(embedded @ weights["value.weight"].mT[:, None], tokens))
        if self.attention_rate == 0:
            return values.sum(2).flatten(2)
        keys = self._heads(_rows(embedded @ weights["key.weight"].mT[:, None], tokens))
        asking = embedded[:, -1:] @ weights["query.weight"].mT[:, None]
        query = self._heads(_rows(asking, tokens[..., -1:]))
        scores = (query * keys).sum(-1) / math.sqrt(self.embed_dim / self.num_heads)
        shares = torch.softmax(scores, dim=2)  # [run, batch, position, head]
        attention = self.attention_rate * shares + (1 - self.attention_rate)
        return (attention[..., None] * values).sum(2).flatten(2)

    def _heads(self, rows: Tensor) -> Tensor:
        """[…, embed_dim] → […, head, d_head]."""
        return rows.unflatten(-1, (self.num_heads, -1))

    @torch.no_grad()
    def _initialise(self, config: TrainConfig) -> None:
        stream = generator(Stream.INITIAL_WEIGHTS, config.seed)
        std = dict.fromkeys(self._modules, 1 / math.sqrt(config.embed_dim))
        std["mlp_in"] = 1 / math.sqrt(config.hidden_size)
        std["unembedding"] = 1 / math.sqrt(config.p)
        for name, affine in self.named_children():
            assert isinstance(affine, Affine)
            affine.weight.normal_(generator=stream).mul_(std[name])
            if affine.bias is not None:
                affine.bias.zero_()
        self.embedding.weight.mul_(config.embed_scale)


def _rows(table: Tensor, tokens: Tensor) -> Tensor:
    """Pick each position's row for each token.

    Args:
        table: [run, position, token, feature].
        tokens: [run, batch, position] int64.

    Returns:
        [run, batch, position, feature].
    """
    num_runs, num_positions, num_tokens, size = table.shape
    place = tokens + num_tokens * torch.arange(num_positions, device=tokens.device)
    # An expanded index takes the kernels whose backward pass adds whole rows.
    index = place.flatten(1)[:, :, None].expand(-1, -1, size)
    picked = table.reshape(num_runs, -1, size).gather(1, index)
    return picked.reshape(*tokens.shape, size)
