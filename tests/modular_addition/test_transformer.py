import math

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.architectures import check_architecture, make_network
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.training import train
from lambdascope.modular_addition.training_batch import loss_gradient
from lambdascope.modular_addition.transformer import ModularAdditionTransformer

SMALL = {"network": "transformer", "p": 7, "embed_dim": 6, "hidden_size": 5, "num_heads": 3}


def perturbed(config):
    """A network whose biases are not zero either."""
    model = make_network(config).double()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=random, dtype=weight.dtype)
    return model


def logits_by_hand(model, a, b):
    """The formula of the class, one pair and one head at a time."""
    w = {name: tensor.detach() for name, tensor in model.named_parameters()}
    tokens = [a, b] + ([7] if model.num_tokens == 3 else [])
    x = [w["embedding.weight"][t] + w["position.weight"][i] for i, t in enumerate(tokens)]
    size = 6 // 3
    heads = []
    for head in range(3):
        rows = slice(head * size, (head + 1) * size)
        query = w["query.weight"][rows] @ x[-1]
        exponentials = [
            math.exp(float(query @ (w["key.weight"][rows] @ y)) / math.sqrt(size)) for y in x
        ]
        rate = model.attention_rate
        attention = [rate * e / sum(exponentials) + (1 - rate) for e in exponentials]
        heads.append(
            sum(s * (w["value.weight"][rows] @ y) for s, y in zip(attention, x, strict=True))
        )
    stream = x[-1] + w["attention_out.weight"] @ torch.cat(heads)
    hidden = (w["mlp_in.weight"] @ stream + w["mlp_in.bias"]).clamp(min=0)
    final = stream + w["mlp_out.weight"] @ hidden + w["mlp_out.bias"]
    return w["unembedding.weight"] @ final


@pytest.mark.parametrize("equals_token", [False, True])
@pytest.mark.parametrize("attention_rate", [0.0, 0.4, 1.0])
def test_forward_is_the_stated_formula(attention_rate, equals_token):
    model = perturbed(
        TrainConfig(**SMALL, attention_rate=attention_rate, equals_token=equals_token)
    )
    pairs = torch.tensor([[0, 6], [6, 0], [3, 3], [2, 5]])
    expected = torch.stack([logits_by_hand(model, a, b) for a, b in pairs.tolist()])
    torch.testing.assert_close(model(pairs), expected, rtol=1e-12, atol=1e-12)


def test_settings_left_alone_are_those_of_the_study():
    config = TrainConfig(network="transformer")
    assert (config.p, config.train_fraction, config.embed_dim) == (59, 0.8, 128)
    assert (config.hidden_size, config.num_heads, config.activation) == (512, 4, "relu")
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("adamw", 1e-3, 2.0)
    assert (config.beta1, config.beta2, config.num_warmup_steps) == (0.9, 0.98, 10)
    assert (config.full_batch, config.loss_precision, config.num_steps) == (True, "float64", 20_000)
    assert TrainConfig(**config.model_dump()) == config
    given = TrainConfig(network="transformer", embed_dim=32, batch_size=64)
    assert (given.hidden_size, given.full_batch) == (128, False)


def test_initial_weights_have_the_stated_laws():
    state = make_network(TrainConfig(network="transformer")).state_dict()
    assert {name: tuple(t.shape) for name, t in state.items()} == {
        "embedding.weight": (59, 128),
        "position.weight": (2, 128),
        "query.weight": (128, 128),
        "key.weight": (128, 128),
        "value.weight": (128, 128),
        "attention_out.weight": (128, 128),
        "mlp_in.weight": (512, 128),
        "mlp_in.bias": (512,),
        "mlp_out.weight": (128, 512),
        "mlp_out.bias": (128,),
        "unembedding.weight": (59, 128),
    }
    std = dict.fromkeys(state, 128**-0.5)
    std |= {"mlp_in.weight": 512**-0.5, "unembedding.weight": 59**-0.5}
    for name, tensor in state.items():
        if name.endswith("bias"):
            assert not tensor.any()
        else:  # the standard error of a standard deviation is std/√(2n)
            error = 5 / math.sqrt(2 * tensor.numel())
            assert tensor.std().item() == pytest.approx(std[name], rel=error), name


@pytest.mark.parametrize("equals_token", [False, True])
def test_stacked_networks_and_vmap_compute_what_each_computes(equals_token):
    models = [
        perturbed(TrainConfig(**SMALL, attention_rate=0.7, equals_token=equals_token, seed=s))
        for s in range(3)
    ]
    parameters, _ = stack_module_state(models)
    tokens = torch.randint(7, (3, 16, 2), generator=torch.Generator().manual_seed(0))
    alone = torch.stack([model(batch) for model, batch in zip(models, tokens, strict=True)])
    stacked = models[0].stacked_logits(parameters, tokens)
    torch.testing.assert_close(stacked.mT, alone, rtol=1e-12, atol=1e-12)
    together = vmap(lambda w, batch: functional_call(models[0], w, (batch,)))(parameters, tokens)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_the_whole_graph_can_be_captured():
    model = make_network(TrainConfig(**SMALL, attention_rate=0.7, equals_token=True))
    pairs = make_data(TrainConfig(**SMALL)).inputs
    captured = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(captured(pairs), model(pairs))


def test_training_is_that_of_a_plain_loop():
    config = TrainConfig(
        **SMALL, attention_rate=0.5, num_steps=40, num_checkpoints=2, weight_decay=0.5, seed=2
    )
    (run,) = train([config])
    model = ModularAdditionTransformer(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.5)
    warm = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (step + 1) / 10))
    inputs, targets = make_data(config).train
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs).double(), targets).backward()
        optimiser.step()
        warm.step()
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(run.weights[-1][name], weight, rtol=2e-4, atol=2e-6)


def test_a_sure_answer_has_a_gradient_in_double_precision_alone():
    # A margin of 30 nats: 1 − softmax is 1e-13, which 1 in float32 does not resolve.
    logits = torch.tensor([[[30.0], [0.0]]])
    labels = torch.tensor([[0]])
    single = loss_gradient(logits, labels)[0, 0, 0].item()
    double = loss_gradient(logits.double(), labels)[0, 0, 0].item()
    assert single == 0.0
    assert double == pytest.approx(-math.exp(-30), rel=1e-2)


def test_full_batches_of_different_sizes_are_refused():
    configs = [TrainConfig(**SMALL, train_fraction=f, num_steps=30) for f in (0.4, 0.8)]
    with pytest.raises(LambdascopeError, match=r"training sets of 19 and 39 pairs: .*same train"):
        train(configs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attention_rate": 1.5, "network": "transformer"}, "attention_rate=1.5: .*less than or"),
        ({"attention_rate": 0.5}, "attention_rate=0.5 is no setting of a network='mlp': .*at 1.0"),
        (
            {"network": "transformer", "tie_linear": True},
            "tie_linear=True is no setting of .*transf",
        ),
        ({"network": "transformer", "num_heads": 5}, "num_heads=5 does not divide embed_dim=128"),
        ({"network": "lstm"}, "network='lstm': .*'mlp' or 'transformer'"),
        ({"network": "transformer", "embed_dim": "many"}, "embed_dim='many': .*integer"),
        ({"beta2": 1.0}, "beta2=1.0: .*less than 1"),
        ({"num_warmup_steps": -1}, "num_warmup_steps=-1: "),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(LambdascopeError, match=message):
        TrainConfig(**values)


def test_an_unknown_architecture_is_refused():
    with pytest.raises(
        LambdascopeError, match=r"network is a Linear, .*should be a ModularAddition"
    ):
        check_architecture(torch.nn.Linear(2, 2))
    model = ModularAdditionMLP(TrainConfig())
    assert check_architecture(model) is model
