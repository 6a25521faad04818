"""The figures that come first, where there is room for few."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.measured import Spread, Unit
from imagesmith.compare.reading import both, due_in
from imagesmith.compare.run import Phase
from imagesmith.compare.scenario import Life
from imagesmith.compare.shown import UNKNOWN, amount, shown, shown_apart

__all__ = [
    "GLANCE",
    "cost_rows",
    "grouped",
    "headline",
    "lives",
    "named",
    "note",
    "notes",
    "told",
    "told_apart",
]

FIRST = (
    "change_seconds",
    "without_worst",
    "dropped",
    "failed",
    "longest_during",
    "state",
    "memory_peak",
    "back_seconds",
)
GLANCE = ("change_seconds", "without_worst", "failed", "longest_during", "state")
"""Those that fit beside a picture."""


def headline(
    comparison: Comparison, figures: Sequence[Figure], keys: Sequence[str] = FIRST
) -> list[Figure]:
    """The figures that say most, in the order in which people ask; without those that nothing was
    found of."""
    found = {
        key
        for outcome in comparison.outcomes
        for key, measured in outcome.figures.items()
        if measured is not None
    }
    by_key = {figure.key: figure for figure in figures}
    return [by_key[key] for key in keys if key in by_key and key in found]


def grouped(figures: Sequence[Figure]) -> Iterator[tuple[str, list[Figure]]]:
    """Each group with its figures, in their order."""
    for group, members in groupby(figures, key=lambda figure: figure.group):
        yield group, list(members)


def named(figure: Figure) -> str:
    """Its title, where it begins a line; `p99` stays as it is."""
    title = figure.title
    return title if title[1:2].isdigit() else title[:1].upper() + title[1:]


def told(outcome: Outcome, figure: Figure) -> str:
    """What an outcome has of a figure."""
    lost = _lost(outcome, figure)
    if lost:
        return f"{UNKNOWN} ({lost})"
    return shown(outcome.figures.get(figure.key), figure.unit)


def told_apart(outcome: Outcome, figure: Figure) -> tuple[str, str]:
    """The same in two: what comes first, and what may be smaller or left out: the spread."""
    found, lost = outcome.figures.get(figure.key), _lost(outcome, figure)
    if lost:
        return UNKNOWN, lost
    if isinstance(found, Spread):
        return shown_apart(found, figure.unit)
    return told(outcome, figure), ""


LONGEST = {
    "longest_before": (Phase.BEFORE, Phase.BEFORE),
    "longest_during": (Phase.CHANGE, Phase.CHANGE),
    "longest_after": (Phase.AFTER, Phase.AFTER),
    "back_longest": (Phase.BACK, Phase.END),
}
"""Figures that only answered requests have, and from which phase to which they are due."""


def _lost(outcome: Outcome, figure: Figure) -> str | None:
    """How many requests failed where a figure is of the longest: where all that would have waited
    are turned away, those who are answered had never to wait."""
    if figure.key not in LONGEST:
        return None
    spans = (both(run, *LONGEST[figure.key]) for run in outcome.runs)
    failed = [
        sum(request.failure is not None for request in due_in(run, span))
        for run, span in zip(outcome.runs, spans, strict=True)
        if span is not None
    ]
    median = statistics.median(failed) if failed else 0
    return f"{amount(median, Unit.COUNT)} failed" if median else None


def note(outcome: Outcome) -> str | None:
    """Why the figures of an outcome are not there, or mean nothing."""
    if outcome.not_run is not None:
        return f"Not run: {outcome.not_run}"
    if outcome.noise is not None:
        return f"Means nothing: {outcome.noise}"
    return None


def notes(outcome: Outcome) -> list[str]:
    """All that is to be known beside its figures, without full stops: `note`, the remarks, and why
    runs ended before their last phase."""
    noted = note(outcome)
    return [
        *([noted] if noted else []),
        *(f"{remark[:1].upper()}{remark[1:]}" for remark in outcome.remarks),
        *(
            f"Run {number} ended early: {run.trouble}"
            for number, run in enumerate(outcome.runs, 1)
            if run.trouble is not None
        ),
    ]


def cost_rows(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """What a change costs without a load: the name of each row, and its value for each life."""
    costs = [comparison.costs[life] for life in lives(comparison)]

    def seconds(value: float | None) -> str:
        return UNKNOWN if value is None else amount(value, Unit.SECONDS)

    def size(value: float) -> str:
        return amount(value, Unit.BYTES)

    deploys = f"{comparison.deploys} {'deploy' if comparison.deploys == 1 else 'deploys'}"
    hosts = f"{comparison.hosts} {'host' if comparison.hosts == 1 else 'hosts'}"
    return [
        ("Image", [size(cost.image) for cost in costs]),
        ("Build, cold", [seconds(cost.build_cold) for cost in costs]),
        ("Build, nothing changed", [seconds(cost.build_unchanged) for cost in costs]),
        ("Build, this change", [seconds(cost.build_changed) for cost in costs]),
        ("Sent to the registry", [size(cost.to_registry) for cost in costs]),
        ("Sent to each host", [size(cost.to_host) for cost in costs]),
        (f"A day: {deploys} to {hosts}", [size(cost.per_day) for cost in costs]),
    ]


def lives(comparison: Comparison) -> list[Life]:
    """Those that have costs, in their own order."""
    return [life for life in Life if life in comparison.costs]
