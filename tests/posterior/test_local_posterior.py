import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from lambdascope.posterior import local_posterior
from tests.problems import (
    Quadratic,
    classifier,
    classifier_data,
    classifier_posterior,
    quadratic_posterior,
)


def posterior_of(model, data=None, **settings):
    return ls.LocalPosterior(
        model, classifier_data() if data is None else data, **{"loss": ls.cross_entropy, **settings}
    )


# --- the numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 40, 8193])
def test_initial_loss_is_that_of_a_plain_loop(n):
    model, (tokens, targets) = classifier(dtype=torch.float64), classifier_data(n)
    posterior = posterior_of(model, (tokens, targets), nbeta=1.0)
    total = 0.0
    with torch.no_grad():
        for pair, target in zip(tokens.split(1024), targets.split(1024), strict=True):
            total += functional.cross_entropy(model(pair), target, reduction="sum").item()
    assert posterior.initial_loss == pytest.approx(total / n, rel=1e-13)


def test_initial_loss_of_many_equal_samples_does_not_drift_in_float32():
    # A float32 sum over two million equal losses would be off in the fourth digit.
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(math.sqrt(0.2))
    n = 2_000_000
    posterior = ls.LocalPosterior(
        model, (torch.ones(n, 1), torch.zeros(n, 1)), loss=ls.gaussian_nll
    )
    one = (model.weight.detach() ** 2 / 2).item()
    assert posterior.initial_loss == pytest.approx(one, rel=1e-7)


def test_mean_gradient_is_autograds():
    model, (tokens, targets) = classifier(dtype=torch.float64), classifier_data(9000)
    posterior = posterior_of(model, (tokens, targets))
    functional.cross_entropy(model(tokens), targets).backward()
    expected = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
    torch.testing.assert_close(posterior.mean_gradient(posterior.w_star), expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 40 / math.log(40)),
        ({"n_multiplier": 2.5}, 100 / math.log(100)),
        ({"temp_multiplier": 4.0}, 10 / math.log(40)),
        ({"n_multiplier": 0.5, "temp_multiplier": 0.1}, 200 / math.log(20)),
        ({"nbeta": 7.5}, 7.5),
        ({"nbeta": 3}, 3.0),
    ],
)
def test_nbeta(settings, expected):
    assert posterior_of(classifier(), **settings).nbeta == pytest.approx(expected, rel=1e-15)


def test_one_sample_has_no_default_temperature():
    data = classifier_data(1)
    with pytest.raises(
        LambdascopeError, match=r"n · n_multiplier = 1: .* needs more than 1 sample"
    ):
        posterior_of(classifier(), data)
    assert posterior_of(classifier(), data, nbeta=5.0).nbeta == 5.0
    assert posterior_of(classifier(), data, n_multiplier=3.0).nbeta == 3 / math.log(3)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, "12", True, [1.0], 10**400])
@pytest.mark.parametrize("field", ["nbeta", "n_multiplier", "temp_multiplier"])
def test_what_must_be_positive(field, bad):
    with pytest.raises(
        LambdascopeError, match=rf"{field}=.*: a positive finite number is accepted"
    ):
        posterior_of(classifier(), **{field: bad})


@pytest.mark.parametrize(
    "bad", [-0.1, math.nan, math.inf, None, "5", False, pytest.param(-(10**5000), id="huge")]
)
@pytest.mark.parametrize("field", ["localization", "weight_decay"])
def test_what_must_not_be_negative(field, bad):
    with pytest.raises(LambdascopeError, match=rf"{field}=.*: a finite number ≥ 0 is accepted"):
        posterior_of(classifier(), **{field: bad})


@pytest.mark.parametrize("bad", [1e300, 1e-300])
@pytest.mark.parametrize("field", ["nbeta", "localization", "weight_decay"])
def test_what_the_weights_type_cannot_hold(field, bad):
    message = rf"{field}=1e.300: a number that the weights' type, torch\.float32, can hold"
    with pytest.raises(LambdascopeError, match=message):
        posterior_of(classifier(), **{field: bad})
    posterior_of(classifier(dtype=torch.float64), **{field: bad})


def test_the_pull_may_not_vanish_later_either():
    with pytest.raises(LambdascopeError, match=r"localization=1e-300: a number that"):
        posterior_of(classifier()).with_localization(1e-300)


@pytest.mark.parametrize("multipliers", [{"n_multiplier": 1e308}, {"temp_multiplier": 1e-308}])
def test_multipliers_that_leave_no_finite_nbeta_are_refused(multipliers):
    data = classifier_data(1000)
    with pytest.raises(LambdascopeError, match=r"make nbeta=(inf|nan); multipliers that leave it"):
        posterior_of(classifier(), data, **multipliers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_samples_are_evaluated_a_few_at_a_time(dtype, monkeypatch):
    model, data = classifier(dtype=dtype), classifier_data(1000)
    whole = posterior_of(model, data)
    monkeypatch.setattr(local_posterior, "_EVALUATION_BYTES", 1 << 13)
    parts = posterior_of(model, data)
    assert 1 < parts._at_once < 100 < whole._at_once
    assert parts.initial_loss == pytest.approx(whole.initial_loss, rel=1e-6)
    torch.testing.assert_close(*(p.mean_gradient(p.w_star) for p in (parts, whole)))


def test_nbeta_and_multipliers_of_its_default_are_refused_together():
    with pytest.raises(LambdascopeError, match="give nbeta, or the multipliers of its default"):
        posterior_of(classifier(), nbeta=5.0, n_multiplier=2.0)


# --- the user's model is never changed -----------------------------------------------------------


class Everything(nn.Module):
    """Trainable and frozen parameters, buffers, batch norm, plain attributes."""

    def __init__(self):
        super().__init__()
        self.body = classifier()
        self.norm = nn.BatchNorm1d(5)
        self.frozen = nn.Parameter(torch.ones(5), requires_grad=False)
        self.register_buffer("shift", torch.full((5,), 0.1))
        self.power = 1

    def forward(self, tokens):
        return self.norm(self.body(tokens)) * self.frozen**self.power + self.shift


@pytest.mark.parametrize("restriction", [None, ls.OrthogonalToGradient(), ls.Parameters("body*")])
def test_the_users_model_is_never_changed(restriction):
    model = Everything().eval()
    model.body.train()
    torch.randn(3)
    before = {name: tensor.clone() for name, tensor in model.state_dict(keep_vars=True).items()}
    owners = dict(model.state_dict(keep_vars=True))
    randomness = torch.get_rng_state()
    posterior = posterior_of(model, restriction=restriction)
    ls.sample(
        posterior,
        ls.SGLD(step_size=1e-3, batch_size=8),
        num_chains=2,
        num_steps=10,
        compile=False,
        progress=False,
    )
    assert torch.equal(torch.get_rng_state(), randomness)
    assert not model.training
    assert model.body.training
    for name, tensor in model.state_dict(keep_vars=True).items():
        assert tensor is owners[name]
        assert torch.equal(tensor, before[name])
        assert tensor.grad is None
    assert model.frozen.requires_grad is False
    assert model.body.linear.weight.requires_grad is True


def test_a_later_change_of_the_model_does_not_reach_the_posterior():
    model = classifier()
    posterior = posterior_of(model)
    loss, w_star = posterior.initial_loss, posterior.w_star.clone()
    with torch.no_grad():
        model.linear.weight.zero_()
    assert torch.equal(posterior.w_star, w_star)
    assert posterior.mean_loss(posterior.w_star) == loss


def test_frozen_parameters_and_buffers_are_held():
    posterior = posterior_of(Everything().eval())
    assert set(posterior.held) == {
        "frozen", "shift", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"
    }  # fmt: skip
    assert posterior.num_parameters == sum(
        p.numel() for p in Everything().parameters() if p.requires_grad
    )


# --- losses that are no function of the weights --------------------------------------------------


class Augmented(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, x):
        return self.linear(x + 0.01 * torch.randn_like(x))


def test_dropout_is_refused_with_advice():
    model = nn.Sequential(nn.Linear(3, 20), nn.Dropout(0.1), nn.Linear(20, 5))
    data = (torch.ones(10, 3), torch.zeros(10, dtype=torch.int64))
    randomness = torch.get_rng_state()
    with pytest.raises(LambdascopeError, match=r"differs between two .*dropout.*call model\.eval"):
        posterior_of(model, data)
    assert torch.equal(torch.get_rng_state(), randomness)
    assert posterior_of(model.eval(), data).initial_loss > 0


def test_random_augmentation_in_the_model_is_refused():
    data = (torch.ones(10, 3), torch.zeros(10, dtype=torch.int64))
    with pytest.raises(LambdascopeError, match="differs between two evaluations"):
        posterior_of(Augmented(), data)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("n", [4, 40])
def test_batch_norm_in_training_mode_is_refused_with_advice(momentum, n):
    model = nn.Sequential(classifier(), nn.BatchNorm1d(5, momentum=momentum))
    with pytest.raises(LambdascopeError, match=r"batch norm in training mode\?\).*model\.eval\(\)"):
        posterior_of(model, classifier_data(n))
    assert torch.equal(model[1].running_mean, torch.zeros(5))
    assert int(model[1].num_batches_tracked) == 0


def test_batch_norm_without_statistics_depends_on_neighbours_even_in_eval_mode():
    model = nn.Sequential(classifier(), nn.BatchNorm1d(5, track_running_stats=False)).eval()
    with pytest.raises(LambdascopeError, match="depends on the other samples of its batch"):
        posterior_of(model)


def test_batch_norm_in_training_mode_with_too_few_samples_to_probe_is_refused():
    model = nn.Sequential(classifier(), nn.BatchNorm1d(5))
    with pytest.raises(LambdascopeError, match="Expected more than 1 value per channel when train"):
        posterior_of(model, classifier_data(2))


class Randomness:
    """Items that change from look to look."""

    def __init__(self, changes):
        self.changes = changes

    def __len__(self):
        return 70

    def __getitem__(self, index):
        if index >= 70:
            raise IndexError
        x = torch.full((3,), float(index))
        return (x + torch.rand(()).round() if self.changes else x), index % 5


def test_random_augmentation_of_a_data_set_is_refused():
    model = nn.Linear(3, 5)
    randomness = torch.get_rng_state()
    with pytest.raises(LambdascopeError, match=r"when an item is read twice \(random augmentation"):
        posterior_of(model, Randomness(True))
    assert torch.equal(torch.get_rng_state(), randomness)
    assert posterior_of(model, Randomness(False)).samples.num_samples == 70


def test_a_model_that_counts_its_calls_in_a_buffer_is_refused():
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(3, 5)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    with pytest.raises(LambdascopeError, match="changes its buffer calls when it is called"):
        posterior_of(Counting(), (torch.ones(10, 3), torch.zeros(10, dtype=torch.int64)))


# --- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_named(bad):
    model = classifier()
    with torch.no_grad():
        model.linear.bias[2] = bad
    with pytest.raises(LambdascopeError, match=r"parameters linear\.bias hold NaN or infinity"):
        posterior_of(model)


def test_a_frozen_weight_that_is_no_number_is_noticed_in_the_loss():
    model = classifier()
    with torch.no_grad():
        model.linear.bias[2] = math.nan
    model.linear.bias.requires_grad = False
    with pytest.raises(LambdascopeError, match="the loss at the given weights is nan"):
        posterior_of(model)


def test_double_precision_is_kept():
    posterior = posterior_of(classifier(dtype=torch.float64))
    assert posterior.w_star.dtype == torch.float64
    assert posterior.mean_gradient(posterior.w_star).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64])
def test_types_too_coarse_for_a_step_are_refused(dtype):
    with pytest.raises(LambdascopeError, match=r"parameters are torch.*; float32 or float64"):
        ls.LocalPosterior(Quadratic([1.0], dtype=dtype), None, nbeta=1.0)


def test_mixed_types_are_refused():
    model = classifier()
    model.unembedding.double()
    with pytest.raises(LambdascopeError, match=r"are torch\.float32, torch\.float64; float32 or"):
        posterior_of(model)


def test_a_model_with_nothing_to_move_is_refused():
    with pytest.raises(LambdascopeError, match="no parameter with requires_grad=True"):
        posterior_of(classifier().requires_grad_(False))


@pytest.mark.parametrize("model", [nn.LazyLinear(5), classifier().to("meta")], ids=["lazy", "meta"])
def test_a_model_without_values_is_refused(model):
    with pytest.raises(LambdascopeError, match=r"\w+ holds no values yet \(a lazy module, or one"):
        posterior_of(model)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.out = nn.Linear(4, 5, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, tokens):
        return self.out(self.embed(tokens).mean(dim=1))


def test_tied_weights_move_as_one():
    tokens = torch.randint(5, (30, 2), generator=torch.Generator().manual_seed(0))
    model = Tied().double()
    posterior = ls.LocalPosterior(model, (tokens, tokens[:, 0]), loss=ls.cross_entropy)
    assert posterior.layout.names == ("embed.weight",)
    assert posterior.num_parameters == 20
    elsewhere = posterior.w_star + 0.3
    with torch.no_grad():
        model.embed.weight += 0.3
        expected = functional.cross_entropy(model(tokens), tokens[:, 0]).item()
    assert posterior.mean_loss(elsewhere) == pytest.approx(expected, rel=1e-13)
    functional.cross_entropy(model(tokens), tokens[:, 0]).backward()
    torch.testing.assert_close(
        posterior.mean_gradient(elsewhere), model.embed.weight.grad.reshape(-1)
    )


def test_a_module_that_cannot_be_copied_is_named():
    class Stubborn(nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("there is only one of me")

    with pytest.raises(LambdascopeError, match=r"Stubborn can't be copied \(there is only one"):
        posterior_of(Stubborn(3, 5), (torch.ones(4, 3), torch.zeros(4, dtype=torch.int64)))


@pytest.mark.parametrize("model", [None, lambda x: x, Everything, {"w": torch.ones(3)}])
def test_what_is_no_module_is_refused(model):
    with pytest.raises(LambdascopeError, match=r"model is a .*; a torch\.nn\.Module is accepted"):
        posterior_of(model)


# --- what tells posteriors apart -----------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"data_seed": 1},
        {"n": 39},
        {"localization": 4.0},
        {"weight_decay": 0.1},
        {"nbeta": 21.0},
        {"loss": ls.CrossEntropy(2.0)},
        {"restriction": ls.OrthogonalToGradient()},
        {"restriction": ls.Parameters("*weight")},
        {"dtype": torch.float64},
    ],
)
def test_descriptions_differ(other):
    assert classifier_posterior().describe() == classifier_posterior().describe()
    assert classifier_posterior(**other).describe() != classifier_posterior().describe()


def test_descriptions_differ_by_the_elements_of_a_mask():
    first, second = torch.zeros(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)
    first[0] = second[1] = True
    one, other = (
        classifier_posterior(restriction=ls.ElementMask({"linear.bias": mask})).describe()
        for mask in (first, second)
    )
    assert one["restriction"] == other["restriction"]
    assert one != other


def test_it_says_what_it_is():
    said = repr(classifier_posterior())
    posterior = classifier_posterior()
    count = posterior.num_parameters
    assert said.startswith(f"LocalPosterior(40 samples, {count} of {count} parameters free to move")
    assert f"loss at w* {posterior.initial_loss:.4g})" in said
    assert "no data" in repr(quadratic_posterior([1.0, 2.0]))
