"""The maps of a network that have one row a token, and so Fourier modes."""

from collections.abc import Mapping

from torch import Tensor


def token_maps(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The embedding, the effective first-layer maps, and the unembedding.

    The effective first-layer maps take a token straight to the hidden layer: E L^T, E R^T. Tied
    maps serve twice: there is then no `linear_right`. A tied unembedding goes back to the embedding
    space and through the embedding transposed, so its rows are those of E U. A transformer has
    neither first-layer map; the row of its token = is left out.

    Args:
        weights: parameter name → tensor, [..., shape of the parameter], of one network or many.

    Returns:
        name → [..., p, features], in units of weights, or of their products: `embedding`
        [..., p, embed_dim]; `linear_left` and `linear_right` [..., p, hidden_size], where the
        network has them; `unembedding` [..., p, hidden_size] (transformer: embed_dim).
    """
    embedding, unembedding = weights["embedding.weight"], weights["unembedding.weight"]
    # Only the tied unembedding has a bias.
    tied = "unembedding.bias" in weights
    if not tied:
        embedding = embedding[..., : unembedding.shape[-2], :]
    maps = {"embedding": embedding}
    for name in ("linear_left", "linear_right"):
        if f"{name}.weight" in weights:
            maps[name] = embedding @ weights[f"{name}.weight"].mT
    return {**maps, "unembedding": embedding @ unembedding if tied else unembedding}
