"""What the README and the pages under docs/ show is what works: every block of code is tried."""

import ast
import dataclasses
import importlib.util
import inspect
import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import lambdascope as ls
from lambdascope.cli.parsing import declaration, parse
from lambdascope.commands.sweep import Sweep
from lambdascope.estimates import LLCEstimate
from lambdascope.estimates.verdict import Demands
from lambdascope.hessian import HessianOperator, hessian_spectrum

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TRIED = ("python", "sh", "toml")
OTHER_PROGRAMS = ("pip", "ray")


class Block(NamedTuple):
    page: str
    language: str
    text: str


def name_of(page: Path) -> str:
    """Below docs/, or of the repository: pages in different folders share names."""
    return page.relative_to(ROOT).as_posix().removeprefix("docs/")


def blocks_of(page: Path) -> Iterator[Block]:
    """Fenced blocks by their language; indented ones as formulas or shell lines."""
    text = page.read_text(encoding="utf-8")
    fence = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.DOTALL | re.MULTILINE)
    for indent, language, body in fence.findall(text):
        body = textwrap.dedent(body) if indent else body
        yield Block(name_of(page), language, body)
    for line in fence.sub("", text).splitlines():
        if re.match(r" {4}(lambdascope|python|make) ", line):
            yield Block(name_of(page), "sh", line.strip())


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
LINES = [
    (block.page, line.strip())
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.replace("\\\n", " ").splitlines()
    if line.strip()
]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    assert {block.language for block in BLOCKS} <= set(TRIED)
    assert {page for page, _ in LINES} >= {"README.md", "circuits.md", "sweeps.md"}
    assert any(block.page == "README.md" for block in PYTHON)


@pytest.mark.parametrize(("page", "line"), LINES)
def test_every_shell_line_is_understood(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "lambdascope":
        assert type(parse(words[1:])) is declaration(words[1])
    elif words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in words[1:])
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]) is not None
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file()
    else:
        assert words[0] in OTHER_PROGRAMS


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"])
def test_every_sweep_is_a_sweep(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(block.text, encoding="utf-8")
    assert Sweep(path, tmp_path / "out").plan.cells


@pytest.mark.parametrize("block", PYTHON)
def test_every_call_has_arguments_that_exist(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "ls":
            assert hasattr(ls, node.attr)
        if isinstance(node, ast.Call) and getattr(node.func, "value", None) is not None:
            if getattr(node.func.value, "id", "") != "ls":
                continue
            parameters = inspect.signature(getattr(ls, node.func.attr)).parameters
            if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
                assert {keyword.arg for keyword in node.keywords} <= set(parameters)


@pytest.mark.parametrize("page", PAGES, ids=map(name_of, PAGES))
def test_every_file_linked_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_speeds_are_those_measured() -> None:
    results = json.loads((ROOT / "benchmarks/results/llc_throughput.json").read_text("utf-8"))
    median = {row["name"]: row["us_per_chain_step"]["median"] for row in results["rows"]}

    def ways(prefix: str) -> str:
        of_one = [round(value) for name, value in median.items() if name.startswith(prefix)]
        return f"{min(of_one)}–{max(of_one)}"

    ours = round(median["lambdascope_100"])
    line = f"| {ours} | {ways('devinterp')} | {ways('canonical')} |"
    assert line in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_column_of_an_estimate_is_explained() -> None:
    page = (ROOT / "docs/conventions.md").read_text(encoding="utf-8")
    section = page.split("### The columns of llc.csv")[1].split("\n## ")[0]
    fields = {field.name: 1 for field in dataclasses.fields(LLCEstimate) if field.init}
    one = LLCEstimate(**{**fields, "demands": Demands()})
    columns = set(ls.LLCCurve([one]).to_dataframe().columns)
    assert columns - set(re.findall(r"`(\w+)`", section)) == set()


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [ls.__version__]


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in PYTHON}))
def test_the_lines_of_python_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page's blocks one after the other, with a trained classifier and regression at hand."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    inputs, targets = torch.randn(512, 3), torch.randint(0, 4, (512,))
    x = torch.linspace(-1, 1, 400)[:, None]
    y = torch.sin(3 * x) + torch.randn(400, 1)
    model = torch.nn.Linear(3, 4)
    regressor = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    fit(model, inputs, targets, torch.nn.functional.cross_entropy)
    fit(regressor, x, y, torch.nn.functional.mse_loss)
    names = {"model": model, "inputs": inputs, "targets": targets}
    names |= {"regressor": regressor, "x": x, "y": y}
    for block in PYTHON:
        if block.page == page:
            exec(block.text, names)
    if page == "README.md":
        assert "converged" in capsys.readouterr().out
        # What the Hessian alone makes of it; the loss around so few samples is no parabola.
        around = ls.LocalPosterior(
            names["model"], (names["inputs"], names["targets"]), loss=ls.cross_entropy
        )
        spectrum = hessian_spectrum(HessianOperator(around))
        quadratic, _ = spectrum.effective_dimension(5.0 / around.nbeta)
        assert names["est"].llc == pytest.approx(quadratic, rel=0.1)


def fit(model: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor, loss) -> None:
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=100)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(model(inputs), targets)
        value.backward()
        return value

    optimiser.step(closure)
