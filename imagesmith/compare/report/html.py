"""A comparison as report.html: one file, for a meeting. It asks no host for anything, runs no
script, and reads in the dark, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element, tostring

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.measured import Unit
from imagesmith.compare.report import about
from imagesmith.compare.report.glance import glance
from imagesmith.compare.report.headline import notes
from imagesmith.compare.report.markup import element, prose
from imagesmith.compare.report.said import said
from imagesmith.compare.report.scales import Scales, instant, scales
from imagesmith.compare.report.svg import chart, hatch
from imagesmith.compare.report.timeline import Timeline, timelines
from imagesmith.compare.run import Phase
from imagesmith.compare.scenario import Scenario
from imagesmith.compare.shown import amount

__all__ = ["html"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""No browser fetches or runs anything for this page, whatever may be in it."""


def html(comparison: Comparison, figures: Sequence[Figure]) -> str:
    """The page."""
    axis, lines = timelines(comparison)
    shared = scales(axis, list(lines.values())) if axis else None
    change = f"{comparison.name} {comparison.old} → {comparison.new}"
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", f"{change}: {comparison.verdict.fit}"),
            element("link", rel="icon", href="data:,"),
            element("style", *map(_read, ("colours.css", "style.css"))),
        ),
        element(
            "body",
            _verdict(comparison, change),
            element(
                "main",
                glance(comparison, figures, shared, lines),
                _timelines(comparison, shared, lines),
                about.figures_table(comparison, figures),
                about.costs(comparison),
                about.plan(comparison),
                about.rules(comparison),
                about.methods(comparison, figures),
                about.setting(comparison),
                about.limits_list(comparison),
            ),
            element(
                "footer",
                element("p", f"Made by imagesmith compare, {comparison.created}."),
            ),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text()


def _verdict(comparison: Comparison, change: str) -> Element:
    verdict = said(comparison.verdict)
    return element(
        "header",
        element("p", "Cattle or pet? ", element("b", change), class_="eyebrow"),
        element(
            "h1",
            verdict.title,
            ": " if verdict.means else ".",
            element("span", verdict.means),
        ),
        element("p", prose(verdict.says), class_="lede") if verdict.says else None,
        element(
            "p",
            f"Nothing was run: {comparison.static}. What follows are costs and the plan.",
            class_="note",
        )
        if comparison.static
        else None,
        element("ul", [about.lean(item) for item in verdict.why], class_="leans")
        if verdict.why
        else None,
    )


def _timelines(
    comparison: Comparison, shared: Scales | None, lines: Mapping[Scenario, Timeline]
) -> Element | None:
    if shared is None:
        return None
    return element(
        "section",
        element("h2", "What happened, second by second", id="timelines"),
        element(
            "p",
            "All pictures share one axis of time, on which the change began at 0, and one scale "
            "for each row. The shaded parts are the change and the way back, and where it says "
            "killed, every container was, as by a crash; the numbers above are the steps, listed "
            "below each picture. A request counts when it was due.",
            class_="fine",
        ),
        _legend(comparison),
        [
            _timeline(outcome, lines[outcome.scenario], shared)
            for outcome in comparison.outcomes
            if outcome.scenario in lines
        ],
        class_="timelines",
    )


def _legend(comparison: Comparison) -> Element:
    def swatch(inner: Element, words: str, defs: Element | None = None) -> Element:
        return element(
            "li",
            element("svg", defs, inner, width=18, height=12, aria_hidden="true", class_="swatch"),
            words,
        )

    def box(**attributes: str) -> Element:
        return element("rect", width=18, height=12, **attributes)

    return element(
        "ul",
        swatch(
            box(class_="old", fill="url(#legend-hatch)"),
            f"{comparison.old} (old)",
            element("defs", hatch("legend-hatch")),
        ),
        swatch(box(class_="new"), f"{comparison.new} (new)"),
        swatch(box(class_="other"), "another, or not said"),
        swatch(box(class_="failed"), "failed"),
        class_="legend",
    )


def _timeline(outcome: Outcome, line: Timeline, shared: Scales) -> Element:
    key = f"way-{outcome.scenario}"
    title = f"Timeline: {outcome.scenario}"
    summary = _summary(line)
    steps = [element("li", element("b", instant(step.at)), f" {step.text}") for step in line.steps]
    return element(
        "figure",
        element(
            "figcaption",
            element(
                "h3",
                outcome.scenario,
                " ",
                element("span", outcome.scenario.life, class_=f"life {outcome.scenario.life}"),
                id=key,
            ),
            element("p", f"{outcome.scenario.words}.".capitalize()),
            [element("p", f"{noted}.", class_="note") for noted in notes(outcome)],
            element("p", summary, class_="fine"),
        ),
        element(
            "div",
            chart(key, title, summary, line, shared),
            class_="meaningless plot" if outcome.noise else "plot",
        ),
        element("ol", steps, class_="steps") if steps else None,
        class_="timeline",
        aria_labelledby=key,
    )


def _summary(line: Timeline) -> str:
    """What the picture shows, in words."""
    parts = [f"Run {line.number} of {line.of}."]
    for item in line.phases:
        if item.phase in (Phase.CHANGE, Phase.BACK):
            name = "The change" if item.phase is Phase.CHANGE else "the way back"
            parts.append(f"{name} took {amount(item.ended - item.began, Unit.SECONDS)}")
    sentence = f"{parts[0]} {', '.join(parts[1:])}."
    crash = next((item for item in line.phases if item.phase is Phase.CRASH), None)

    def counts(at: float) -> bool:
        return crash is None or not crash.began <= at < crash.ended

    said = []
    live = [item.connections for item in line.live if counts(item.at)]
    if any(live):
        said.append(f"of {max(live):,} connections {min(live):,} were live at the least")
    if line.bins:
        failed = sum(line.unkilled.values())
        said.append(f"{failed:,} requests failed" if failed else "no request failed")
    if said:
        text = ", and ".join(said)
        sentence += f" But for the crash, {text}." if crash else f" {text.capitalize()}."
    if not line.unkilled:
        return sentence
    reasons = ", ".join(f"{says} ({times:,})" for says, times in line.unkilled.items())
    return f"{sentence} Requests that failed: {reasons}."
