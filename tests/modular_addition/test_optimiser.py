import pytest
import torch

from lambdascope.modular_addition.optimiser import StackedAdam

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_each_weight_follows_torch_with_its_own_settings(kind, weight_decay):
    random = torch.Generator().manual_seed(0)
    start = torch.randn(2, 5, dtype=torch.float64, generator=random)
    # Gradients over many orders of magnitude, some of them zero: ε and the corrections both show.
    gradients = torch.randn(40, 2, 5, dtype=torch.float64, generator=random)
    gradients *= torch.logspace(-12, 3, 5)
    gradients[:10, 0] = 0.0
    rates = (0.05, 0.0003)
    decays = (weight_decay, 2 * weight_decay)

    def spread(values):
        return torch.tensor(values, dtype=torch.float64).repeat_interleave(5)

    stacked = StackedAdam(start.clone().reshape(-1), spread(rates), spread(decays), kind)
    # The last ten updates go without weight decay.
    for count, gradient in enumerate(gradients, 1):
        stacked.update(gradient.clone().reshape(-1), count, decay=count <= 30)

    for row in range(2):
        weight = torch.nn.Parameter(start[row].clone())
        optimiser = OPTIMISERS[kind]([weight], lr=rates[row], weight_decay=decays[row])
        for count, gradient in enumerate(gradients, 1):
            optimiser.param_groups[0]["weight_decay"] = decays[row] if count <= 30 else 0.0
            weight.grad = gradient[row].clone()
            optimiser.step()
        torch.testing.assert_close(
            stacked.weights.view(2, 5)[row], weight.detach(), rtol=1e-12, atol=1e-14
        )
        moments = optimiser.state[weight]
        torch.testing.assert_close(stacked.first_moment.view(2, 5)[row], moments["exp_avg"])
        torch.testing.assert_close(stacked.second_moment.view(2, 5)[row], moments["exp_avg_sq"])
