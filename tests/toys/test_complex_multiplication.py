import pytest
import torch

import lambdascope as ls
from lambdascope.toys import complex_multiplication


def test_the_quadratic_network_learns_it_exactly_and_is_regular_there():
    toy = complex_multiplication(num_samples=400)
    posterior = toy.posterior()
    assert posterior.initial_loss < 1e-9
    assert posterior.num_parameters == 2 * 20 * 3 + 2 * 20 + 2
    assert (toy.exact.llc, toy.exact.multiplicity) == (15, 1)
    a, b = torch.tensor([1.5, -0.5]), torch.tensor([0.25, 2.0])
    expected = torch.view_as_real(torch.view_as_complex(a) * torch.view_as_complex(b))
    with torch.no_grad():
        assert torch.allclose(toy.module(torch.cat([a, b])[None])[0], expected, atol=1e-3)


def test_with_too_few_units_no_answer_is_claimed():
    # 4 units give at most 4·7 + 2 − 4 directions, fewer than 30.
    assert complex_multiplication(hidden_size=4, num_samples=200, num_steps=50).exact is None


@pytest.mark.parametrize("activation", ["silu", "relu"])
def test_other_activations_have_no_exact_answer_but_learn(activation):
    toy = complex_multiplication(activation, num_samples=400, num_steps=1500)
    assert toy.exact is None
    assert toy.posterior().initial_loss < 0.1


def test_training_repeats_itself_and_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    one = complex_multiplication(num_samples=50, num_steps=20, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    two = complex_multiplication(num_samples=50, num_steps=20, seed=4)
    assert torch.equal(one.posterior().w_star, two.posterior().w_star)


def test_bad_input():
    with pytest.raises(ls.LambdascopeError, match="activation='tanh': quadratic, silu, relu"):
        complex_multiplication("tanh")
    with pytest.raises(ls.LambdascopeError, match="hidden_size=0: an integer ≥ 1"):
        complex_multiplication(hidden_size=0)
