"""A comparison as one small picture, for a README or a slide: compare.svg.

GitHub shows it by `<img>`, which scales it: so it has a size of its own, and its style inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element, tostring

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.report.headline import GLANCE, headline, named, note, told_apart
from imagesmith.compare.report.markup import element
from imagesmith.compare.report.said import said
from imagesmith.compare.report.scales import Scales, instant, scales, ticks
from imagesmith.compare.report.svg import spark, spark_heading
from imagesmith.compare.report.timeline import Timeline, timelines

__all__ = ["picture"]

WIDE, SIDE = 960, 28
LEFT, ACROSS = 140, 336
"""Where the timelines begin, and how wide they are."""

TOP, TALL, LINE = 152, 66, 44
COLUMN = 87
LONGEST = 100
"""Characters that a line has room for."""
WORDS = 12
"""Characters of a line of a column's head."""


def picture(comparison: Comparison, figures: Sequence[Figure]) -> str | None:
    """The SVG; None where nothing ran."""
    axis, lines = timelines(comparison)
    if axis is None:
        return None
    shared = scales(axis, list(lines.values()))
    first = headline(comparison, figures, GLANCE)
    verdict = said(comparison.verdict)
    title = f"{comparison.name} {comparison.old} → {comparison.new}"
    height = TOP + TALL * len(comparison.outcomes) + 44
    drawn = element(
        "svg",
        element("title", f"{title}: {verdict.title}"),
        element("style", files(__package__).joinpath("colours.css").read_text(), STYLE),
        element("rect", width=WIDE, height=height, rx=6, class_="paper"),
        element("text", _cut(title, LONGEST), x=SIDE, y=34, class_="of"),
        element("text", verdict.heading, x=SIDE, y=66, class_="verdict"),
        _head(first, shared),
        [
            _row(outcome, at, first, lines.get(outcome.scenario), shared)
            for at, outcome in enumerate(comparison.outcomes)
        ],
        _axis(shared, height - 40),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDE} {height}",
        width=WIDE,
        height=height,
        role="img",
    )
    return tostring(drawn, encoding="unicode") + "\n"


STYLE = """
.paper { fill: var(--paper); stroke: var(--rule); }
svg text { font-size: 13px; fill: var(--ink); }
svg .of, svg .soft { fill: var(--soft); }
svg .soft { font-size: 11px; }
svg .head { font-size: 11px; font-weight: 600; }
svg .head, svg .value, svg .spread { text-anchor: end; }
svg .left { text-anchor: start; }
svg .spread { fill: var(--soft); font-size: 11px; }
svg .value { font-size: 15px; }
svg .verdict { font: 26px var(--serif); }
svg .way { font-weight: 600; font-size: 14px; }
svg .pet { fill: var(--pet); }
svg .cattle { fill: var(--cattle); }
.rule { stroke: var(--rule); }
"""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _ends(column: int) -> int:
    """Where a column of figures ends: the last one at the picture's side."""
    return WIDE - SIDE - COLUMN * (4 - column)


def _head(first: Sequence[Figure], shared: Scales) -> Iterator[Element]:
    yield element(
        "text",
        f"{spark_heading(shared)}; failed requests in red",
        x=LEFT,
        y=TOP - 14,
        class_="head left",
    )
    for column, figure in enumerate(first):
        lines = _broken(named(figure))
        for number, words in enumerate(reversed(lines)):
            yield element("text", words, x=_ends(column), y=TOP - 14 - 13 * number, class_="head")


def _broken(title: str) -> list[str]:
    lines: list[str] = []
    for word in title.split():
        if lines and len(lines[-1]) + 1 + len(word) <= WORDS:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _row(
    outcome: Outcome, at: int, first: Sequence[Figure], line: Timeline | None, shared: Scales
) -> Element:
    y = TOP + TALL * at
    noted = note(outcome)
    mark = "●" if outcome.scenario.life == "pet" else "■"
    drawn = [
        element("line", x1=SIDE, x2=WIDE - SIDE, y1=y, y2=y, class_="rule"),
        element("text", outcome.scenario, x=SIDE, y=y + 29, class_="way"),
        element(
            "text",
            f"{mark} {outcome.scenario.life}",
            x=SIDE,
            y=y + 47,
            class_=f"soft {outcome.scenario.life}",
        ),
    ]
    if line is not None:
        small = spark(outcome.scenario, line, shared, LINE)
        for key, place in (("x", LEFT), ("y", y + 11), ("width", ACROSS)):
            small.set(key, f"{place}")
        drawn.append(small)
    if noted is not None:
        return element(
            "g", drawn, element("text", _cut(noted, LONGEST), x=LEFT, y=y + TALL - 3, class_="soft")
        )
    for column, figure in enumerate(first):
        value, spread = told_apart(outcome, figure)
        x, above = _ends(column), 30 if spread else 38
        drawn.append(element("text", value, x=x, y=y + above, class_="value"))
        if spread:
            drawn.append(element("text", spread, x=x, y=y + 47, class_="spread"))
    return element("g", drawn)


def _axis(shared: Scales, y: float) -> Element:
    labels = [
        element(
            "text",
            instant(at),
            x=f"{LEFT + ACROSS * shared.share(at):.1f}",
            y=y + 16,
            text_anchor="middle",
            class_="soft",
        )
        for at in ticks(shared.axis)
        if 0.02 < shared.share(at) < 0.98
    ]
    ground = element("line", x1=SIDE, x2=WIDE - SIDE, y1=y - 4, y2=y - 4, class_="rule")
    return element("g", ground, labels)
