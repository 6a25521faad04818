"""report.html as Chromium shows it: at three widths, in light and dark, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagesmith.compare.comparison import Comparison
from imagesmith.compare.report.html import html
from imagesmith.compare.run import Phase
from imagesmith.compare.scenario import Scenario
from tests.compare.report.browser import Browser, Page, a_browser
from tests.compare.report.made import (
    FIGURES,
    comparison_of,
    quiet,
    static_one,
    with_noise,
)

pytestmark = pytest.mark.oracle

PROBE = Path(__file__).with_name("probe.js").read_text()
PHONE, TABLET, DESK = 360, 800, 1400
A4 = 1009
"""Pixels of an A4 page between margins of 15 mm, at CSS's 96 to the inch."""

FULL = comparison_of()
LONG = "w" * 300


def named_at_length(comparison: Comparison) -> Comparison:
    """With names that no line has room for."""
    return replace(
        comparison,
        name=LONG,
        old=LONG,
        new=f"{LONG}1",
        planned=replace(comparison.planned, reasons=[LONG]),
    )


def lasting(comparison: Comparison, seconds: float) -> Comparison:
    """On an axis on which all that was done is crowded at the left."""
    outcome = comparison.outcomes[0]
    run = outcome.runs[0]
    end = run.phases[Phase.END]
    longer = replace(
        run,
        load=replace(run.load, seconds=run.load.seconds + seconds),
        phases={**run.phases, Phase.END: replace(end, ended=end.ended + seconds)},
    )
    return replace(comparison, outcomes=[replace(outcome, runs=[longer]), *comparison.outcomes[1:]])


PAGES = {
    "full": FULL,
    "once": comparison_of(runs=1),
    "noise": with_noise(FULL),
    "long": named_at_length(comparison_of(runs=1, scenarios=[Scenario.HOT])),
    "lasting": lasting(comparison_of(runs=1), 150),
    "worker": quiet(comparison_of(runs=1), requests=True),
    "idle": quiet(comparison_of(runs=1)),
    "static": static_one(),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as found:
        yield found


def look(
    browser: Browser, page_of: Path, width: int, *, dark: bool = False, paper: bool = False
) -> dict[str, Any]:
    """What the probe found, and what the browser asked for and complained of."""

    async def visit(page: Page) -> dict[str, Any]:
        await page.open(page_of, width=width, dark=dark)
        if paper:
            await page.scheme("dark" if dark else "light", media="print")
        found: dict[str, Any] = await page.evaluate(PROBE)
        return {**found, "requests": page.requests, "complaints": page.complaints}

    return browser.visit(visit)


@pytest.fixture(scope="module", params=PAGES)
def page_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html(PAGES[request.param], FIGURES))
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, TABLET, DESK])
def test_it_fits_and_can_be_read(browser: Browser, page_of: Path, width: int, dark: bool) -> None:
    found = look(browser, page_of, width, dark=dark)
    assert found["requests"] == [page_of.as_uri()], "it asks for nothing but itself"
    assert found["complaints"] == []
    assert found["width"] == width
    assert found["needs"] <= width, "the page does not scroll to the side"
    assert found["empty"] == [], "every picture has a size"
    assert found["outside"] == [], "no text leaves its picture"
    assert found["overlapping"] == []
    assert found["pale"] == [], "text is 4.5 times as light or dark as its ground"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_light_on_paper_and_no_picture_is_cut(
    browser: Browser, page_of: Path, dark: bool
) -> None:
    found = look(browser, page_of, 680, dark=dark, paper=True)
    assert found["paper"] == "rgb(255, 255, 255)"
    assert found["pale"] == found["overlapping"] == found["outside"] == []
    assert found["scrolled"] == 0, "what would have to be scrolled is lost on paper"
    assert found["tallest"] <= A4


def test_each_timeline_has_a_page_of_its_own(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html(FULL, FIGURES))

    async def print_it(page: Page) -> bytes:
        await page.open(path)
        return await page.print()

    pages = re.findall(rb"/Type\s*/Page\b", browser.visit(print_it))
    assert len(pages) >= 2 + len(FULL.outcomes)


def test_on_a_phone_wide_tables_scroll_in_a_box_of_their_own(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(html(FULL, FIGURES))
    assert look(browser, path, PHONE)["scrolled"] == 1
    assert look(browser, path, DESK)["scrolled"] == 0


def test_the_browser_would_tell(browser: Browser, tmp_path: Path) -> None:
    """What the tests above look for, they find where it is."""
    path = tmp_path / "page.html"
    path.write_text(
        "<!DOCTYPE html><html style='background: #fff'><title>x</title>"
        "<script>console.error('oh')</script><img src='http://127.0.0.1:9/x'>"
        "<p style='color: #999; width: 2000px'>pale</p><svg width='0' height='5'></svg>"
        "<svg width='50' height='20'><text y='12'>one text</text><text y='14'>another</text></svg>"
    )
    found = look(browser, path, DESK)
    assert "http://127.0.0.1:9/x" in found["requests"]
    assert any("oh" in item for item in found["complaints"])
    assert found["needs"] > DESK
    assert len(found["empty"]) == 1
    assert "one text" in found["outside"]
    assert found["overlapping"] == ["one text / another"]
    assert any(item.startswith("pale") for item in found["pale"])
