"""A one-hidden-layer network that multiplies complex numbers.

(a, b, c, d)  ↦  ((a + bi)(c + di)),    network V·act(U x + u) + v
"""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.losses import GaussianNLL
from lambdascope.posterior.scalars import non_negative
from lambdascope.theory import LearningCoefficient
from lambdascope.theory.checks import whole
from lambdascope.toys.toy import Toy

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "quadratic": torch.square,
    "silu": nn.functional.silu,
    "relu": nn.functional.relu,
}
_PROBED = 100
_SOURCE = "regular in the 2 × 15 coefficients of quadratic polynomials of 4 variables"


class ProductNetwork(nn.Module):
    """Two linear maps, one for each operand, summed; an activation; a linear map to two numbers.

    Args:
        hidden_size: Hidden units.
        activation: quadratic, silu or relu.
    """

    def __init__(self, hidden_size: int, activation: str) -> None:
        super().__init__()
        self.activation = activation
        self.left = nn.Linear(2, hidden_size)
        self.right = nn.Linear(2, hidden_size)
        self.output = nn.Linear(hidden_size, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [batch, 2] of inputs [batch, 4], real and imaginary parts in turn."""
        hidden = self.left(inputs[:, :2]) + self.right(inputs[:, 2:])
        return self.output(ACTIVATIONS[self.activation](hidden))


def complex_multiplication(
    activation: str = "quadratic",
    *,
    hidden_size: int = 20,
    num_samples: int = 2000,
    noise_std: float = 0.0,
    num_steps: int = 3000,
    seed: int = 0,
) -> Toy:
    """A trained network, with its training data; loss ½‖y − f(x)‖².

    With quadratic units the network is a quadratic polynomial in its four inputs, and every such
    polynomial can be reached: 15 coefficients for each of two outputs. Where the differential of
    weights ↦ coefficients has full rank, the model is regular in the coefficients, and λ = 30/2.
    That is checked at the trained weights; `exact` is None where it fails, and for other
    activations.

    Args:
        activation: quadratic, silu or relu.
        hidden_size: Hidden units.
        num_samples: n, inputs standard normal.
        noise_std: Standard deviation of the noise on the targets.
        num_steps: Steps of training.
        seed: Of data and initial weights.

    Raises:
        LambdascopeError: for an unknown activation or impossible numbers.
    """
    if activation not in ACTIVATIONS:
        raise LambdascopeError(f"activation={activation!r}: {', '.join(ACTIVATIONS)} are accepted.")
    hidden_size = whole("hidden_size", hidden_size, 1)
    num_samples = whole("num_samples", num_samples, 1)
    num_steps = whole("num_steps", num_steps, 1)
    noise_std = non_negative("noise_std", noise_std)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(whole("seed", seed, 0))
        network = ProductNetwork(hidden_size, activation)
        inputs = torch.randn(num_samples, 4)
        a, b, c, d = inputs.T
        products = torch.stack([a * c - b * d, a * d + b * c], dim=1)
        targets = products + noise_std * torch.randn(num_samples, 2)
    train(network, inputs, targets, num_steps=num_steps)
    exact = None
    if activation == "quadratic" and _differential_rank(network, inputs) == 30:
        exact = LearningCoefficient(15.0, 1, _SOURCE)
    return Toy(
        f"complex multiplication, {activation}, {hidden_size} hidden",
        network,
        (inputs, targets),
        GaussianNLL(),
        exact,
    )


def train(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    num_steps: int,
    learning_rate: float = 0.02,
) -> None:
    """Adam on all data, its rate falling to zero along a half cosine; changes `network`.

    Args:
        network: Moves.
        inputs: [sample, ...].
        targets: [sample, output].
        num_steps: Steps.
        learning_rate: Of the first step.
    """
    loss, parameters = GaussianNLL(), list(network.parameters())
    optimiser = torch.optim.Adam(parameters, lr=learning_rate)
    for step in range(num_steps):
        optimiser.param_groups[0]["lr"] = (
            learning_rate * (1 + math.cos(math.pi * step / num_steps)) / 2
        )
        optimiser.zero_grad()
        loss(network(inputs), targets).mean().backward()
        optimiser.step()
    for parameter in parameters:
        parameter.grad = None


def _differential_rank(network: nn.Module, inputs: Tensor) -> int:
    """Rank of the differential of the outputs at a few inputs as a function of the weights."""
    precise = copy.deepcopy(network).double()
    weights = dict(precise.named_parameters())
    few = inputs[:_PROBED].double()
    jacobian = jacrev(lambda values: functional_call(precise, values, (few,)))(weights)
    columns = [part.detach().reshape(2 * len(few), -1) for part in jacobian.values()]
    return int(torch.linalg.matrix_rank(torch.cat(columns, dim=1), rtol=1e-9))
