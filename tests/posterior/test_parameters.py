import torch
from torch import nn

from lambdascope.posterior.parameters import ParameterLayout, skeleton
from tests.problems import classifier


def test_ravel_and_unravel_are_inverses():
    tensors = dict(classifier().named_parameters())
    layout = ParameterLayout.of(tensors)
    w = layout.ravel(tensors)
    assert w.shape == (layout.size,) == (sum(layout.sizes),)
    for name, tensor in layout.unravel(w).items():
        assert torch.equal(tensor, tensors[name])
    many = torch.stack([w, w + 1])
    assert layout.unravel(many)["linear.bias"].shape == (2, 6)
    assert torch.equal(layout.unravel(many)["linear.bias"][1], tensors["linear.bias"] + 1)


def test_ravel_copies():
    tensors = dict(classifier().named_parameters())
    w = ParameterLayout.of(tensors).ravel(tensors)
    w.zero_()
    assert all(tensor.any() for tensor in tensors.values())
    assert not w.requires_grad


def test_scalars_and_views_have_their_place():
    tensors = {"a": torch.tensor(3.0), "b": torch.arange(6.0).reshape(2, 3).T}
    layout = ParameterLayout.of(tensors)
    back = layout.unravel(layout.ravel(tensors))
    assert back["a"].shape == ()
    assert torch.equal(back["b"], tensors["b"])


def test_a_skeleton_holds_no_data_but_the_structure():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3)).eval()
    model[2].weight = model[0].weight
    model[1].weight.requires_grad = False
    copy = skeleton(model)
    assert all(tensor.is_meta for tensor in copy.state_dict().values())
    assert copy[2].weight is copy[0].weight
    assert not copy[1].weight.requires_grad
    assert not copy[1].training
    assert not any(tensor.is_meta for tensor in model.state_dict().values())
