"""report.md is GitHub's Markdown, read here by markdown-it; and what a terminal shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from imagesmith.compare.comparison import Comparison
from imagesmith.compare.report.document import document
from imagesmith.compare.report.html import html
from imagesmith.compare.report.markdown import markdown
from imagesmith.compare.report.picture import picture
from imagesmith.compare.report.table import table
from imagesmith.compare.scenario import Scenario
from tests.compare.report.made import FIGURES, SPOILT, comparison_of, static_one, with_noise

READER = MarkdownIt("commonmark").enable("table")
FULL = comparison_of(runs=3)
SMALL = comparison_of(runs=1, scenarios=[Scenario.HOT])


def tags(text: str) -> list[str]:
    """The elements of what it becomes, in order."""
    return re.findall(r"<(\w+)", READER.render(text))


def test_the_verdict_comes_first_and_every_figure_is_there() -> None:
    text = markdown(FULL, FIGURES)
    shown = READER.render(text)
    assert shown.index("<strong>Pet</strong>") < shown.index("<table>") < shown.index("<details>")
    assert shown.count("<table>") == 11
    assert all(figure.method in unescape(shown) for figure in FIGURES)
    assert tags(text).count("details") == text.count("</details>") == 6


def test_noise_and_what_was_not_run_are_named() -> None:
    text = markdown(with_noise(FULL), FIGURES)
    assert "rolling (noise)" in text
    assert "- hot: Not run: the change cannot go hot" in text
    assert f"- blue-green: {SPOILT}" in text
    assert "| hot |" not in text


def test_without_docker_it_has_costs_and_plan_only() -> None:
    text = markdown(static_one(), FIGURES)
    assert "Nothing was run: no Docker answered" in text
    assert "Sent to each host" in text
    assert "How it was measured" not in text


NOTHING = [tag for tag in tags(markdown(SMALL, FIGURES)) if tag != "code"]


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.split()))
def test_any_name_is_words_and_breaks_no_table(text: str) -> None:
    name = text.strip()
    comparison = replace(
        SMALL,
        name=name,
        planned=replace(SMALL.planned, reasons=[name]),
        machine=replace(SMALL.machine, cpu_model=name) if SMALL.machine else None,
    )
    made = markdown(comparison, FIGURES)
    assert [tag for tag in tags(made) if tag != "code"] == NOTHING


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "a|b", "**b**", "[a](http://b)", "1. a", "- a", "`a", "# a"],
)
def test_what_looks_like_markup_stays_text(name: str) -> None:
    shown = READER.render(markdown(replace(SMALL, name=name), FIGURES))
    assert name in unescape(shown)
    assert "<script" not in shown


@pytest.mark.parametrize("comparison", [FULL, SMALL, with_noise(FULL), static_one()])
def test_a_terminal_has_room_for_the_table(comparison: Comparison) -> None:
    lines = table(comparison, FIGURES)
    assert max(map(len, lines)) <= 100
    assert lines[0] == "shop 0.1.0 → 0.2.0"
    assert len(lines) < 30


def test_the_table_has_a_column_for_each_way_and_the_figures_that_matter() -> None:
    lines = table(with_noise(FULL), FIGURES)
    head = next(line for line in lines if "recreate" in line)
    assert head.split() == ["recreate", "rolling*", "blue-green"]
    assert next(line for line in lines if line.startswith("In-memory")).split()[-3:] == ["lost"] * 3
    assert any(line.startswith("* rolling: means nothing: the probe") for line in lines)
    assert any(line.startswith("* hot: not run: the change cannot go hot") for line in lines)
    assert any(line.startswith(f"* blue-green: {SPOILT}") for line in lines)
    assert not any("p50" in line for line in lines)


def test_the_longest_request_is_no_figure_where_requests_failed() -> None:
    """In recreate all are turned away that would have had to wait."""
    once = comparison_of(runs=1)
    failed = sum(item["failed"] for item in _during(once, Scenario.RECREATE))
    assert failed > 100
    for text in ("\n".join(table(once, FIGURES)), markdown(once, FIGURES)):
        row = next(line for line in text.splitlines() if "Longest request during" in line)
        assert f"– ({failed} failed)" in row
        assert row.count("failed") == 1
        assert row.count(" ms") == 3
    assert html(once, FIGURES).count(f">{failed} failed<") == 1
    assert f">{failed} failed<" in (picture(once, FIGURES) or "")


def _during(comparison: Comparison, scenario: Scenario) -> list[Mapping[str, int]]:
    """The bins of the change."""
    found: Any = document(comparison, FIGURES)["scenarios"]
    line = next(item["timeline"] for item in found if item["scenario"] == scenario)
    change = next(item for item in line["phases"] if item["phase"] == "change")
    return [item for item in line["requests"] if 0 <= item["at"] < change["ended"]]


def test_a_figure_that_nothing_was_found_of_is_not_among_the_first() -> None:
    outcome = FULL.outcomes[0]
    figures = {**outcome.figures, "without_worst": None}
    comparison = replace(FULL, outcomes=[replace(outcome, figures=figures)])
    assert not any("worst client" in line for line in table(comparison, FIGURES))
    assert any("worst client" in line for line in table(FULL, FIGURES))
