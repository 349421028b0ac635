"""The older code's files; those in tests/data/legacy are from a real run of it."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from lambdascope.errors import LambdascopeError
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.data import label_table
from lambdascope.modular_addition.legacy import (
    legacy_data,
    read_checkpoints,
    read_params,
    read_weights,
)
from lambdascope.modular_addition.network import ModularAdditionMLP

EXAMPLE = Path(__file__).parent.parent / "data" / "legacy"
SUFFIX = "P53_frac0.95_hid32_emb16_tieunembedFalse_tielinFalse_freezeFalse_run0.pt"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "legacy"))


def edit(folder, **changes):
    path = folder / "53_0.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v != "REMOVED"}))
    return path


def read_all(folder):
    params = read_params(folder / "53_0.json")
    return read_checkpoints(folder, params, params.train_config())


@pytest.mark.parametrize(
    ("step", "train_loss", "test_loss"),
    [
        (0, 4.018539, 4.051230),
        (1950, 0.018645, 0.601020),
    ],
)
def test_the_weights_have_their_losses_on_the_reconstructed_split(step, train_loss, test_loss):
    params = read_params(EXAMPLE / "53_0.json")
    config = params.train_config()
    data = legacy_data(config.p, params.train_frac, config.task, params.random_seed)
    assert (len(data.train_index), len(data.test_index)) == (2668, 141)
    (checkpoint,) = [c for c in read_checkpoints(EXAMPLE, params, config) if c.step == step]
    model = ModularAdditionMLP(config)
    model.load_state_dict(checkpoint.weights)
    for (inputs, targets), expected in ((data.train, train_loss), (data.test, test_loss)):
        loss = cross_entropy(model.double()(inputs), targets).item()
        assert loss == pytest.approx(expected, abs=6e-7)


def test_steps_come_from_the_names_and_the_final_weights_are_the_last():
    checkpoints = read_all(EXAMPLE)
    assert [c.step for c in checkpoints] == [0, 1000, 1950, 2000]
    assert checkpoints[1].file == f"CHECKPOINT_20_{SUFFIX}"
    assert checkpoints[3].file == f"model_{SUFFIX}"


def test_the_settings_are_told_in_our_terms():
    config = read_params(EXAMPLE / "53_0.json").train_config()
    assert config == TrainConfig(
        p=53,
        train_fraction=0.95,
        embed_dim=16,
        hidden_size=32,
        weight_decay=0.0,
        num_steps=2000,
        num_checkpoints=41,
    )
    assert config.checkpoint_steps[20] == 1000


def test_a_random_run_of_quadratic_units_is_told_in_our_terms(folder):
    path = edit(folder, use_random_dataset=True, activation="quad", num_no_weight_decay_steps=300)
    params = read_params(path)
    assert params.suffix.startswith("RANDOM_P53_frac0.95")
    config = params.train_config()
    assert (config.task, config.activation) == ("random", "quadratic")
    # The option had no effect in the older code, and the settings say what was done.
    assert config.num_final_steps_without_weight_decay == 0
    assert params.train_config("commutative_random").task == "commutative_random"


@pytest.mark.parametrize("p", [2, 5, 23, 113])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_split_is_a_seeded_shuffle_of_the_order_of_a_set(p, seed):
    pairs = []
    for a in range(p):
        for b in range(p):
            pairs.append((a, b))
    ordered = list(set(pairs))
    numbers = list(range(p * p))
    state = random.getstate()
    random.seed(seed)
    random.shuffle(numbers)
    random.setstate(state)
    data = legacy_data(p, 0.7, "addition", seed)
    train = [ordered[number] for number in numbers[: int(0.7 * p * p)]]
    assert [tuple(pair) for pair in data.train[0].tolist()] == train
    assert len(set(train) | {tuple(pair) for pair in data.test[0].tolist()}) == p * p


@pytest.mark.parametrize("task", ["random", "commutative_random"])
def test_labels_are_the_tables_of_the_seed(task):
    data = legacy_data(11, 0.5, task, 4)
    inputs, targets = data.test
    assert torch.equal(targets, label_table(11, task, 4)[inputs[:, 0], inputs[:, 1]])


def test_another_python_cannot_reconstruct_the_split(monkeypatch):
    monkeypatch.setattr("sys.maxsize", 2**31 - 1)
    with pytest.raises(LambdascopeError, match="only be reconstructed by a 64-bit CPython"):
        legacy_data(5, 0.5, "addition", 0)


def legacy_logits(state, a, b, tie_linear, tie_unembed):
    """The older code's forward pass."""
    e = state["embedding.weight"]
    left = "linear1r" if tie_linear else "linear1l"
    x = e[a] @ state[f"{left}.weight"].T + state[f"{left}.bias"]
    x = x + e[b] @ state["linear1r.weight"].T + state["linear1r.bias"]
    x = torch.nn.functional.gelu(x) @ state["linear2.weight"].T
    return (x + state["linear2.bias"]) @ e.T if tie_unembed else x


@pytest.mark.parametrize("tie_linear", [False, True])
@pytest.mark.parametrize("tie_unembed", [False, True])
def test_weights_compute_what_they_did(tmp_path, tie_linear, tie_unembed):
    random_stream = torch.Generator().manual_seed(0)
    shapes = {"embedding.weight": (7, 3)}
    for name in ("linear1r", "linear1l"):  # both are in the file, tied or not
        shapes |= {f"{name}.weight": (5, 3), f"{name}.bias": (5,)}
    shapes |= (
        {"linear2.weight": (3, 5), "linear2.bias": (3,)}
        if tie_unembed
        else {"linear2.weight": (7, 5)}
    )
    state = {n: torch.randn(shape, generator=random_stream) for n, shape in shapes.items()}
    torch.save(state, tmp_path / "x.pt")
    config = TrainConfig(
        p=7, embed_dim=3, hidden_size=5, tie_linear=tie_linear, tie_unembed=tie_unembed
    )
    model = ModularAdditionMLP(config)
    model.load_state_dict(read_weights(tmp_path / "x.pt", config))
    a, b = torch.tensor([0, 3, 6]), torch.tensor([5, 3, 1])
    expected = legacy_logits(state, a, b, tie_linear, tie_unembed)
    torch.testing.assert_close(model(torch.stack([a, b], 1)), expected)


class Evil:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_pickled_code_is_refused_and_not_executed(folder, tmp_path):
    torch.save({"embedding.weight": Evil(f"touch {tmp_path}/executed")}, folder / f"model_{SUFFIX}")
    with pytest.raises(LambdascopeError, match="holds more than tensors, which is refused unexec"):
        read_all(folder)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(folder, share):
    path = folder / f"CHECKPOINT_20_{SUFFIX}"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(LambdascopeError, match=r"CHECKPOINT_20_P53.*is truncated or"):
        read_all(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("linear1l.bias"), r"lacks the tensor linear1l\.bias"),
        (lambda s: s.update(x=torch.ones(1)), "holds the unexpected tensor x"),
        (
            lambda s: s.update({"linear2.weight": torch.ones(53, 48)}),
            r"linear2\.weight has shape \[53, 48\], where the parameters ask for \[53, 32\]",
        ),
        (
            lambda s: s["embedding.weight"][3].fill_(torch.nan),
            r"embedding\.weight holds NaN or an infinity",
        ),
        (lambda s: s.update(x=3), "should hold a state dict: a tensor for each name"),
    ],
    ids=["missing", "extra", "shape", "nan", "no tensor"],
)
def test_weights_of_another_run_are_refused(folder, change, message):
    path = folder / f"CHECKPOINT_0_{SUFFIX}"
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    with pytest.raises(LambdascopeError, match=message):
        read_all(folder)


def test_a_bare_tensor_is_no_state_dict(folder):
    torch.save(torch.ones(3), folder / f"model_{SUFFIX}")
    with pytest.raises(LambdascopeError, match="should hold a state dict"):
        read_all(folder)


def test_files_of_other_settings_do_not_match(folder):
    edit(folder, hidden_size=48)
    with pytest.raises(LambdascopeError, match=r"no weights of this run: .*CHECKPOINT_0_P53_frac"):
        read_all(folder)


def test_more_checkpoints_than_steps_are_refused(folder):
    edit(folder, n_batches=1000, n_save_model_checkpoints=4)
    with pytest.raises(LambdascopeError, match=r"before step 9750, .* n_batches=1000"):
        read_all(folder)


def test_a_missing_folder_or_file_is_named(tmp_path):
    with pytest.raises(LambdascopeError, match=r"53_0\.json cannot be read \(No such file"):
        read_params(tmp_path / "53_0.json")
    params = read_params(EXAMPLE / "53_0.json")
    with pytest.raises(LambdascopeError, match=r"checkpoints folder .*nowhere does not exist"):
        read_checkpoints(tmp_path / "nowhere", params, params.train_config())
    with pytest.raises(LambdascopeError, match=r"weights .*model\.pt do not exist"):
        read_weights(tmp_path / "model.pt", params.train_config())


@pytest.mark.parametrize("content", ["", '{"p": 53', "\N{SNOWMAN}"])
def test_parameters_that_are_no_json_are_refused(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(
        LambdascopeError, match=r"x\.json cannot be read .* JSON file that the older"
    ):
        read_params(tmp_path / "x.json")


def test_parameters_that_are_no_object_are_refused(tmp_path):
    (tmp_path / "x.json").write_text("[53]")
    with pytest.raises(LambdascopeError, match="should hold one JSON object"):
        read_params(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"random_seed": "REMOVED"}, "random_seed is required"),
        ({"activation": "tanh"}, "activation='tanh': .*'relu', 'gelu' or 'quad'"),
        ({"exceptions": 3}, "exceptions is not a setting of LegacyParams"),
        ({"n_batches": 0}, "n_batches=0"),
    ],
)
def test_impossible_parameters_are_refused(folder, changes, message):
    with pytest.raises(LambdascopeError, match=message):
        read_params(edit(folder, **changes))
