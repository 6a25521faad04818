"""A scenario's timeline as SVG: rows one above the other, over one axis of time.

Across, everything is in percent, and down, in pixels: so the picture is as wide as its place is,
and text keeps its size on a phone. Labels of the vertical axes stand left of the picture's own
area, in a margin that style.css keeps free. Colours are style.css's, by class; no meaning hangs on
colour alone: OLD is hatched, NEW is solid, failures have their own row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeAlias
from xml.etree.ElementTree import Element

from imagesmith.compare.measured import Unit
from imagesmith.compare.report.markup import element
from imagesmith.compare.report.scales import Scales, instant, ticks
from imagesmith.compare.report.timeline import Bin, Live, Moment, Timeline
from imagesmith.compare.run import Phase
from imagesmith.compare.shown import amount

__all__ = ["chart", "hatch", "spark", "spark_heading"]

MARKS = 52
"""Pixels over the first row: the names of the phases, and two lanes of the steps' numbers."""

HEAD, GAP, FOOT = 20, 16, 22
NEAR = 0.06
"""Steps that are nearer than this share of the axis have one mark together: with two lanes, a phone
has room for the numbers."""
APART = 0.2
"""How far the way back has to begin after the change, for both names to stand right of there."""

CHANGES = {Phase.CHANGE: "change", Phase.BACK: "back"}
BANDS = {Phase.CHANGE: "band", Phase.BACK: "band", Phase.CRASH: "band crash"}


Row: TypeAlias = Callable[[Timeline, Scales, int], list[Element]]
"""Draws a row as many pixels high."""


def chart(key: str, title: str, says: str, line: Timeline, shared: Scales) -> Element:
    """The picture; `key` makes its ids its own, `title` and `says` are for who cannot see it."""
    rows: list[tuple[str, int, Row]] = []
    if shared.requests:
        rows += [
            ("Answers a second, by version", 78, partial(_requests, f"{key}-hatch")),
            ("Failed requests a second", 30, _failed),
            ("Latency, p50 to longest", 88, _latency),
        ]
    if shared.connections:
        rows.append(("Live connections", 64, _connections))
    rows.append(("Memory of all containers", 52, _memory))
    down = MARKS
    drawn: list[Element] = []
    for heading, height, row in rows:
        drawn.append(_row(heading, down, height, row(line, shared, height)))
        down += HEAD + height + GAP
    bottom = down - GAP
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", says, id=f"{key}-desc"),
        element("defs", hatch(f"{key}-hatch")),
        _phases(line, shared, bottom),
        _time(shared, bottom),
        _marks(line, shared, bottom),
        drawn,
        _hover(line, shared, bottom),
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        class_="chart",
        width="100%",
        height=bottom + FOOT,
    )


def spark(name: str, line: Timeline, shared: Scales, height: int = 44) -> Element:
    """The live connections alone or, where none were held, the answers, with the failed requests
    below them. `name` is of the scenario."""
    key = f"spark-{name}"
    drawn: list[Element] = []
    if shared.connections:
        drawn = _steps(line.live, line.ended, shared, height - 10)
    elif shared.requests:
        drawn = _answers(key, line, shared, height - 10)
    return element(
        "svg",
        element("title", f"{spark_heading(shared)}, {name}"),
        element("defs", hatch(key)) if not shared.connections else None,
        _bands(line, shared, 0, height),
        drawn,
        element(
            "g",
            [_bar(item, line, shared, height - 7, 7) for item in line.bins if item.failed],
            class_="failed",
        ),
        element("line", x1=shared.x(0), x2=shared.x(0), y1=0, y2=height, class_="zero"),
        role="img",
        class_="spark",
        width="100%",
        height=height,
    )


def spark_heading(shared: Scales) -> str:
    """What `spark` shows."""
    if shared.connections:
        return "Live connections"
    return "Answers, by version" if shared.requests else "The change and the way back"


def hatch(name: str) -> Element:
    """The pattern of OLD."""
    return element(
        "pattern",
        element("rect", width=5, height=5, class_="hatch-ground"),
        element("rect", width=2.2, height=5, class_="hatch-line"),
        id=name,
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )


def _row(heading: str, down: float, height: float, row: Sequence[Element]) -> Element:
    """What a row shows, the line on which that stands, and its heading."""
    return element(
        "g",
        row,
        element("line", x1=0, x2="100%", y1=height, y2=height, class_="base"),
        element("text", heading, x=0, y=-7, class_="heading"),
        transform=f"translate(0 {down + HEAD})",
    )


def _requests(pattern: str, line: Timeline, shared: Scales, height: int) -> list[Element]:
    labels = _scale([(shared.requests, 0.0), (0, float(height))])
    return [*labels, *_answers(pattern, line, shared, height)]


def _answers(pattern: str, line: Timeline, shared: Scales, height: int) -> list[Element]:
    """Bars of answered requests, OLD's at the bottom."""
    groups: dict[str, list[Element]] = {"old": [], "new": [], "other": []}
    for item in line.bins:
        top = float(height)
        for name, count in (("old", item.old), ("new", item.new), ("other", item.other)):
            tall = count / _span(item, line, shared) / shared.requests * height
            if count:
                top -= tall
                groups[name].append(_bar(item, line, shared, top, tall))
    return [
        element("g", groups["old"], class_="old", fill=f"url(#{pattern})"),
        element("g", groups["new"], class_="new"),
        element("g", groups["other"], class_="other"),
    ]


def _failed(line: Timeline, shared: Scales, height: int) -> list[Element]:
    bars = []
    for item in line.bins:
        if item.failed:
            tall = max(2.0, item.failed / _span(item, line, shared) / shared.failed * height)
            bars.append(_bar(item, line, shared, height - tall, tall))
    return [
        *_scale([(shared.failed, 0.0), (0, float(height))]),
        element("g", bars, class_="failed"),
    ]


def _latency(line: Timeline, shared: Scales, height: int) -> list[Element]:
    decades = range(shared.floor, shared.top + 1)
    grid = [
        element("line", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
        for power in decades
        if (y := height * (1 - shared.rise(10.0**power))) < height
    ]
    labels = [
        element(
            "text",
            f"{10**power:g} s" if power >= 0 else f"{1000 * 10.0**power:g} ms",
            x=-6,
            y=f"{height * (1 - shared.rise(10.0**power)) + 4:.1f}",
            class_="label",
        )
        for power in decades
    ]
    reach, middles = [], []
    for item in line.bins:
        if item.middle is None or item.longest is None:
            continue
        x = shared.x(item.at + shared.axis.width / 2)
        low, high = (height * (1 - shared.rise(value)) for value in (item.middle, item.longest))
        reach.append(element("line", x1=x, x2=x, y1=f"{low:.1f}", y2=f"{high:.1f}"))
        middles.append(element("circle", cx=x, cy=f"{low:.1f}", r=1.6))
    return [
        *grid,
        *labels,
        element("g", reach, class_="reach"),
        element("g", middles, class_="middle"),
    ]


def _connections(line: Timeline, shared: Scales, height: int) -> list[Element]:
    labels = _scale([(shared.connections, 0.0), (0, float(height))])
    return [*labels, *_steps(line.live, line.ended, shared, height)]


def _steps(live: Sequence[Live], ended: float, shared: Scales, height: int) -> list[Element]:
    """How many connections are live, with the area below filled."""
    areas, edges = [], []
    before: float | None = None
    for item, following in zip(live, [*live[1:], None], strict=True):
        until = following.at if following else ended
        y = height * (1 - item.connections / shared.connections)
        x1, x2 = shared.x(item.at), shared.x(until)
        areas.append(
            element(
                "rect",
                x=x1,
                y=f"{y:.1f}",
                width=shared.wide(until - item.at),
                height=f"{height - y:.1f}",
            )
        )
        edges.append(element("line", x1=x1, x2=x2, y1=f"{y:.1f}", y2=f"{y:.1f}"))
        if before is not None:
            edges.append(element("line", x1=x1, x2=x1, y1=f"{before:.1f}", y2=f"{y:.1f}"))
        before = y
    return [element("g", areas, class_="area"), element("g", edges, class_="edge")]


def _memory(line: Timeline, shared: Scales, height: int) -> list[Element]:
    points = [
        (shared.x(item.at), f"{height * (1 - item.memory / shared.memory):.1f}")
        for item in line.used
    ]
    lines = [element("line", x1=x1, y1=y1, x2=x2, y2=y2) for (x1, y1), (x2, y2) in pairwise(points)]
    top, zero = amount(shared.memory, Unit.BYTES), "0"
    return [
        *_scale([(top, 0.0), (zero, float(height))]),
        element("g", lines, class_="memory"),
    ]


def _scale(marks: Sequence[tuple[float | str, float]]) -> Iterator[Element]:
    """The ends of a vertical axis, left of the picture, and a line where the highest is."""
    for value, y in marks:
        text = value if isinstance(value, str) else f"{value:,.4g}"
        if not y:
            yield element("line", x1=0, x2="100%", y1=0, y2=0, class_="grid")
        yield element("text", text, x=-6, y=f"{y + 4:.1f}", class_="label")


def _bar(item: Bin, line: Timeline, shared: Scales, y: float, tall: float) -> Element:
    return element(
        "rect",
        x=shared.x(max(item.at, line.began)),
        y=f"{y:.1f}",
        width=shared.wide(_span(item, line, shared) * 0.86),
        height=f"{tall:.1f}",
    )


def _span(item: Bin, line: Timeline, shared: Scales) -> float:
    """Seconds of a bin: the first and the last can be cut off by the run's ends."""
    return min(item.at + shared.axis.width, line.ended) - max(item.at, line.began)


def _phases(line: Timeline, shared: Scales, bottom: float) -> list[Element]:
    """The times in which something is done, as bands behind all rows."""
    began = {item.phase: item.began for item in line.phases if item.phase in CHANGES}
    shares = [shared.share(at) for at in began.values()]
    close = len(shares) > 1 and shares[1] - shares[0] < APART
    names = []
    for phase, at in began.items():
        left = close and phase is Phase.CHANGE
        name = element("text", CHANGES[phase], x=shared.x(at), y=12, class_="phase")
        name.set("dx", "-4" if left else "4")
        name.set("text-anchor", "end" if left else "start")
        names.append(name)
    crashes = [
        element(
            "text",
            "killed",
            x=shared.x((item.began + item.ended) / 2),
            y=bottom - 5,
            class_="phase",
            text_anchor="middle",
        )
        for item in line.phases
        if item.phase is Phase.CRASH
    ]
    return [*_bands(line, shared, 0, bottom), *names, *crashes]


def _bands(line: Timeline, shared: Scales, top: float, bottom: float) -> list[Element]:
    return [
        element(
            "rect",
            x=shared.x(item.began),
            y=top,
            width=shared.wide(item.ended - item.began),
            height=bottom - top,
            class_=BANDS[item.phase],
        )
        for item in line.phases
        if item.phase in BANDS
    ]


def _time(shared: Scales, bottom: float) -> list[Element]:
    drawn = [
        element("line", x1=shared.x(0), x2=shared.x(0), y1=MARKS - 8, y2=bottom, class_="zero")
    ]
    for at in ticks(shared.axis):
        share = shared.share(at)
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        x = shared.x(at)
        drawn += [
            element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="base"),
            element("text", instant(at), x=x, y=bottom + 18, class_="time", text_anchor=anchor),
        ]
    return drawn


def _groups(steps: Sequence[Moment], shared: Scales) -> list[tuple[float, Sequence[int]]]:
    """Where marks stand, and the numbers of the steps (from 1) that each is for: so far from each
    other that they can be read."""
    found: list[tuple[float, list[int]]] = []
    for number, step in enumerate(steps, 1):
        if found and shared.share(step.at) - shared.share(found[-1][0]) < NEAR:
            found[-1][1].append(number)
        else:
            found.append((step.at, [number]))
    return [(at, numbers) for at, numbers in found]


def _marks(line: Timeline, shared: Scales, bottom: float) -> list[Element]:
    """A line for each step, and over them the numbers, each of which may be for many."""
    places = dict.fromkeys(shared.x(step.at) for step in line.steps)
    drawn = [element("line", x1=x, x2=x, y1=MARKS, y2=bottom, class_="step") for x in places]
    for lane, (at, numbers) in enumerate(_groups(line.steps, shared)):
        name = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
        y = 28 + lane % 2 * 13
        x = shared.x(at)
        says = "\n".join(
            f"{number}. {instant(line.steps[number - 1].at)}: {line.steps[number - 1].text}"
            for number in numbers
        )
        drawn.append(
            element(
                "g",
                element("title", says),
                element("line", x1=x, x2=x, y1=y + 3, y2=MARKS, class_="step"),
                element("text", name, x=x, y=y, class_="number"),
            )
        )
    return drawn


def _hover(line: Timeline, shared: Scales, bottom: float) -> Element:
    """What each bin holds, for who points at it."""
    areas = []
    for item in line.bins:
        words = [f"{instant(item.at)}: {item.old} old, {item.new} new, {item.failed} failed"]
        if item.other:
            words.append(f"{item.other} of no known version")
        if item.middle is not None and item.longest is not None:
            words.append(
                f"p50 {amount(item.middle, Unit.SECONDS)}, "
                f"longest {amount(item.longest, Unit.SECONDS)}"
            )
        areas.append(
            element(
                "rect",
                element("title", "\n".join(words)),
                x=shared.x(item.at),
                y=MARKS,
                width=shared.wide(shared.axis.width),
                height=bottom - MARKS,
            )
        )
    return element("g", areas, class_="hover")
