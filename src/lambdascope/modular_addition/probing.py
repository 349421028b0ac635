"""A network seen from outside: its embedding, and what it computes with another one put in."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from lambdascope.modular_addition.architectures import Network
from lambdascope.modular_addition.data import all_pairs

# Networks computed at once hold about this many numbers of features and logits, 64 MB in float64.
_MAX_NUMBERS = 2**23


def own_weights(network: Network, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """The network's parameters, in double precision unless said otherwise: name → [1, …]."""
    return {n: tensor.detach().to(dtype)[None] for n, tensor in network.named_parameters()}


def token_embedding(network: Network) -> Tensor:
    """The embedding of the numbers 0 … p − 1: [p, embed_dim] float64, without a row for "="."""
    return network.embedding.weight.detach().double()[: network.p]


@torch.no_grad()
def logits_with(network: Network, embeddings: Tensor, *, at_both_ends: bool = True) -> Tensor:
    """Logits of all pairs with other embeddings put in.

    Args:
        network: gives all other weights.
        embeddings: [set, p, embed_dim] float64.
        at_both_ends: with a tied unembedding, put them in there as well; else the network's own
            embedding reads the answer.

    Returns:
        [set, p, p, p] float64: a, b, c.
    """
    p, own = network.p, own_weights(network)
    parts = []
    for weights, tokens in _stacks(network, embeddings):
        features = network.stacked_features(weights, tokens)
        at_the_end = weights if at_both_ends else _expanded(own, len(tokens))
        parts.append(network.stacked_read(at_the_end, features))
    return torch.cat(parts).mT.reshape(-1, p, p, p)


@torch.no_grad()
def losses_with(
    network: Network, embeddings: Tensor, *, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy on all pairs, of addition, with other embeddings put in.

    The logits are computed in the network's own precision, in which a transformer takes half the
    time, and the softmax in double. A float32 network's losses are off by some 1e-7 of its largest
    logit, in nats: a loss that is smaller is not resolved.

    Args:
        network: gives all other weights.
        embeddings: [set, p, embed_dim] float64.
        scale: factor on the logits, above 0.

    Returns:
        the mean cross-entropy in nats, and the share of pairs whose answer has the largest logit
        and no other the same: [set] float64 each.
    """
    p = network.p
    answers = all_pairs(p).sum(1) % p
    losses, accuracies = [embeddings.new_empty(0)], [embeddings.new_empty(0)]
    for weights, tokens in _stacks(network, embeddings.to(network.embedding.weight.dtype)):
        logits = network.stacked_logits(weights, tokens).double() * scale
        theirs = answers.expand(len(logits), -1)
        right = logits.gather(1, theirs[:, None])[:, 0]
        losses.append((logits.logsumexp(1) - right).mean(1))
        accuracies.append(answered(logits, theirs, 1).double().mean(1))
    return torch.cat(losses), torch.cat(accuracies)


def answered(logits: Tensor, answers: Tensor, dim: int) -> Tensor:
    """Whether the answer has the largest logit, and no other the same.

    Args:
        logits: [..., p, ...].
        answers: without the dimension of the classes.
        dim: that dimension.

    Returns:
        in the shape of the answers.
    """
    top = logits.amax(dim, keepdim=True)
    right = logits.gather(dim, answers.unsqueeze(dim)) == top
    return right.squeeze(dim) & ((logits == top).sum(dim) == 1)


@torch.no_grad()
def neurons_of(network: Network) -> Tensor:
    """The hidden layer after its activation, for all pairs: [p, p, hidden_size] float64: a, b."""
    p, pairs = network.p, all_pairs(network.p)
    return network.stacked_neurons(own_weights(network), pairs[None])[0].mT.unflatten(0, (p, p))


def with_embeddings(
    network: Network, weights: Mapping[str, Tensor], embeddings: Tensor
) -> dict[str, Tensor]:
    """The weights of as many networks as there are embeddings.

    Args:
        network: whose weights they are.
        weights: name → [1, …], as `own_weights` gives them.
        embeddings: [set, p, embed_dim]; the row of "=" stays.

    Returns:
        name → [set, …].
    """
    expanded = _expanded(weights, len(embeddings))
    rest = expanded["embedding.weight"][:, network.p :]
    return {**expanded, "embedding.weight": torch.cat([embeddings, rest], dim=1)}


def _expanded(weights: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: tensor.expand(count, *tensor.shape[1:]) for name, tensor in weights.items()}


def _stacks(network: Network, embeddings: Tensor) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """The weights and tokens of a few networks at a time."""
    if not len(embeddings):
        return
    weights, pairs = own_weights(network, embeddings.dtype), all_pairs(network.p)
    widest = max(network.p, *(tensor.shape[1] for tensor in weights.values()))
    for part in embeddings.split(max(1, _MAX_NUMBERS // (widest * len(pairs)))):
        yield with_embeddings(network, weights, part), pairs.expand(len(part), -1, -1)
