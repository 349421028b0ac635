import math

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.network import ModularAdditionMLP

SIZES = {"p": 7, "embed_dim": 3, "hidden_size": 5}
TIES = [(False, False), (True, False), (False, True), (True, True)]
ACTIVATIONS = {
    "relu": lambda x: max(x, 0.0),
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "quadratic": lambda x: x * x,
}


def pairs(p):
    return torch.cartesian_prod(torch.arange(p), torch.arange(p))


def logits_by_hand(state, activation, a, b, tie_linear, tie_unembed):
    """The formula of the class, one number at a time."""
    embedding = state["embedding.weight"].tolist()
    right = "linear_left" if tie_linear else "linear_right"
    hidden = []
    for unit in range(SIZES["hidden_size"]):
        x = state["linear_left.bias"][unit].item() + state[f"{right}.bias"][unit].item()
        for j in range(SIZES["embed_dim"]):
            x += state["linear_left.weight"][unit, j].item() * embedding[a][j]
            x += state[f"{right}.weight"][unit, j].item() * embedding[b][j]
        hidden.append(ACTIVATIONS[activation](x))
    out = [
        sum(w * h for w, h in zip(row, hidden, strict=True))
        for row in state["unembedding.weight"].tolist()
    ]
    if not tie_unembed:
        return out
    out = [x + bias for x, bias in zip(out, state["unembedding.bias"].tolist(), strict=True)]
    return [sum(e * x for e, x in zip(row, out, strict=True)) for row in embedding]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("tie_linear", "tie_unembed"), TIES)
def test_forward_is_the_stated_formula(activation, tie_linear, tie_unembed):
    config = TrainConfig(
        **SIZES, activation=activation, tie_linear=tie_linear, tie_unembed=tie_unembed
    )
    model = ModularAdditionMLP(config).double()
    tokens = torch.tensor([[0, 6], [6, 0], [3, 3], [2, 5]])
    expected = [
        logits_by_hand(model.state_dict(), activation, a, b, tie_linear, tie_unembed)
        for a, b in tokens.tolist()
    ]
    torch.testing.assert_close(
        model(tokens), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12
    )


def test_parameter_names_and_shapes():
    shapes = {n: tuple(t.shape) for n, t in ModularAdditionMLP(TrainConfig()).state_dict().items()}
    assert shapes == {
        "embedding.weight": (53, 12),
        "linear_left.weight": (48, 12),
        "linear_left.bias": (48,),
        "linear_right.weight": (48, 12),
        "linear_right.bias": (48,),
        "unembedding.weight": (53, 48),
    }
    tied = ModularAdditionMLP(TrainConfig(tie_linear=True, tie_unembed=True)).state_dict()
    assert {n: tuple(t.shape) for n, t in tied.items()} == {
        "embedding.weight": (53, 12),
        "linear_left.weight": (48, 12),
        "linear_left.bias": (48,),
        "unembedding.weight": (12, 48),
        "unembedding.bias": (12,),
    }


def test_frozen_middle():
    def trained(**settings):
        model = ModularAdditionMLP(TrainConfig(freeze_middle=True, **settings))
        return [name for name, w in model.named_parameters() if w.requires_grad]

    assert trained() == ["embedding.weight", "unembedding.weight"]
    assert trained(tie_unembed=True, tie_linear=True) == ["embedding.weight"]


def test_initial_weights_have_the_stated_laws():
    config = TrainConfig(
        p=211, embed_dim=64, hidden_size=128, embed_scale=3.0, linear_scale=0.5, tie_unembed=True
    )
    state = ModularAdditionMLP(config).state_dict()
    embedding = state["embedding.weight"]
    # 13,504 normal entries: the standard deviation is known to 0.6 %.
    assert embedding.std().item() == pytest.approx(3.0, rel=0.03)
    assert abs(embedding.mean().item()) < 5 * 3.0 / math.sqrt(embedding.numel())
    for name, bound in {
        "linear_left.weight": 0.5 / 8,
        "linear_left.bias": 1 / 8,
        "linear_right.weight": 0.5 / 8,
        "linear_right.bias": 1 / 8,
        "unembedding.weight": 1 / math.sqrt(128),
        "unembedding.bias": 1 / math.sqrt(128),
    }.items():
        values = state[name]
        assert 0.9 * bound < values.abs().max() <= bound * (1 + 1e-6), name
        # A uniform law on ±bound has standard deviation bound/√3.
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.2), name


def test_initial_weights_belong_to_the_seed_alone():
    state = ModularAdditionMLP(TrainConfig(**SIZES, seed=3)).state_dict()
    before = torch.get_rng_state()
    again = ModularAdditionMLP(TrainConfig(**SIZES, seed=3, train_fraction=0.5)).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    other = ModularAdditionMLP(TrainConfig(**SIZES, seed=4)).state_dict()
    for name, tensor in state.items():
        assert torch.equal(tensor, again[name])
        assert not torch.equal(tensor, other[name])


@pytest.mark.parametrize(("tie_linear", "tie_unembed"), TIES)
def test_stacked_networks_compute_what_each_computes(tie_linear, tie_unembed):
    settings = {**SIZES, "tie_linear": tie_linear, "tie_unembed": tie_unembed}
    models = [ModularAdditionMLP(TrainConfig(**settings, seed=s)).double() for s in range(3)]
    parameters, _ = stack_module_state(models)
    tokens = torch.stack([pairs(7)[s::3][:16] for s in range(3)])

    def forward(weights, batch):
        return functional_call(models[0], weights, (batch,))

    together = vmap(forward)(parameters, tokens)
    alone = torch.stack([model(batch) for model, batch in zip(models, tokens, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_the_whole_graph_can_be_captured():
    model = ModularAdditionMLP(TrainConfig(**SIZES, tie_linear=True, tie_unembed=True))
    captured = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(captured(pairs(7)), model(pairs(7)))
