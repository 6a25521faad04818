"""The table under the verdict: each way in one row, with its live connections as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.report.headline import GLANCE, headline, named, note, told_apart
from imagesmith.compare.report.markup import element
from imagesmith.compare.report.scales import Scales
from imagesmith.compare.report.svg import spark, spark_heading
from imagesmith.compare.report.timeline import Timeline
from imagesmith.compare.scenario import Scenario

__all__ = ["glance"]

ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
HEADERS = {"col": "columnheader", "row": "rowheader"}


def glance(
    comparison: Comparison,
    figures: Sequence[Figure],
    shared: Scales | None,
    lines: Mapping[Scenario, Timeline],
) -> Element | None:
    """The section; None where no way was to be gone."""
    if not comparison.outcomes:
        return None
    first = headline(comparison, figures, GLANCE)
    heading = spark_heading(shared) if shared is not None else ""
    head = element(
        "tr",
        element("th", "Way", scope="col"),
        element("th", heading, scope="col"),
        [element("th", named(figure), scope="col", class_="number") for figure in first],
    )
    rows = [
        _row(outcome, first, shared, lines.get(outcome.scenario)) for outcome in comparison.outcomes
    ]
    table = element(
        "table",
        element("thead", head),
        element("tbody", rows),
        class_="glance",
        aria_labelledby="glance",
    )
    return element(
        "section",
        element("h2", "At a glance", id="glance"),
        _with_roles(table),
        element(
            "p",
            "All pictures are on one axis of time; the shaded parts are the change and the way "
            "back, and between them, reddish, every container is killed once, as a crash would. "
            "What is red at the bottom are requests that failed. "
            "Numbers are medians of all runs, and the smaller ones the least and the most.",
            class_="fine",
        ),
    )


def _row(
    outcome: Outcome, first: Sequence[Figure], shared: Scales | None, line: Timeline | None
) -> Element:
    noted = note(outcome)
    # A row has room for the first, which is of the runs; all are below the picture.
    remark = next(iter(outcome.remarks), None)
    way = element(
        "th",
        element("b", outcome.scenario, class_="way"),
        element("span", outcome.scenario.life, class_=f"life {outcome.scenario.life}"),
        [
            element("span", text, class_="note")
            for text in (outcome.noise and noted, remark)
            if text
        ],
        scope="row",
    )
    if outcome.not_run is not None:
        return element("tr", way, element("td", noted, class_="note none", colspan=len(first) + 1))
    drawn = None
    if line is not None and shared is not None:
        drawn = spark(outcome.scenario, line, shared)
    return element(
        "tr",
        way,
        element("td", drawn, class_="picture"),
        [
            element("td", _apart(outcome, figure), class_="number", data_label=named(figure))
            for figure in first
        ],
        class_="meaningless" if outcome.noise else "",
    )


def _apart(outcome: Outcome, figure: Figure) -> list[Element | str]:
    """The median, and the spread, smaller."""
    median, spread = told_apart(outcome, figure)
    return [median, " ", element("span", spread, class_="spread")] if spread else [median]


def _with_roles(table: Element) -> Element:
    """On a phone the rows are laid out as blocks, for which browsers forget that it is a table."""
    for item in table.iter():
        if item.tag == "th":
            item.set("role", HEADERS[item.attrib["scope"]])
        elif item.tag in ROLES:
            item.set("role", ROLES[item.tag])
    return table
