import pytest
import torch

from lambdascope.errors import LambdascopeError
from lambdascope.runs.checkpoints import load_checkpoint, load_metadata, save_checkpoint

SHAPES = {"a": (2, 3), "b": (4,)}


@pytest.fixture
def tensors():
    return {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1.0, 2.0, 3.0, 4.0])}


def test_round_trip_of_views_shared_storage_and_integers(tmp_path):
    base = torch.randn(3, 4, dtype=torch.float64)
    tensors = {"t": base.T, "row": base[1], "again": base, "index": torch.arange(5)}
    save_checkpoint(tmp_path / "x.safetensors", tensors, {"step": "60"})
    loaded = load_checkpoint(tmp_path / "x.safetensors")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    assert load_metadata(tmp_path / "x.safetensors") == {"step": "60"}


def test_equal_content_has_equal_bytes(tmp_path, tensors):
    texts = {str(i): "x" * i for i in range(8)}
    for name in ("one", "other"):
        save_checkpoint(tmp_path / name, tensors, texts)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert load_metadata(tmp_path / "one") == texts


def test_expected_names_and_shapes_pass(tmp_path, tensors):
    save_checkpoint(tmp_path / "x", tensors)
    assert load_checkpoint(tmp_path / "x", SHAPES).keys() == SHAPES.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("b"), "lacks the tensor b: it should hold a, b"),
        (
            lambda t: t.update(c=torch.ones(1)),
            "unexpected tensor c: it should hold a, b and nothing",
        ),
        (lambda t: t.update(a=torch.ones(3, 2)), r"tensor a has shape \[3, 2\].*asks for \[2, 3\]"),
        (lambda t: t["a"][0].fill_(torch.nan), "3 of the 6 entries of the tensor a are NaN or inf"),
        (
            lambda t: t["b"][:1].fill_(-torch.inf),
            "1 of the 4 entries of the tensor b are NaN or inf",
        ),
    ],
    ids=["missing", "extra", "shape", "nan", "infinite"],
)
def test_other_tensors_are_refused(tmp_path, tensors, change, message):
    change(tensors)
    save_checkpoint(tmp_path / "x", tensors)
    with pytest.raises(LambdascopeError, match=message):
        load_checkpoint(tmp_path / "x", SHAPES)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, tensors, share):
    path = tmp_path / "x"
    save_checkpoint(path, tensors)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(LambdascopeError, match="truncated or is no safetensors file"):
        load_checkpoint(path)


def test_a_pickle_is_refused_unread(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "x")
    with pytest.raises(LambdascopeError, match="is no safetensors file"):
        load_checkpoint(tmp_path / "x")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LambdascopeError, match=r"step_000060\.safetensors does not exist"):
        load_checkpoint(tmp_path / "step_000060.safetensors")
