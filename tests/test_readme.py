"""What the README shows is what works."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from lambdascope.cli.parsing import declaration, parse

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [line for block in blocks("sh") for line in block.splitlines() if line.startswith("lambda")],
)
def test_every_command_shown_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)
    assert words[0] == "lambdascope"
    assert type(parse(words[1:])) is declaration(words[1])


def test_every_file_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    missing = [link for link in links if not (Path(__file__).parents[1] / link).exists()]
    assert missing == []


@pytest.mark.slow
def test_the_lines_of_python_run(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    inputs, targets = torch.randn(512, 3), torch.randint(0, 4, (512,))
    model = torch.nn.Linear(3, 4)
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=100)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        return loss

    optimiser.step(closure)
    (block,) = blocks("python")
    names = {"model": model, "inputs": inputs, "targets": targets}
    exec(block, names)
    assert capsys.readouterr().out.split()[-1] in ("converged", "samples")
    # Sixteen weights, four directions of which leave the softmax as it is: λ̂ is near (16 − 4) / 2.
    assert 4.5 < names["est"].llc < 7.5
