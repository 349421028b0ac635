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


def neuron_logit_map(weights: Mapping[str, Tensor]) -> Tensor:
    """From the neurons straight to the logits, W_L: a row for each answer.

    Of the MLP that is the unembedding (tied, E U); of the transformer W_U W_out, whatever the
    residual stream carries beside. Source: Nanda et al. 2023 (arXiv 2301.05217), section 4.

    Args:
        weights: see `token_maps`.

    Returns:
        [..., p, hidden_size], in units of products of weights.
    """
    unembedding = token_maps(weights)["unembedding"]
    out = weights.get("mlp_out.weight")
    return unembedding if out is None else unembedding @ out
