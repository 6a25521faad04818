"""The figures that come first, where there is room for few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.figure import Figure
from imagesmith.compare.measured import Unit
from imagesmith.compare.scenario import Life
from imagesmith.compare.shown import UNKNOWN, amount, shown

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
    return shown(outcome.figures.get(figure.key), figure.unit)


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
