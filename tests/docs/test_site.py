"""The documentation as a site: complete, built strictly, and at home without a network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lambdascope as ls
from lambdascope.estimates.verdict import Status

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages_of(entry: object) -> list[str]:
    """The pages that a part of the navigation names, in their order."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in pages_of(part)]


def test_every_page_is_in_the_navigation_once() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(pages_of(settings["nav"])) == sorted(there)


def test_every_public_name_is_documented_once() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    assert sorted(re.findall(r"^::: lambdascope\.(\w+)$", text, re.MULTILINE)) == sorted(ls.__all__)


@pytest.mark.slow
def test_the_site_is_built_strictly_and_asks_nothing_of_other_machines(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]
    built = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pages = {page.relative_to(tmp_path).as_posix(): page for page in tmp_path.rglob("*.html")}
    assert {"index.html", "api/samplers.html", "how-to/read-a-verdict.html"} <= set(pages)
    fetched = re.compile(
        r'<(?:script|img|iframe)[^>]*\ssrc="?(?:https?:)?//|<link[^>]*\shref="?http'
    )
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8")
        assert not fetched.search(text.replace('<link rel="canonical"', "")), name
        assert "--8&lt;--" not in text, name
        assert "--8<--" not in text, name
    assert "drift is half of it" in pages["conventions.html"].read_text(encoding="utf-8")
    assert "ε, in parameter²" in pages["api/samplers.html"].read_text(encoding="utf-8")


def test_every_verdict_is_explained() -> None:
    page = (DOCS / "how-to/read-a-verdict.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z ]+)` \|", page.split("## What")[0], re.MULTILINE)
    assert sorted(explained) == sorted(Status)
