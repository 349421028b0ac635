"""Chromium for tests of pages: Debian's, or whatever stands under one of its names."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the page: no updates, no lookups of its own; CI runs as root, without a sandbox.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Opened:
    """A page in a browser, what it said and asked for, and how long it took to draw."""

    page: Any
    session: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def seconds_of_work(self) -> float:
        """Time that the page's main thread has worked."""
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    def shown(self) -> dict[str, str]:
        """The checkpoint that each panel shows."""
        return self.page.evaluate(
            "() => Object.fromEntries([...document.querySelectorAll('[data-panel]')]"
            ".map((figure) => [figure.dataset.panel, figure.dataset.checkpoint]))"
        )


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(_NAMES)} is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


def opened(browser: Any, path: Path, width: int = 1280, height: int = 900) -> Opened:
    """A page, once all its charts are drawn."""
    page = browser.new_page(viewport={"width": width, "height": height})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    found = Opened(page, session)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    return found


def serious_findings(page: Any) -> list[str]:
    """What axe-core finds that keeps somebody from using the page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
