"""What can be read off a run: the arithmetic under `figures`. Nothing here knows a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence

from imagesmith.compare.run import Client, Phase, Request, Run, Span, Use

__all__ = [
    "after_crash",
    "answered_at",
    "both",
    "drops_in",
    "due_in",
    "first_drop",
    "lateness",
    "percentile",
    "processor_seconds",
    "state_after",
    "storm",
    "uses_in",
    "versions",
    "without_connection",
]

STORM = 5.0
"""Seconds after the first drop in which clients connect again at their quickest: the eight shortest
waits of Phoenix's client come to 2.26 s."""


def both(run: Run, first: Phase, second: Phase) -> Span | None:
    """From the begin of one phase to the end of another; None where the run lacks one of them."""
    if first not in run.phases or second not in run.phases:
        return None
    return Span(run.phases[first].began, run.phases[second].ended)


def without_connection(client: Client, span: Span) -> float:
    """Seconds of the span in which the client had no live connection."""
    live = sum(
        max(0.0, min(ended, span.ended) - max(began, span.began)) for began, ended in client.live
    )
    return max(0.0, span.seconds - live)


def drops_in(run: Run, span: Span) -> list[float]:
    """When connections ended in the span, in order."""
    drops = (at for client in run.load.clients for at in client.drops)
    return sorted(at for at in drops if span.began <= at < span.ended)


def first_drop(run: Run, span: Span) -> float | None:
    """The first of them."""
    return next(iter(drops_in(run, span)), None)


def due_in(run: Run, span: Span) -> list[Request]:
    """The requests that were due in the span."""
    return [request for request in run.load.requests if span.began <= request.due < span.ended]


def answered_at(request: Request) -> float:
    """When its last byte came."""
    return request.due + request.seconds


def lateness(run: Run) -> list[float]:
    """By how many seconds the probe itself was late with each request. Not with those of the crash,
    of which no figure is, and after which a thousand clients come back at once."""
    crash = run.phases.get(Phase.CRASH)
    return [
        request.late
        for request in run.load.requests
        if crash is None or not crash.began <= request.due < crash.ended
    ]


def percentile(values: Sequence[float], share: float, least: int) -> float | None:
    """The smallest value that at least this share of all does not exceed (nearest rank); None of
    fewer than `least` values."""
    if len(values) < max(1, least):
        return None
    # Rounded, for 0.999 * 1000 is a little more than 999 in floating point.
    return sorted(values)[max(0, math.ceil(round(share * len(values), 6)) - 1)]


def versions(run: Run) -> tuple[str, str] | None:
    """OLD and NEW as they call themselves: what answered last before the change, and last after it.
    None where the application tells no version, or the same."""
    if Phase.BEFORE not in run.phases or Phase.AFTER not in run.phases:
        return None
    old = _last_version(run, run.phases[Phase.BEFORE])
    new = _last_version(run, run.phases[Phase.AFTER])
    return (old, new) if old is not None and new is not None and old != new else None


def _last_version(run: Run, span: Span) -> str | None:
    told = [request for request in due_in(run, span) if request.version is not None]
    return max(told, key=lambda request: request.due).version if told else None


def after_crash(run: Run) -> Span | None:
    """From when the containers were ready again to before the way back."""
    if run.crash is None or Phase.CRASH not in run.phases:
        return None
    span = run.phases[Phase.CRASH]
    return Span(max(span.began, run.crash.ready), span.ended)


def state_after(
    run: Run, before: Span, change: Phase, after: Phase, version: str | None
) -> str | None:
    """Whether the state outlived a change to `version`: "kept", "lost", or None.

    Every container's last state that was told in `before`; the smallest of them is what no
    container may fall below. Lost, if one told less in `after`; or in `change`, as the new version
    or as a container that had not answered before, for what counts anew in it can have outgrown the
    old by `after`. None where no state was told, or where the smallest is 0, below which nothing
    can fall.
    """
    if not {change, after} <= set(run.phases):
        return None
    began = run.phases[change].began
    old = {request.server for request in run.load.requests if answered_at(request) < began}
    last: dict[str | None, Request] = {}
    for request in due_in(run, before):
        if request.state is None or answered_at(request) >= began:
            continue
        if request.server not in last or request.due > last[request.server].due:
            last[request.server] = request
    least = min(
        (request.state for request in last.values() if request.state is not None), default=0
    )
    told = [
        request.state
        for phase in (change, after)
        for request in due_in(run, run.phases[phase])
        if request.state is not None
        and (
            phase is after
            or request.server not in old
            or (version is not None and request.version == version)
        )
    ]
    if least <= 0 or not told:
        return None
    return "lost" if min(told) < least else "kept"


def uses_in(run: Run, span: Span) -> list[Use]:
    """The readings of the containers in the span."""
    return [use for use in run.uses if span.began <= use.at < span.ended]


def storm(run: Run) -> list[Use]:
    """The readings within STORM seconds after the first drop of the change to NEW."""
    span = both(run, Phase.CHANGE, Phase.AFTER)
    first = first_drop(run, span) if span else None
    return [] if first is None else uses_in(run, Span(first, first + STORM))


def processor_seconds(run: Run, span: Span) -> float | None:
    """What all containers together took in the span; None without readings. A reading is the mean
    since the one before."""
    total, covered = 0.0, 0.0
    for earlier, use in zip(run.uses, run.uses[1:], strict=False):
        seconds = max(0.0, min(use.at, span.ended) - max(earlier.at, span.began))
        total += use.cpu * seconds
        covered += seconds
    return total if covered > 0 else None
