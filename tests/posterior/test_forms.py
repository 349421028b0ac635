"""The forms in which a model, its data and its loss may come."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import lambdascope as ls
from lambdascope.errors import LambdascopeError
from tests.problems import Quadratic, classifier, classifier_data, classifier_posterior, draw


def squares(output, target):
    return (output - target).square().sum(dim=1)


class Pairwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 2), nn.Linear(4, 2)

    def forward(self, a, b):
        return self.left(a) * self.right(b)


def regression():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(25, size, generator=generator) for size in (3, 4, 2))


def test_a_tuple_of_inputs():
    a, b, y = regression()
    model = Pairwise()
    posterior = ls.LocalPosterior(model, ((a, b), y), loss=squares)
    assert posterior.initial_loss == pytest.approx(squares(model(a, b), y).mean().item(), rel=1e-6)
    assert np.isfinite(draw(posterior).loss).all()


def test_a_list_of_inputs_is_a_tuple():
    a, b, y = regression()
    torch.manual_seed(0)
    model = Pairwise()
    one = ls.LocalPosterior(model, ([a, b], y), loss=squares)
    assert one.initial_loss == ls.LocalPosterior(model, ((a, b), y), loss=squares).initial_loss


def test_dict_batches_with_a_loss_of_the_model():
    a, b, y = regression()
    module = Pairwise()

    def loss(model, batch):
        assert set(batch) == {"a", "b", "y"}
        return squares(model(batch["a"], batch["b"]), batch["y"])

    posterior = ls.LocalPosterior(module, {"a": a, "b": b, "y": y}, loss=loss)
    expected = squares(module(a, b), y).mean().item()
    assert posterior.initial_loss == pytest.approx(expected, rel=1e-6)
    trace = draw(posterior)
    # The first step is at w*, on a minibatch of 8.
    assert trace.loss[0, :, 0].values == pytest.approx(expected, rel=1.0)


def test_a_loss_of_the_model_may_take_one_tensor():
    module = nn.Linear(3, 3)
    data = torch.ones(6, 3)
    posterior = ls.LocalPosterior(
        module, data, loss=lambda model, batch: squares(model(batch), batch)
    )
    assert posterior.initial_loss == pytest.approx(squares(module(data), data).mean().item())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (torch.ones(6, 3), "one tensor"),
        ({"x": torch.ones(6, 3)}, "a dict"),
        ((torch.ones(6, 3), torch.ones(6, 3), torch.ones(6, 3)), "no pair"),
    ],
)
def test_data_that_does_not_fit_a_loss_of_the_output(data, kind):
    with pytest.raises(LambdascopeError, match=rf"data is {kind}; .*loss\(model, batch\) is acce"):
        ls.LocalPosterior(nn.Linear(3, 3), data, loss=squares)


@pytest.mark.parametrize("loss", [ls.gaussian_nll, nn.MSELoss(reduction="none")])
def test_regression_with_one_output(loss):
    x = torch.linspace(-1, 1, 9)[:, None]

    class Flat(nn.Linear):
        def forward(self, x):
            return super().forward(x)[:, 0]

    model = Flat(1, 1)
    posterior = ls.LocalPosterior(model, (x, x[:, 0] ** 2), loss=loss)
    half = 0.5 if loss is ls.gaussian_nll else 1.0
    expected = half * (model(x) - x[:, 0] ** 2).square().mean().item()
    assert posterior.initial_loss == pytest.approx(expected, rel=1e-6)


def test_losses_of_torch():
    model = classifier()
    ours = classifier_posterior()
    for loss in (
        nn.CrossEntropyLoss(reduction="none"),
        lambda output, targets: functional.cross_entropy(output, targets, reduction="none"),
    ):
        other = ls.LocalPosterior(model, classifier_data(), loss=loss)
        assert other.initial_loss == pytest.approx(ours.initial_loss, rel=1e-6)


@pytest.mark.parametrize(
    "loss",
    [functional.cross_entropy, nn.CrossEntropyLoss(), lambda output, targets: 3.0],
)
def test_a_mean_instead_of_one_value_a_sample_is_refused(loss):
    with pytest.raises(
        LambdascopeError, match=r"loss returned (\[\]|float) for a batch of 40; one value a sample"
    ):
        classifier_posterior(loss=loss)


def test_a_loss_with_too_many_dimensions_is_refused():
    with pytest.raises(LambdascopeError, match=r"loss returned \[40, 5\] for a batch of 40"):
        classifier_posterior(loss=lambda output, targets: output)


@pytest.mark.parametrize("loss", ["cross_entropy", 3])
def test_a_loss_that_cannot_be_called_is_refused(loss):
    with pytest.raises(LambdascopeError, match=r"loss=.*: a callable such as"):
        classifier_posterior(loss=loss)


def test_a_failure_inside_the_model_says_where_it_happened():
    data = (torch.ones(6, 4), torch.zeros(6, dtype=torch.int64))
    with pytest.raises(LambdascopeError, match=r"on the data failed: RuntimeError: mat1 and mat2"):
        ls.LocalPosterior(nn.Linear(3, 5), data, loss=ls.cross_entropy)


def test_a_loss_beyond_memory_is_a_sentence():
    with pytest.raises(
        LambdascopeError, match=r"evaluating the loss on the data does not fit into memory; smaller"
    ):
        ls.LocalPosterior(
            classifier(), classifier_data(), loss=lambda o, t: torch.ones(10**9, 10**9)
        )


def test_a_token_out_of_range_is_refused():
    tokens, targets = classifier_data()
    tokens[0, 0] = 99
    with pytest.raises(LambdascopeError, match="outside the range that the model knows"):
        ls.LocalPosterior(classifier(), (tokens, targets), loss=ls.cross_entropy)


def test_data_and_loss_come_together():
    with pytest.raises(LambdascopeError, match="a loss needs data"):
        ls.LocalPosterior(classifier(), None, loss=ls.cross_entropy)
    with pytest.raises(LambdascopeError, match="loss=None with data given: a loss of each sample"):
        ls.LocalPosterior(classifier(), classifier_data())


# --- data sets -----------------------------------------------------------------------------------


class Dicts:
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return {"x": torch.full((3,), float(index)), "y": index}


def test_a_data_set_of_dicts():
    module = nn.Linear(3, 12)
    posterior = ls.LocalPosterior(
        module, Dicts(), loss=lambda model, batch: ls.cross_entropy(model(batch["x"]), batch["y"])
    )
    assert posterior.samples.num_samples == 12
    assert math.isfinite(posterior.initial_loss)


def test_a_data_set_gives_what_its_tensors_give():
    data = classifier_data()
    one = ls.LocalPosterior(classifier(), TensorDataset(*data), loss=ls.cross_entropy)
    assert (
        one.initial_loss
        == ls.LocalPosterior(classifier(), data, loss=ls.cross_entropy).initial_loss
    )


class Endless(IterableDataset):
    def __iter__(self):
        return iter([torch.ones(3)])


class Strings:
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return object()


class Failing(Strings):
    def __getitem__(self, index):
        raise ZeroDivisionError("no item")


class Negative(Strings):
    def __len__(self):
        return -1


class Ragged(Strings):
    def __getitem__(self, index):
        return torch.ones(index + 1)


@pytest.mark.parametrize(
    "data",
    [
        Endless(),
        Strings(),
        Ragged(),
        7,
        Failing(),
        Negative(),
    ],
    ids=["iterable", "objects", "ragged", "number", "failing", "negative"],
)
def test_what_is_no_data_set_is_refused(data):
    with pytest.raises(LambdascopeError, match=r"data is a .*can't be read into tensors"):
        ls.LocalPosterior(classifier(), data, loss=ls.cross_entropy)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((torch.ones(3, 2), torch.ones(4)), r"shapes \[\[3, 2\], \[4\]\]; .*same first dimension"),
        ((torch.ones(3, 2), torch.tensor(1)), r"same first dimension"),
        ((torch.ones(0, 2), torch.ones(0)), "data holds 0 samples"),
        (TensorDataset(torch.ones(0, 2)), "data holds 0 samples"),
        ((), "shapes \\[\\]"),
        ((np.ones((3, 2)), torch.ones(3)), "data contains a ndarray; tensors nested in"),
        ([[1.0, 2.0], [0, 1]], "data contains a float"),
        ({"x": "text"}, "data contains a str"),
        ((torch.eye(3).to_sparse(), torch.ones(3)), r"layout torch\.sparse_coo on cpu; dense"),
        ((torch.ones(3, device="meta"), torch.ones(3)), r"on meta; dense tensors that hold values"),
    ],
)
def test_data_that_is_no_table_of_samples_is_refused(data, message):
    with pytest.raises(LambdascopeError, match=message):
        ls.LocalPosterior(classifier(), data, loss=ls.cross_entropy)


def test_data_with_missing_values_is_not_mistaken_for_augmentation():
    x = torch.full((4, 3), math.nan)
    with pytest.raises(LambdascopeError, match="the loss at the given weights is nan"):
        ls.LocalPosterior(nn.Linear(3, 3), TensorDataset(x, x), loss=squares)


# --- bare potentials -----------------------------------------------------------------------------


def test_a_bare_potential():
    posterior = ls.LocalPosterior(Quadratic([1.0, 4.0], start=2.0), None, nbeta=10.0)
    assert posterior.initial_loss == 0.0
    assert posterior.mean_loss(torch.tensor([3.0, 1.0])) == pytest.approx(2.5)
    assert posterior.samples.num_samples == 0
    assert posterior.mean_gradient(torch.tensor([3.0, 1.0])).tolist() == [1.0, -4.0]


def test_a_bare_potential_needs_nbeta():
    with pytest.raises(LambdascopeError, match="nbeta=None without data: a positive number"):
        ls.LocalPosterior(Quadratic([1.0]), None)


class Vector(Quadratic):
    def forward(self):
        return self.curvature * self.w**2


class Number(Quadratic):
    def forward(self):
        return super().forward().item()


def test_a_potential_of_shape_1_is_a_number():
    assert ls.LocalPosterior(Vector([2.0], start=1.0), None, nbeta=1.0).initial_loss == 2.0


@pytest.mark.parametrize(
    ("model", "got"), [(Vector([1.0, 2.0]), r"\[2\]"), (Number([1.0]), "float")]
)
def test_a_potential_that_is_no_number_is_refused(model, got):
    with pytest.raises(LambdascopeError, match=rf"the potential returned {got}; one number"):
        ls.LocalPosterior(model, None, nbeta=1.0)


def test_a_loss_with_a_value_an_output_and_data_of_another_type_get_advice():
    model, inputs = nn.Linear(4, 1), torch.randn(20, 4)
    with pytest.raises(LambdascopeError, match=r"\[20, 1\].*add up what belongs to one sample"):
        ls.LocalPosterior(model, (inputs, torch.randn(20, 1)), loss=nn.MSELoss(reduction="none"))
    with pytest.raises(LambdascopeError, match=r"same dtype.*inputs\.float\(\)"):
        ls.LocalPosterior(model, (inputs.double(), torch.randn(20, 1)), loss=ls.gaussian_nll)


def test_of_a_loader_the_data_set_is_asked_for():
    loader = DataLoader(TensorDataset(torch.ones(3, 2)))
    with pytest.raises(LambdascopeError, match=r"data=loader\.dataset"):
        ls.LocalPosterior(classifier(), loader, loss=ls.cross_entropy)


class WithState(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.Linear(3, 2)

    def forward(self, x):
        return self.cells(x), x


def test_a_model_with_several_outputs_is_told_what_a_loss_of_its_own_looks_like():
    data = torch.randn(6, 3), torch.arange(6) % 2
    with pytest.raises(LambdascopeError, match=r"the model returns a tuple.*outputs\[0\]"):
        ls.LocalPosterior(WithState(), data, loss=ls.cross_entropy)
