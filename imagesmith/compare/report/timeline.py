"""What happened in a run, in bins: small enough for a page, and on the same axis as others.

Times are seconds since the change began, so what came before is below 0.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesmith.compare.comparison import Comparison, Outcome
from imagesmith.compare.reading import versions
from imagesmith.compare.run import Phase, Request, Run
from imagesmith.compare.scenario import Scenario

__all__ = ["Axis", "Bin", "Live", "Moment", "Stretch", "Timeline", "Used", "timelines"]

BINS = 120
"""The most bins that a run has."""

FINER = 4
"""Into how many parts a bin is cut for what is live: a drop of a moment should be seen."""

WIDTHS = (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)


@dataclass(frozen=True, slots=True)
class Bin:
    """The requests due from `at` on, for the bin's width: those answered by the old version, the
    new one, or one that did not say which, and those that failed. `middle` (p50) and `longest`
    are seconds of those answered, None where there are none."""

    at: float
    old: int
    new: int
    other: int
    failed: int
    middle: float | None
    longest: float | None


@dataclass(frozen=True, slots=True)
class Live:
    """How many held connections were live from `at` on: the least of each part of a bin."""

    at: float
    connections: int


@dataclass(frozen=True, slots=True)
class Used:
    """What all containers used together at `at`: bytes, cores, and how many they were."""

    at: float
    memory: int
    cpu: float
    containers: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of the change."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase, from `began` to before `ended`."""

    phase: Phase
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that all timelines of a comparison share, and the width of their bins."""

    began: float
    ended: float
    width: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """One run of a scenario: the `number`th of `of`, counted from 1; the change took its median
    of `seconds`. `failures` has how often each failure was seen, the commonest first; `unkilled`
    the same of the requests that were not due while every container was killed."""

    number: int
    of: int
    began: float
    ended: float
    phases: Sequence[Stretch]
    steps: Sequence[Moment]
    bins: Sequence[Bin]
    live: Sequence[Live]
    used: Sequence[Used]
    failures: Mapping[str, int]
    unkilled: Mapping[str, int]


def timelines(comparison: Comparison) -> tuple[Axis | None, Mapping[Scenario, Timeline]]:
    """Of each scenario that ran, the run whose change took the middle time; and the axis on which
    all of them lie, None where none ran."""
    chosen = {
        outcome.scenario: _middle(outcome)
        for outcome in comparison.outcomes
        if any(_told(run) for run in outcome.runs)
    }
    if not chosen:
        return None, {}
    runs = [run for _, _, run in chosen.values()]
    began = min(-_zero(run) for run in runs)
    ended = max(run.load.seconds - _zero(run) for run in runs)
    width = next(
        (width for width in WIDTHS if (ended - began) / width <= BINS), (ended - began) / BINS
    )
    released = comparison.old, comparison.new
    return Axis(began, ended, width), {
        scenario: _timeline(number, of, run, width, versions(run) or released)
        for scenario, (number, of, run) in chosen.items()
    }


def _told(run: Run) -> bool:
    """Whether there is anything to see: a run can fail before there is a load."""
    return Phase.CHANGE in run.phases and run.load.seconds > 0


def _zero(run: Run) -> float:
    return run.phases[Phase.CHANGE].began


def _middle(outcome: Outcome) -> tuple[int, int, Run]:
    """The run in the middle by how long its change took, and its number: whole runs go first."""
    told = [(at, run) for at, run in enumerate(outcome.runs, 1) if _told(run)]
    whole = [item for item in told if item[1].trouble is None] or told
    whole.sort(key=lambda item: item[1].phases[Phase.CHANGE].seconds)
    number, run = whole[(len(whole) - 1) // 2]
    return number, len(outcome.runs), run


def _timeline(number: int, of: int, run: Run, width: float, named: tuple[str, str]) -> Timeline:
    """`named`: what OLD and NEW call themselves, which need not be the releases' versions."""
    zero = _zero(run)
    crash = run.phases.get(Phase.CRASH)
    failed = [(item.due, item.failure) for item in run.load.requests if item.failure is not None]
    unkilled = [
        failure for due, failure in failed if not (crash and crash.began <= due < crash.ended)
    ]
    return Timeline(
        number=number,
        of=of,
        began=-zero,
        ended=run.load.seconds - zero,
        phases=[
            Stretch(phase, run.phases[phase].began - zero, run.phases[phase].ended - zero)
            for phase in Phase
            if phase in run.phases
        ],
        steps=[Moment(step.at - zero, step.text) for step in run.steps],
        bins=list(_bins(run, zero, width, named)),
        live=list(_live(run, zero, width / FINER)),
        used=[Used(use.at - zero, use.memory, use.cpu, use.containers) for use in run.uses],
        failures=dict(Counter(failure for _, failure in failed).most_common()),
        unkilled=dict(Counter(unkilled).most_common()),
    )


def _bins(run: Run, zero: float, width: float, named: tuple[str, str]) -> Iterator[Bin]:
    """Their edges are whole widths from the change on, so that none holds both sides of it."""
    held: dict[int, list[Request]] = {}
    for request in run.load.requests:
        # Due times are sums: one that falls on an edge is off it by their rounding.
        held.setdefault(math.floor(round((request.due - zero) / width, 6)), []).append(request)
    for at in sorted(held):
        answered = [item for item in held[at] if item.failure is None]
        by = Counter(item.version for item in answered)
        old, new = (by[version] for version in named)
        seconds = [item.seconds for item in answered]
        yield Bin(
            at=at * width,
            old=old,
            new=new,
            other=len(answered) - old - new,
            failed=len(held[at]) - len(answered),
            middle=statistics.median(seconds) if seconds else None,
            longest=max(seconds) if seconds else None,
        )


def _live(run: Run, zero: float, width: float) -> Iterator[Live]:
    """The least number of each part; one that is as the part before is left out."""
    changes: list[tuple[float, int]] = []
    for client in run.load.clients:
        for began, ended in client.live:
            changes.append((began - zero, 1))
            if ended < run.load.seconds:
                changes.append((ended - zero, -1))
    changes.sort(key=lambda change: (change[0], -change[1]))
    first, last = math.floor(-zero / width), math.ceil((run.load.seconds - zero) / width)
    now = at = 0
    before: int | None = None
    for part in range(first, last):
        # All that happened up to the part's begin counts there; then the least of within.
        while at < len(changes) and changes[at][0] <= part * width:
            now += changes[at][1]
            at += 1
        least = now
        end = min((part + 1) * width, run.load.seconds - zero)
        while at < len(changes) and changes[at][0] < end:
            now += changes[at][1]
            at += 1
            least = min(least, now)
        if least != before:
            yield Live(part * width, least)
        before = least
