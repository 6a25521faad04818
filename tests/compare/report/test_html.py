"""report.html is one file that holds together, whatever the names in it are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.compare.comparison import Comparison, Fit, Lean
from imagesmith.compare.report.html import html
from imagesmith.compare.report.markdown import markdown
from imagesmith.compare.report.table import table
from imagesmith.compare.run import Step
from imagesmith.compare.scenario import Scenario
from tests.compare.report.made import (
    FIGURES,
    SPOILT,
    comparison_of,
    outcome_of,
    quiet,
    static_one,
    with_noise,
)

VOID = {"meta", "link"}
EVIL = "<script>alert(1)</script>"
SMALL = comparison_of(runs=1, scenarios=[Scenario.HOT])


class Page(HTMLParser):
    """The page's elements and text; every element that was opened has to be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [found for _, attrs in self.elements if (found := attrs.get(attribute)) is not None]


PAGES = {
    "full": comparison_of(runs=2),
    "noise": with_noise(comparison_of(runs=1)),
    "static": static_one(),
}


@pytest.mark.parametrize("comparison", PAGES.values(), ids=PAGES)
def test_it_is_well_formed_and_what_it_refers_to_is_in_it(comparison: Comparison) -> None:
    page = Page(html(comparison, FIGURES))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    labels = [name for value in page.values("aria-labelledby") for name in value.split()]
    fills = re.findall(r"url\(#([^)]+)\)", " ".join(page.values("fill")))
    links = [value.removeprefix("#") for value in page.values("href") if value != "data:,"]
    assert {*labels, *fills, *links} <= set(ids)
    assert page.elements[0] == ("html", {"lang": "en"})


@pytest.mark.parametrize("comparison", PAGES.values(), ids=PAGES)
def test_it_needs_nothing_but_itself(comparison: Comparison) -> None:
    text = html(comparison, FIGURES)
    page = Page(text)
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "img", "iframe", "object", "embed", "base", "form"}
    )
    assert page.values("src") == page.values("srcset") == []
    assert all(value.startswith(("#", "data:,")) for value in page.values("href"))
    assert not re.search(r"@import|@font-face|url\((?!#)", text)
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_each_picture_says_what_it_shows() -> None:
    page = Page(html(PAGES["full"], FIGURES))
    pictures = [
        attrs for tag, attrs in page.elements if tag == "svg" and "aria-hidden" not in attrs
    ]
    assert len(pictures) == 8
    assert all(attrs["role"] == "img" for attrs in pictures)
    titles = [tag for tag, _ in page.elements].count("desc")
    assert titles == 4


def test_a_name_that_is_a_script_stays_text() -> None:
    hot = outcome_of(Scenario.HOT, 1)
    run = replace(hot.runs[0], steps=[Step(6.0, EVIL)])
    load = replace(run.load, requests=[replace(item, failure=EVIL) for item in run.load.requests])
    comparison = replace(
        SMALL,
        name=EVIL,
        old=EVIL,
        new=f'"{EVIL}',
        verdict=replace(
            SMALL.verdict, says=EVIL, leans=[Lean("state", Fit.PET, f"`{EVIL}`", decides=True)]
        ),
        planned=replace(SMALL.planned, reasons=[EVIL]),
        outcomes=[replace(hot, noise=EVIL, runs=[replace(run, load=load)])],
    )
    text = html(comparison, FIGURES)
    assert "<script" not in text
    assert Page(text).text.count(EVIL) > 10


@given(st.text(), st.text())
def test_any_text_is_shown_as_it_is(name: str, says: str) -> None:
    comparison = replace(static_one(), name=name, planned=replace(SMALL.planned, reasons=[says]))
    text = html(comparison, FIGURES)
    text.encode()
    page = Page(text)
    assert [tag for tag, _ in page.elements if tag != "code"] == PLAIN
    if name.isprintable():
        assert name in page.text


PLAIN = [tag for tag, _ in Page(html(static_one(), FIGURES)).elements if tag != "code"]


def test_a_scenario_that_means_nothing_says_why_and_so_does_one_that_was_not_run() -> None:
    page = Page(html(PAGES["noise"], FIGURES))
    assert page.text.count("Means nothing: the probe sent requests up to 0.8 s late") == 2
    assert "Not run: the change cannot go hot: OTP changes from 26 to 27" in page.text
    assert page.text.count(SPOILT) == 2
    assert any("meaningless" in value for value in page.values("class"))


def test_what_was_not_asked_has_no_row() -> None:
    """A worker holds no connection, and may answer no request."""
    page = Page(html(quiet(comparison_of(runs=1)), FIGURES))
    assert "Memory of all containers" in page.text
    assert "Live connections" not in page.text
    assert "Latency, p50" not in page.text
    page = Page(html(quiet(comparison_of(runs=1), requests=True), FIGURES))
    assert "Latency, p50" in page.text
    assert "Live connections" not in page.text
    assert "Answers, by version, hot" in page.text


def test_what_failed_in_the_crash_is_no_failure_of_the_change() -> None:
    page = Page(html(SMALL, FIGURES))
    assert "But for the crash, of 200 connections 200 were live at the least, and no request" in (
        page.text
    )
    assert "Requests that failed:" not in page.text
    recreated = Page(html(comparison_of(runs=1, scenarios=[Scenario.RECREATE]), FIGURES)).text
    counted = re.search(
        r"least, and (\d+) requests failed\. Requests that failed: ([^.]*)", recreated
    )
    assert counted is not None
    assert "status 503" not in counted[2]
    assert sum(map(int, re.findall(r"\((\d+)\)", counted[2]))) == int(counted[1])


def test_a_run_that_ended_early_says_why_everywhere() -> None:
    outcome = SMALL.outcomes[0]
    run = replace(outcome.runs[0], trouble="Docker was gone")
    comparison = replace(SMALL, outcomes=[replace(outcome, runs=[run])])
    for text in (
        Page(html(comparison, FIGURES)).text,
        markdown(comparison, FIGURES),
        " ".join(table(comparison, FIGURES)),
    ):
        assert "un 1 ended early: Docker was gone" in text


def test_without_docker_it_has_costs_and_plan_only() -> None:
    page = Page(html(PAGES["static"], FIGURES))
    assert "Nothing was run: no Docker answered" in page.text
    assert "A day: 5 deploys to 4 hosts" in page.text
    assert "svg" not in {tag for tag, _ in page.elements}
