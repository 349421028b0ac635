"""The page of a run as a reader has it: in a browser, by mouse and by keyboard, wide and narrow."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from lambdascope.commands.report import report
from lambdascope.reporting import mode_colours
from tests.browsers import Opened, chromium, opened, serious_findings
from tests.report_runs import copied, whole_run

pytestmark = pytest.mark.slow

LAST = 5
PANELS = {
    "llc",
    "formation",
    "loss",
    "accuracy",
    "pictures",
    "magnitudes",
    "losses",
    "traces",
    "pca",
    "hessian",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def path() -> Path:
    return report(whole_run()).path


@pytest.fixture
def run(browser: Any, path: Path) -> Iterator[Opened]:
    found = opened(browser, path)
    yield found
    found.page.close()
    assert found.said == []


def payload(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="payload">(.*?)</script>', text)[1])


def data_of(page: Any, chart: str) -> list[dict[str, Any]]:
    """What a chart draws; arrays that Plotly packed are unpacked."""
    return page.evaluate(
        "(id) => JSON.parse(JSON.stringify(document.getElementById(id).data,"
        " (key, value) => (ArrayBuffer.isView(value) ? [...value] : value)))",
        chart,
    )


def all_at(found: Opened, checkpoint: int) -> bool:
    return found.shown() == dict.fromkeys(PANELS, str(checkpoint))


def test_it_asks_for_nothing_and_says_nothing(browser: Any, path: Path) -> None:
    found = opened(browser, path)
    assert found.asked == [path.as_uri()]
    assert found.said == []
    # Its own thread's time, which other processes don't lengthen.
    assert found.seconds_of_work() < 2.0
    found.page.close()


def test_the_slider_moves_every_panel(run: Opened, path: Path) -> None:
    held = payload(path)
    assert all_at(run, LAST)
    before = {name: data_of(run.page, name) for name in ("chart-traces", "chart-magnitudes")}
    run.page.locator("#slider").focus()
    run.page.keyboard.press("ArrowLeft")
    run.page.keyboard.press("ArrowLeft")
    assert all_at(run, 3)
    # Not the mark alone: what is drawn is that checkpoint's.
    bars = data_of(run.page, "chart-magnitudes")[0]["y"]
    assert bars == held["modes"]["magnitudes"][3] != before["chart-magnitudes"][0]["y"]
    kept, removed = data_of(run.page, "chart-losses")
    assert (kept["y"], removed["y"]) == (held["losses"]["kept"][3], held["losses"]["removed"][3])
    chains = data_of(run.page, "chart-traces")
    assert [chain["y"] for chain in chains] == held["traces"]["3"]["loss"]
    assert chains[0]["y"] != before["chart-traces"][0]["y"]
    dots = run.page.evaluate(
        "() => [...document.querySelectorAll('#pictures svg')].map((picture) =>"
        " [...picture.querySelectorAll('circle')].map((dot) => Number(dot.getAttribute('cx'))))"
    )
    positions = np.array(held["modes"]["positions"][3], dtype=float)
    np.testing.assert_allclose(dots, positions[:, 0] / held["modes"]["limit"], atol=1e-3)
    for chart in ("llc", "circuits", "loss", "accuracy"):
        line = run.page.evaluate(f"document.getElementById('chart-{chart}').layout.shapes[0].x0")
        assert line == held["steps"][3]
    assert run.page.locator("#pca-elsewhere").is_visible()
    readings = run.page.locator("#readings").inner_text()
    assert "3 of 5" in readings
    assert "900" in readings
    assert run.page.locator("tr[aria-current]").first.get_attribute("data-checkpoint") == "3"
    assert "step 900" in run.page.locator("h2", has_text="What the network holds").inner_text()


def test_arrow_keys_move_it_from_anywhere_but_where_they_have_a_use(run: Opened) -> None:
    run.page.locator("h1").click()
    run.page.keyboard.press("ArrowLeft")
    assert all_at(run, 4)
    run.page.keyboard.press("ArrowRight")
    run.page.keyboard.press("ArrowRight")
    assert all_at(run, LAST)  # it ends there
    run.page.locator("#pca-colour").focus()
    run.page.keyboard.press("ArrowLeft")
    assert all_at(run, LAST)
    run.page.locator("#table-estimates").locator("..").focus()
    run.page.keyboard.press("ArrowLeft")
    assert all_at(run, LAST)


def test_everything_can_be_reached_by_the_tab_key(run: Opened) -> None:
    seen = set()
    for _ in range(12):
        run.page.keyboard.press("Tab")
        seen.add(run.page.evaluate("document.activeElement.id"))
    assert {"previous", "play", "next", "slider", "pca-colour"} <= seen


def test_a_click_on_a_curve_chooses_its_checkpoint(run: Opened) -> None:
    chart = run.page.locator("#chart-llc")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    along = chart.evaluate("(it) => it._fullLayout.xaxis._offset + it._fullLayout.xaxis.l2p(300)")
    # At any height; and a little beside the point.
    run.page.mouse.move(box["x"] + along + 20, box["y"] + 120)
    run.page.mouse.click(box["x"] + along + 8, box["y"] + 30)
    run.page.locator("[data-panel=llc][data-checkpoint='1']").wait_for()
    assert all_at(run, 1)


def test_a_row_of_a_table_chooses_its_checkpoint(run: Opened) -> None:
    run.page.get_by_role("button", name="Show checkpoint 2").first.click()
    assert all_at(run, 2)


def test_play_goes_through_all_and_stops(run: Opened) -> None:
    button = run.page.locator("#play")
    button.click()
    assert button.inner_text() == "Pause"
    run.page.locator("#play[aria-pressed=false]").wait_for()
    assert all_at(run, LAST)


def test_a_panel_without_data_here_leads_to_where_there_is(run: Opened) -> None:
    run.page.locator("#previous").click()
    assert run.page.locator("#chart-pca").is_hidden()
    note = run.page.locator("#pca-elsewhere")
    assert "--checkpoints 2,4,5" in note.inner_text()
    note.get_by_role("button", name="checkpoint 2").click()
    assert all_at(run, 2)
    assert run.page.locator("#chart-pca").is_visible()
    spectra = run.page.locator("#hessian-elsewhere")
    assert "lambdascope hessian" in spectra.inner_text()


def test_hovering_shows_numbers(run: Opened) -> None:
    box = run.page.locator("#chart-llc").bounding_box()
    run.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    run.page.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2)
    label = run.page.locator("#chart-llc .hoverlayer")
    label.get_by_text("±").first.wait_for()
    assert "step" in label.text_content()


def test_tables_sort_and_can_be_saved(run: Opened) -> None:
    header = run.page.locator("#table-estimates th", has_text="Test loss")
    cells = run.page.locator("#table-estimates tbody tr td:nth-child(5)")
    for order, sign in (("ascending", 1), ("descending", -1)):
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == order
        values = [float(text) for text in cells.all_inner_texts()]
        assert values == sorted(values, key=lambda value: sign * value)
    for name in ("llc.csv", "circuits.csv", "training.csv"):
        with run.page.expect_download() as saved:
            run.page.get_by_role("link", name=f"Save {name}").click()
        assert saved.value.suggested_filename == name
        assert Path(saved.value.path()).read_bytes() == (whole_run() / name).read_bytes()


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_it_is_readable_and_accessible(browser: Any, path: Path, width: int, height: int) -> None:
    found = opened(browser, path, width, height)
    page = found.page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # Charts fill their panels and end within them.
    for chart in page.locator(".chart").all():
        box = chart.bounding_box()
        if box is not None:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    assert serious_findings(page) == []
    page.locator("#previous").click()
    assert serious_findings(page) == []
    page.close()


def test_names_stay_text(browser: Any, tmp_path: Path) -> None:
    hostile = """<img src=x onerror=alert(1)>"&'%{x}"""
    found = opened(browser, report(copied(tmp_path / hostile)).path)
    assert found.page.locator(".where strong").inner_text() == hostile
    assert found.page.locator("img").count() == 0
    assert found.page.title() == f"{hostile} · lambdascope"
    assert found.said == []
    found.page.close()


def test_a_sparse_run_has_a_page_without_errors(browser: Any, tmp_path: Path) -> None:
    run = copied(tmp_path / "sparse", "llc.csv", "circuits.csv", "chains.csv", "modes.csv")
    found = opened(browser, report(run).path)
    assert found.said == []
    assert found.page.locator("[data-panel=pictures]").get_attribute("data-checkpoint") == "5"
    assert found.page.locator(".missing code").count() == 5
    assert serious_findings(found.page) == []
    found.page.close()
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    (run / "training.csv").unlink()
    found = opened(browser, report(run).path)
    assert found.said == []
    assert found.page.locator("#slider").count() == 0
    found.page.close()


def test_an_eighth_circuit_looks_like_no_other_and_not_like_a_mode_without_one(
    browser: Any, tmp_path: Path
) -> None:
    run = copied(tmp_path / "p13", "chains.csv", "hessian.csv")
    table = pd.read_csv(run / "circuits.csv")
    others = [k for k in range(1, 7) if k not in set(table["frequency"])]
    # p = 13 has six modes; the colours run out at a seventh.
    many = pd.concat([table, *(table.tail(1).assign(frequency=k) for k in others)])
    with mock.patch.object(mode_colours, "_COLOURS", mode_colours._COLOURS[:4]):
        many.to_csv(run / "circuits.csv", index=False)
        found = opened(browser, report(run).path)
    assert found.said == []
    (bars,) = data_of(found.page, "chart-magnitudes")
    looks = set(zip(bars["marker"]["color"], bars["marker"]["pattern"]["shape"], strict=True))
    assert len(looks) == 6
    assert "#b4b9be" not in bars["marker"]["color"]
    traces = data_of(found.page, "chart-circuits")
    bars = [one["line"] for one in traces if one["mode"] == "lines"]
    assert len({(bar["color"], bar["dash"]) for bar in bars}) == 6
    diamonds = [one["marker"]["color"] for one in traces if one["mode"] == "markers"]
    assert len(diamonds) == 6
    assert set(diamonds) == {bar["color"] for bar in bars}
    keys = found.page.locator("#legend-circuits line")
    assert keys.count() == 2
    found.page.close()
