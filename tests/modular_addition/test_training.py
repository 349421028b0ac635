import itertools

import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import make_data
from lambdascope.modular_addition.minibatches import Minibatches
from lambdascope.modular_addition.network import ModularAdditionMLP
from lambdascope.modular_addition.training import train, train_checkpoints

SMALL = {"p": 11, "embed_dim": 4, "hidden_size": 8, "batch_size": 32, "num_checkpoints": 4}


def plain_loop(config):
    """Train one network the ordinary way, on the same minibatches."""
    model = ModularAdditionMLP(config)
    batches = Minibatches([config], [make_data(config)])
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    trained = [w for w in model.parameters() if w.requires_grad]
    optimiser = kind(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
    for step in range(config.num_steps):
        if step == config.num_steps - config.num_final_steps_without_weight_decay:
            optimiser.param_groups[0]["weight_decay"] = 0.0
        tokens, labels = batches.at(step)
        optimiser.zero_grad()
        cross_entropy(model(tokens[0]), labels[0]).backward()
        optimiser.step()
    return model.state_dict()


def assert_close(weights, expected, rtol):
    assert weights.keys() == expected.keys()
    for name, weight in expected.items():
        error = (weights[name] - weight).abs().max() / weight.abs().max()
        assert error < rtol, f"{name}: {error}"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"weight_decay": 0.05, "num_final_steps_without_weight_decay": 40},
        {"optimizer": "adamw", "weight_decay": 1.0, "num_final_steps_without_weight_decay": 40},
        {"tie_linear": True, "activation": "relu"},
        {"tie_unembed": True, "activation": "quadratic", "embed_scale": 0.5, "linear_scale": 2.0},
        {"tie_linear": True, "tie_unembed": True, "freeze_middle": True},
        {"freeze_middle": True, "task": "random"},
    ],
    ids=str,
)
def test_training_is_that_of_a_plain_loop(settings):
    config = TrainConfig(**SMALL, **settings, num_steps=60, seed=2)
    (run,) = train([config])
    assert_close(run.weights[-1], plain_loop(config), rtol=2e-5)


def test_the_final_stretch_without_weight_decay_really_has_none():
    settings = {**SMALL, "num_steps": 60, "optimizer": "adamw", "weight_decay": 1.0}
    with_decay = TrainConfig(**settings)
    without = TrainConfig(**settings, num_final_steps_without_weight_decay=60)
    none_at_all = TrainConfig(**{**settings, "weight_decay": 0.0})
    final = [train([config])[0].weights[-1] for config in (with_decay, without, none_at_all)]
    for name in final[0]:
        assert torch.equal(final[1][name], final[2][name])
        assert not torch.equal(final[0][name], final[1][name])


def test_frozen_layers_keep_their_initial_weights_and_the_others_move():
    config = TrainConfig(**SMALL, num_steps=20, freeze_middle=True)
    (run,) = train([config])
    for name in run.weights[0]:
        same = torch.equal(run.weights[0][name], run.weights[-1][name])
        assert same == name.startswith("linear"), name


def test_checkpoints_hold_the_initial_and_the_final_weights_and_metrics():
    config = TrainConfig(**SMALL, num_steps=50, seed=3, checkpoint_spacing="log")
    (run,) = train([config])
    assert run.steps == config.checkpoint_steps == [0, 1, 7, 50]
    initial = ModularAdditionMLP(config)
    inputs, targets = run.data.train
    for name, weight in initial.state_dict().items():
        assert torch.equal(run.weights[0][name], weight)
    for weights, metrics in zip(run.weights, run.metrics, strict=True):
        initial.load_state_dict(weights)
        loss = cross_entropy(initial(inputs), targets).item()
        assert metrics.train_loss == pytest.approx(loss, rel=1e-5)


def test_the_same_settings_give_the_same_bits():
    config = TrainConfig(**SMALL, num_steps=30)
    first, second = (train([config])[0].weights[-1] for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_runs_together_end_where_each_would_alone():
    # To the tolerance that train_checkpoints states; here they differ in all that they may.
    changes = [
        {"seed": 0},
        {"seed": 1, "learning_rate": 0.002, "weight_decay": 0.01},
        {"seed": 2, "data_seed": 9, "train_fraction": 0.4},
        {"seed": 3, "task": "random", "embed_scale": 0.5},
        {"seed": 4, "task": "commutative_random", "linear_scale": 2.0},
    ]
    configs = [TrainConfig(**SMALL, num_steps=100, **change) for change in changes]
    for config, together in zip(configs, train(configs), strict=True):
        (alone,) = train([config])
        assert torch.equal(alone.data.train_index, together.data.train_index)
        for weights, expected in zip(together.weights, alone.weights, strict=True):
            assert_close(weights, expected, rtol=1e-5)
        assert together.metrics[-1].test_loss == pytest.approx(
            alone.metrics[-1].test_loss, rel=1e-5
        )


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_resumed_training_ends_with_the_same_bits(stop):
    configs = [TrainConfig(**SMALL, num_steps=50, seed=s, weight_decay=0.1) for s in range(3)]
    data = [make_data(config) for config in configs]
    whole = list(train_checkpoints(configs, data))
    begun = list(itertools.islice(train_checkpoints(configs, data), stop + 1))
    resumed = list(train_checkpoints(configs, data, resume=begun[-1].state))
    assert [c.step for c in begun + resumed] == [c.step for c in whole]
    assert [c.index for c in begun + resumed] == [0, 1, 2, 3]
    for after, straight in zip(resumed, whole[stop + 1 :], strict=True):
        assert after.metrics == straight.metrics
        for one, other in zip(after.weights, straight.weights, strict=True):
            assert all(torch.equal(one[name], other[name]) for name in one)
        assert torch.equal(after.state.second_moment, straight.state.second_moment)


def test_a_small_network_learns_addition():
    config = TrainConfig(
        p=7, hidden_size=32, learning_rate=0.01, train_fraction=1.0, num_steps=400, batch_size=49
    )
    (run,) = train([config])
    assert run.metrics[0].train_accuracy < 0.5
    assert run.metrics[-1].train_accuracy == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 9}, "hidden_size is 8 and 9 in runs of one batch: they may differ only"),
        ({"num_steps": 51}, "num_steps is 50 and 51"),
        ({"activation": "relu"}, "activation is 'gelu' and 'relu'"),
    ],
)
def test_runs_of_other_shape_or_schedule_are_refused(change, message):
    configs = [
        TrainConfig(**SMALL, num_steps=50),
        TrainConfig(**{**SMALL, "num_steps": 50, **change}),
    ]
    with pytest.raises(LambdascopeError, match=message):
        train(configs)


def test_no_runs_are_refused():
    with pytest.raises(LambdascopeError, match="configs is empty"):
        train([])


def test_a_state_of_other_runs_is_refused():
    config = TrainConfig(**SMALL, num_steps=50)
    checkpoint = next(train_checkpoints([config], [make_data(config)]))
    pair = [config, config.model_copy(update={"seed": 1})]
    with pytest.raises(LambdascopeError, match=r"training state has 212 weights, .* ask for 424"):
        next(train_checkpoints(pair, [make_data(c) for c in pair], resume=checkpoint.state))


QUADRATIC = {**SMALL, "activation": "quadratic", "num_steps": 50}
WILD = {"learning_rate": 1e30}


def test_a_run_that_diverges_is_named():
    configs = [TrainConfig(**QUADRATIC), TrainConfig(**QUADRATIC, seed=7, **WILD)]
    named = r"1 of 2 runs diverged \(seed 7 before step 17: .*learning_rate=1e\+30 is too large"
    with pytest.raises(LambdascopeError, match=named):
        train(configs)
    with pytest.raises(LambdascopeError, match=r"the run diverged before step 17 .*=1e\+30"):
        train(configs[1:])


def test_a_run_that_diverges_leaves_the_others_alone():
    config = TrainConfig(**QUADRATIC)
    others = [TrainConfig(**QUADRATIC, seed=seed, **WILD) for seed in (7, 8)]
    first, kept, last = train([others[0], config, others[1]], divergence_ok=True)
    (alone,) = train([config])
    assert [run.diverged for run in (first, kept, last)] == [17, None, 17]
    assert first.steps == [0]
    assert len(first.weights) == len(first.metrics) == 1
    assert kept.steps == alone.steps
    for one, other in zip(kept.weights, alone.weights, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert kept.metrics == alone.metrics


def test_training_is_resumed_past_a_divergence():
    configs = [TrainConfig(**QUADRATIC), TrainConfig(**QUADRATIC, seed=7, **WILD)]
    data = [make_data(config) for config in configs]
    whole = list(train_checkpoints(configs, data))
    state = whole[1].state
    assert state.diverged == {1: 17}
    vectors = (state.weights, state.first_moment, state.second_moment)
    assert all(vector.isfinite().all() for vector in vectors)
    resumed = list(train_checkpoints(configs, data, resume=state))
    assert [checkpoint.state.diverged for checkpoint in resumed] == [{1: 17}] * 2
    assert torch.equal(resumed[-1].state.weights, whole[-1].state.weights)


def test_a_run_without_a_finite_loss_at_first_is_refused():
    configs = [TrainConfig(**SMALL, num_steps=50), TrainConfig(**SMALL, num_steps=50, seed=3)]
    configs[1] = configs[1].model_copy(update={"embed_scale": 1e39})
    with pytest.raises(LambdascopeError, match=r"initial weights of seed=3 .*embed_scale=1e\+39"):
        train(configs)


def test_what_cannot_fit_is_refused_before_it_is_tried():
    with pytest.raises(LambdascopeError, match=r"p=1000000 with .* takes at least .* GiB of mem"):
        train([TrainConfig(p=1_000_000)])


def test_memory_that_cannot_be_had_is_a_sentence_before_the_first_checkpoint(monkeypatch):
    config = TrainConfig(**SMALL, num_steps=50)

    def refuse(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    monkeypatch.setattr(ModularAdditionMLP, "stacked_logits", refuse)
    with pytest.raises(LambdascopeError, match=r"training with p=11, .* does not fit into memory"):
        next(train_checkpoints([config], [make_data(config)]))


def test_the_number_of_threads_is_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        config = TrainConfig(**SMALL, num_steps=10)
        for _ in train_checkpoints([config], [make_data(config)]):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
