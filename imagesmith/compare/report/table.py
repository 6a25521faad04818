"""A comparison in the terminal: the verdict, and the figures that say most. All others are in the
files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.report.headline import (
    cost_rows,
    headline,
    lives,
    named,
    notes,
    told,
    told_apart,
)
from imagesmith.compare.report.said import said, sentence

__all__ = ["table"]

WIDTH = 100
NARROWEST = 24
"""Characters of the names of rows, however wide the figures are."""

COSTS = ("Image", "Build, this change", "Sent to each host", "A day")
"""The rows of costs that are shown, by how they begin."""

Rows = Sequence[tuple[str, Sequence[str]]]


def table(comparison: Comparison, figures: Sequence[Figure]) -> list[str]:
    """The lines."""
    return list(_lines(comparison, figures))


def _lines(comparison: Comparison, figures: Sequence[Figure]) -> Iterator[str]:
    verdict = said(comparison.verdict)
    yield f"{comparison.name} {comparison.old} → {comparison.new}"
    yield ""
    yield verdict.heading
    yield from _wrapped(verdict.says, "")
    for item in verdict.why:
        yield from _wrapped(sentence(item.says), "  - ")
    if comparison.static is not None:
        yield ""
        yield from _wrapped(f"Nothing was run: {comparison.static}", "")
    run = [outcome for outcome in comparison.outcomes if outcome.not_run is None]
    if run:
        yield ""
        yield from _figures(run, headline(comparison, figures))
    for outcome in comparison.outcomes:
        for noted in notes(outcome):
            yield from _wrapped(f"{outcome.scenario}: {noted[0].lower()}{noted[1:]}", "* ")
    if comparison.costs:
        yield ""
        rows = [row for row in cost_rows(comparison) if row[0].startswith(COSTS)]
        yield from _columns([("", lives(comparison)), *rows])


def _figures(run: Sequence[Outcome], first: Sequence[Figure]) -> Iterator[str]:
    """With the spread where the terminal has room for it."""
    names = [f"{item.scenario}{'*' if item.noise else ''}" for item in run]
    full: Rows = [
        ("", names),
        *((named(item), [told(outcome, item) for outcome in run]) for item in first),
    ]
    if _needs(full) <= WIDTH:
        yield from _columns(full)
        return
    yield from _columns(
        [
            ("", names),
            *((named(item), [told_apart(outcome, item)[0] for outcome in run]) for item in first),
        ]
    )


def _widths(rows: Rows) -> list[int]:
    return [2 + max(map(len, column)) for column in zip(*(cells for _, cells in rows), strict=True)]


def _needs(rows: Rows) -> int:
    return NARROWEST + sum(_widths(rows))


def _columns(rows: Rows) -> Iterator[str]:
    """Names to the left, in as many lines as they take, and values to the right."""
    widths = _widths(rows)
    longest = max(len(name) for name, _ in rows)
    room = max(NARROWEST, min(longest, WIDTH - sum(widths)))
    for name, cells in rows:
        *above, last = textwrap.wrap(name, room) or [""]
        yield from above
        values = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield f"{last:<{room}}{values}".rstrip()


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
