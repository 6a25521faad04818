"""The value of each figure: read off one run, None where the run cannot tell."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TypeAlias

from imagesmith.compare.reading import (
    after_crash,
    answered_at,
    both,
    drops_in,
    due_in,
    percentile,
    processor_seconds,
    state_after,
    storm,
    uses_in,
    versions,
    without_connection,
)
from imagesmith.compare.run import Phase, Run, Span, Use

__all__ = [
    "Window",
    "back_cpu_seconds",
    "back_state",
    "containers_peak",
    "cpu_before",
    "cpu_peak",
    "crash_seconds",
    "crash_state",
    "crash_version",
    "dropped",
    "failed",
    "first_new",
    "last_old",
    "latency",
    "longest",
    "memory_before",
    "memory_peak",
    "mixed",
    "of_phase",
    "pause",
    "seconds",
    "state",
    "storm_cpu",
    "storm_memory",
    "to_new",
    "to_old",
    "without",
]

Window: TypeAlias = Callable[[Run], Span | None]
"""What part of a run a figure is of."""


def to_new(run: Run) -> Span | None:
    """From the first step of the change to the end of the quiet after it."""
    return both(run, Phase.CHANGE, Phase.AFTER)


def to_old(run: Run) -> Span | None:
    """The same of the way back."""
    return both(run, Phase.BACK, Phase.END)


def of_phase(phase: Phase, run: Run) -> Span | None:
    """One phase."""
    return run.phases.get(phase)


def without(window: Window, of: Callable[[list[float]], float], run: Run) -> float | None:
    """`of` the clients' seconds without a live connection."""
    span = window(run)
    if span is None or not run.load.clients:
        return None
    return of([without_connection(client, span) for client in run.load.clients])


def dropped(window: Window, run: Run) -> float | None:
    """How many connections ended."""
    span = window(run)
    return len(drops_in(run, span)) if span and run.load.clients else None


def failed(window: Window, run: Run) -> float | None:
    """How many of the requests that were due in it failed; None where nothing is asked for."""
    span = window(run)
    if span is None or not run.load.requests:
        return None
    return sum(request.failure is not None for request in due_in(run, span))


def _answered(window: Window, run: Run) -> list[float]:
    """The latencies of the requests that were due in it and answered."""
    span = window(run)
    requests = due_in(run, span) if span else []
    return [request.seconds for request in requests if request.failure is None]


def latency(window: Window, share: float, least: int, run: Run) -> float | None:
    """A percentile of the latencies, of at least so many."""
    return percentile(_answered(window, run), share, least)


def longest(window: Window, run: Run) -> float | None:
    """The longest latency."""
    return max(_answered(window, run), default=None)


def seconds(phase: Phase, run: Run) -> float | None:
    """How long a phase was."""
    span = run.phases.get(phase)
    return span.seconds if span else None


def _answers(run: Run, which: int) -> list[float] | None:
    """When OLD (0) or NEW (1) answered, from the begin of the change on, in seconds after it."""
    span, told = to_new(run), versions(run)
    if span is None or told is None:
        return None
    return [
        at - span.began
        for request in run.load.requests
        if request.version == told[which]
        and span.began <= (at := answered_at(request)) < span.ended
    ]


def first_new(run: Run) -> float | None:
    """When NEW answered first."""
    return min(_answers(run, 1) or [], default=None)


def last_old(run: Run) -> float | None:
    """When OLD answered last, 0 if no more."""
    answers = _answers(run, 0)
    return None if answers is None else max(answers, default=0.0)


def mixed(run: Run) -> float | None:
    """How long both answered."""
    first, last = first_new(run), last_old(run)
    return None if first is None or last is None else max(0.0, last - first)


def state(run: Run) -> str | None:
    """Whether state outlived the change."""
    told = versions(run)
    new = told[1] if told else None
    before = run.phases.get(Phase.BEFORE)
    return state_after(run, before, Phase.CHANGE, Phase.AFTER, new) if before else None


def back_state(run: Run) -> str | None:
    """Whether state outlived the way back: what had grown since the crash, for that killed all."""
    told = versions(run)
    old = told[0] if told else None
    before = after_crash(run)
    return state_after(run, before, Phase.BACK, Phase.END, old) if before else None


def memory_before(run: Run) -> float | None:
    """The median in BEFORE."""
    memory = [use.memory for use in _uses(run, run.phases.get(Phase.BEFORE))]
    return statistics.median(memory) if memory else None


def cpu_before(run: Run) -> float | None:
    """The mean in BEFORE."""
    cpu = [use.cpu for use in _uses(run, run.phases.get(Phase.BEFORE))]
    return statistics.fmean(cpu) if cpu else None


def memory_peak(run: Run) -> float | None:
    """The most bytes from the change on."""
    return max((use.memory for use in _uses(run, to_new(run))), default=None)


def cpu_peak(run: Run) -> float | None:
    """The most cores from the change on."""
    return max((use.cpu for use in _uses(run, to_new(run))), default=None)


def containers_peak(run: Run) -> float | None:
    """The most containers from the change on."""
    return max((use.containers for use in _uses(run, to_new(run))), default=None)


def storm_cpu(run: Run) -> float | None:
    """The most cores while clients connect again."""
    return max((use.cpu for use in storm(run)), default=None)


def storm_memory(run: Run) -> float | None:
    """The most bytes while clients connect again."""
    return max((use.memory for use in storm(run)), default=None)


def back_cpu_seconds(run: Run) -> float | None:
    """What the containers took on the way back."""
    span = run.phases.get(Phase.BACK)
    return processor_seconds(run, span) if span else None


def crash_version(run: Run) -> str | None:
    """ "old" or "new", or what it calls itself where it told the same before and after."""
    if run.crash is None or run.crash.version is None:
        return None
    old, new = versions(run) or (None, None)
    return {old: "old", new: "new"}.get(run.crash.version, run.crash.version)


def crash_seconds(run: Run) -> float | None:
    """How long until it answered."""
    return run.crash.seconds if run.crash else None


def crash_state(run: Run) -> str | None:
    """ "kept" or "lost"."""
    if run.crash is None or run.crash.state_kept is None:
        return None
    return "kept" if run.crash.state_kept else "lost"


def pause(run: Run) -> float | None:
    """The longest of all containers."""
    return max(run.pauses, default=None)


def _uses(run: Run, span: Span | None) -> list[Use]:
    return uses_in(run, span) if span else []
